/* auth/auth.c - AUTH PLAIN and LOGIN exchanges. The home of libsasl2.
 * In:   the client's lines without CR LF.   Out: challenges, then a name and a password; nothing is judged.
 * Always true: what the library sees was checked here first (base64, length, NUL, UTF-8); every library
 * connection serves one exchange; no configuration file, password database or foreign plugin is reached.
 *
 * Thread rules of libsasl2: mutexes, allocator and the server are set up once, before any thread; afterwards a
 * sasl_conn_t belongs to one thread at a time. The built-in mutexes do nothing, hence ours. */
#include "config.h"

#include "auth/auth.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sasl/sasl.h>

#include "util/crypto.h"
#include "util/log.h"

enum step {
	STEP_START,
	STEP_PLAIN,
	STEP_LOGIN_NAME,
	STEP_LOGIN_PASSWORD,
	STEP_DONE,
	STEP_FAILED
};

struct auth_exchange {
	enum step step;
	sasl_conn_t *conn;
	sasl_callback_t callbacks[2];
	bool captured;
	char name[AUTH_NAME_MAX + 1];
	char password[AUTH_NAME_MAX + 1];
	char decoded[AUTH_LINE_MAX / 4 * 3 + 1];
};

/* --- the library's surroundings ---------------------------------------------------------------- */

static void *
mutex_new(void)
{
	pthread_mutex_t *mutex = malloc(sizeof *mutex);

	if (mutex != NULL && pthread_mutex_init(mutex, NULL) != 0) {
		free(mutex);
		return NULL;
	}
	return mutex;
}

static int
mutex_lock(void *mutex)
{
	return pthread_mutex_lock(mutex) == 0 ? 0 : -1;
}

static int
mutex_unlock(void *mutex)
{
	return pthread_mutex_unlock(mutex) == 0 ? 0 : -1;
}

static void
mutex_free(void *mutex)
{
	if (mutex == NULL)
		return;
	(void)pthread_mutex_destroy(mutex);
	free(mutex);
}

/* The library and its plugins copy passwords about and free them as they are: wipe whatever they free. */
static void
wiping_free(void *mem)
{
	if (mem == NULL)
		return;
	crypto_wipe(mem, malloc_usable_size(mem));
	free(mem);
}

static void *
wiping_realloc(void *mem, size_t size)
{
	void *grown = malloc(size);
	size_t old_size = mem != NULL ? malloc_usable_size(mem) : 0;

	if (grown == NULL || mem == NULL)
		return grown;
	memcpy(grown, mem, old_size < size ? old_size : size);
	wiping_free(mem);
	return grown;
}

static const struct option {
	const char *name, *value;
} options[] = {
	{ "mech_list", "PLAIN LOGIN" },
	/* A refusal by the checkpass callback would go on to this method, by default to the system's sasldb,
	 * which then were a back door. */
	{ "pwcheck_method", "auxprop" },
	{ "auxprop_plugin", "none" },
	{ "auto_transition", "no" },
	{ "log_level", "2" },
};

/* Answers for every option there is: one we do not list is not set, and no file can set it. */
static int
get_option(
    void *context, const char *plugin, const char *option, const char **result, unsigned *len)
{
	(void)context;
	(void)plugin;
	*result = NULL;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strcmp(options[i].name, option) == 0)
			*result = options[i].value;
	if (len != NULL)
		*len = *result != NULL ? (unsigned)strlen(*result) : 0;
	return *result != NULL ? SASL_OK : SASL_FAIL;
}

/* The header gives the text to the library, which never frees it; a later release may. So it is neither
 * freed nor lost here. */
static int
get_config_path(void *context, char **path)
{
	static char *volatile given; /* or the compiler drops it */

	(void)context;
	given = strdup("/dev/null"); /* no directory: nothing can be in it */
	*path = given;
	return given != NULL ? SASL_OK : SASL_NOMEM;
}

/* Of all plugins the machine has, only the two mechanisms are loaded. */
static int
verify_file(void *context, const char *file, sasl_verify_type_t type)
{
	struct span name = span_of(file);

	(void)context;
	if (type != SASL_VRFY_PLUGIN)
		return SASL_CONTINUE;
	if (span_find(name, '/') < name.len)
		name = span_skip(name, span_find_last(name, '/') + 1);
	if (span_starts(name, SPAN_LIT("libplain.")) || span_starts(name, SPAN_LIT("liblogin.")))
		return SASL_OK;
	return SASL_CONTINUE;
}

/* Levels above SASL_LOG_NOTE are about passwords; those below about this machine's set-up. */
static int
log_message(void *context, int level, const char *message)
{
	char text[256];

	(void)context;
	if (level == SASL_LOG_NONE || level > SASL_LOG_WARN || message == NULL)
		return SASL_OK;
	/* "no plugin named none" comes with each exchange and is what we want */
	if (strstr(message, "auxprop plugin") != NULL)
		return SASL_OK;
	log_line(level == SASL_LOG_ERR ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "auth", "sasl=\"%s\"",
	    log_safe(span_of(message), text, sizeof text));
	return SASL_OK;
}

/* The table of callbacks takes functions of every type as this one. */
#define CALLBACK(f) ((int (*)(void))(void (*)(void))(f))

static const sasl_callback_t server_callbacks[] = {
	{ SASL_CB_GETOPT, CALLBACK(get_option), NULL },
	{ SASL_CB_GETCONFPATH, CALLBACK(get_config_path), NULL },
	{ SASL_CB_VERIFYFILE, CALLBACK(verify_file), NULL },
	{ SASL_CB_LOG, CALLBACK(log_message), NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

static bool
has_mechanism(const char **mechs, const char *name)
{
	for (; mechs != NULL && *mechs != NULL; mechs++)
		if (strcmp(*mechs, name) == 0)
			return true;
	return false;
}

enum rc
auth_init(struct why *why)
{
	const char **mechs;
	int err;

	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	sasl_set_alloc(malloc, calloc, wiping_realloc, wiping_free);
	err = sasl_server_init(server_callbacks, "postrider");
	if (err != SASL_OK)
		return why_set(why, RC_LATER, 0, "libsasl2: %s", sasl_errstring(err, NULL, NULL));
	mechs = sasl_global_listmech();
	if (!has_mechanism(mechs, "PLAIN") || !has_mechanism(mechs, "LOGIN")) {
		sasl_server_done();
		return why_set(why, RC_LATER, 0,
		    "libsasl2 has no PLAIN and LOGIN: are its modules installed?");
	}
	return RC_OK;
}

void
auth_done(void)
{
	sasl_server_done();
}

/* --- an exchange ------------------------------------------------------------------------------- */

/* Take a copy of what the client sent; whether it is right is decided elsewhere. */
static int
capture_password(sasl_conn_t *conn, void *context, const char *user, const char *password,
    unsigned len, struct propctx *props)
{
	struct auth_exchange *exchange = context;

	(void)conn;
	(void)props;
	exchange->captured =
	    span_copy(span_of(user), exchange->name, sizeof exchange->name) &&
	    span_copy(span_make(password, len), exchange->password, sizeof exchange->password);
	return exchange->captured ? SASL_OK : SASL_BADAUTH;
}

struct auth_exchange *
auth_exchange_new(const char *hostname)
{
	struct auth_exchange *exchange = calloc(1, sizeof *exchange);

	if (exchange == NULL)
		return NULL;
	exchange->callbacks[0] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS,
		CALLBACK(capture_password), exchange };
	exchange->callbacks[1] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	if (sasl_server_new("smtp", hostname, NULL, NULL, NULL, exchange->callbacks, 0,
		&exchange->conn) != SASL_OK) {
		free(exchange);
		return NULL;
	}
	return exchange;
}

void
auth_exchange_free(struct auth_exchange *exchange)
{
	if (exchange == NULL)
		return;
	sasl_dispose(&exchange->conn);
	crypto_wipe(exchange, sizeof *exchange);
	free(exchange);
}

static enum rc
fail(struct auth_exchange *exchange, struct why *why, int code, const char *text)
{
	exchange->step = STEP_FAILED;
	return why_set(why, RC_BAD, code, "%s", text);
}

static enum rc
fail_credentials(struct auth_exchange *exchange, struct why *why)
{
	return fail(exchange, why, 535, "Authentication Credentials Invalid");
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool
is_utf8(struct span s)
{
	size_t i = 0;

	while (i < s.len) {
		unsigned char c = (unsigned char)s.p[i++], low = 0x80, high = 0xbf;
		size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

		if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || more > s.len - i)
			return false;
		if (c == 0xe0)
			low = 0xa0;
		else if (c == 0xed)
			high = 0x9f;
		else if (c == 0xf0)
			low = 0x90;
		else if (c == 0xf4)
			high = 0x8f;
		for (; more > 0; more--, low = 0x80, high = 0xbf) {
			unsigned char next = (unsigned char)s.p[i++];

			if (next < low || next > high)
				return false;
		}
	}
	return true;
}

static bool
is_credential(struct span s)
{
	return s.len > 0 && s.len <= AUTH_NAME_MAX && span_find(s, '\0') == s.len && is_utf8(s);
}

/* The library cuts blanks off both ends of a name, and then it were another one. */
static bool
is_name(struct span s)
{
	return is_credential(s) && (unsigned char)s.p[0] > ' ' &&
	       (unsigned char)s.p[s.len - 1] > ' ';
}

/* authorization id NUL name NUL password (RFC 4616); the first is empty or the name again. */
static bool
is_plain_answer(struct span answer)
{
	struct span rest = answer, authzid, name, password;

	if (!span_next(&rest, '\0', &authzid) || !span_next(&rest, '\0', &name) ||
	    !span_next(&rest, '\0', &password) || rest.p != NULL)
		return false;
	return is_name(name) && is_credential(password) &&
	       (authzid.len == 0 || span_eq(authzid, name));
}

static bool
is_answer(enum step step, struct span answer)
{
	switch (step) {
	case STEP_PLAIN:
		return is_plain_answer(answer);
	case STEP_LOGIN_NAME:
		return is_name(answer);
	case STEP_LOGIN_PASSWORD:
		return is_credential(answer);
	case STEP_START:
	case STEP_DONE:
	case STEP_FAILED:
		break;
	}
	return false;
}

/* Hand a checked answer to the library. RC_MORE: it wants another one. */
static enum rc
give_library(struct auth_exchange *exchange, struct span answer, struct why *why)
{
	const char *out;
	unsigned out_len;
	int err;

	err = sasl_server_step(exchange->conn, answer.p, (unsigned)answer.len, &out, &out_len);
	if (err == SASL_CONTINUE && !exchange->captured)
		return RC_MORE;
	if (err != SASL_OK || !exchange->captured)
		return fail_credentials(exchange, why);
	exchange->step = STEP_DONE;
	return RC_OK;
}

static enum rc
take_answer(
    struct auth_exchange *exchange, struct span answer, const char **challenge, struct why *why)
{
	enum rc rc;

	if (!is_answer(exchange->step, answer))
		return fail_credentials(exchange, why);
	rc = give_library(exchange, answer, why);
	if (rc != RC_MORE)
		return rc;
	if (exchange->step != STEP_LOGIN_NAME) /* the library asks for more than there is to say */
		return fail_credentials(exchange, why);
	exchange->step = STEP_LOGIN_PASSWORD;
	*challenge = "UGFzc3dvcmQ6"; /* "Password:" */
	return RC_MORE;
}

static enum rc
take_line(struct auth_exchange *exchange, struct span line, const char **challenge, struct why *why)
{
	size_t len = 0;
	enum rc rc;

	if (line.len > AUTH_LINE_MAX || crypto_base64_decode(line, exchange->decoded,
					    sizeof exchange->decoded - 1, &len) != RC_OK)
		rc =
		    fail(exchange, why, 501, "Invalid command argument, not a valid Base64 string");
	else {
		exchange->decoded[len] = '\0'; /* LOGIN reads its answers as C strings */
		rc = take_answer(exchange, span_make(exchange->decoded, len), challenge, why);
	}
	crypto_wipe(exchange->decoded, len);
	return rc;
}

static const struct mechanism {
	const char *name;
	enum step step;
	const char *challenge; /* what SES says, not what the library would */
} mechanisms[] = {
	{ "PLAIN", STEP_PLAIN, "Ok" },
	{ "LOGIN", STEP_LOGIN_NAME, "VXNlcm5hbWU6" }, /* "Username:" */
};

static const struct mechanism *
mechanism_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (span_ieq(name, span_of(mechanisms[i].name)))
			return &mechanisms[i];
	return NULL;
}

enum rc
auth_exchange_start(struct auth_exchange *exchange, struct span mechanism, bool has_initial,
    struct span initial, const char **challenge, struct why *why)
{
	const struct mechanism *mech = mechanism_find(mechanism);
	const char *out;
	unsigned out_len;

	if (exchange->step != STEP_START)
		return why_set(why, RC_BUG, 0, "AUTH exchange started twice");
	/* The library is started without an initial response, which it refuses for LOGIN (and clients send
	 * one all the same); the response then is its first step. */
	if (mech == NULL ||
	    sasl_server_start(exchange->conn, mech->name, NULL, 0, &out, &out_len) != SASL_CONTINUE)
		return fail(
		    exchange, why, 504, "The requested authentication mechanism is not supported");
	exchange->step = mech->step;
	if (has_initial)
		return take_line(exchange, span_eq(initial, SPAN_LIT("=")) ? SPAN_EMPTY : initial,
		    challenge, why);
	*challenge = mech->challenge;
	return RC_MORE;
}

enum rc
auth_exchange_step(
    struct auth_exchange *exchange, struct span line, const char **challenge, struct why *why)
{
	if (exchange->step == STEP_START || exchange->step >= STEP_DONE)
		return why_set(why, RC_BUG, 0, "AUTH exchange is not under way");
	if (span_eq(line, SPAN_LIT("*")))
		return fail(exchange, why, 501, "Authentication canceled by client.");
	return take_line(exchange, line, challenge, why);
}

void
auth_exchange_result(const struct auth_exchange *exchange, const char **name, const char **password)
{
	*name = exchange->name;
	*password = exchange->password;
}
