/* Unit tests of smtp/server.c: real sockets and a thread of its own, up to the checks of the content; no spool. Meant for
 * TSan, too. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "unit/config/config_test.h"
#include "smtp/server.h"
#include "util/crypto.h"
#include "util/log.h"

enum {
	WAIT_S = 10 /* for an answer: more is a failure */
};

struct world {
	struct loop *loop;
	struct worker_pool *workers;
	struct submit *submit;
	struct credentials *credentials;
	struct smtp_server *server;
	struct config *config;
	pthread_t thread;
	unsigned port;
	struct loop_msg stop_msg;
	bool is_empty; /* belongs to the thread until it has ended */
};

static char directory[] = "/tmp/postrider-server-XXXXXX";
static int64_t body_budget;		   /* less than the schema takes; 0: as configured */
static char plain[CRYPTO_BASE64_LEN(200)]; /* the good login */

/* ------------------------------------------------------------------ the server ---------------- */

static void *
run_loop(void *arg)
{
	struct world *w = arg;

	loop_run(w->loop);
	return NULL;
}

static int
nothing_inherited(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return -1;
}

/* `settings`: of smtp and spool; `tls`: of the one listener. */
static void
begin(struct world *w, const char *tls, const char *settings)
{
	static unsigned next_port;
	struct smtp_server_options options;
	struct submit_options submit_options;
	struct credential_table *credentials;
	struct tls_server *tls_server;
	struct why why = WHY_EMPTY;
	char text[1000];
	enum rc rc;

	*w = (struct world){ .loop = loop_new("test", &why) };
	w->workers = worker_pool_new(0, 1, &why);
	assert_true(w->loop != NULL && w->workers != NULL);
	submit_options = (struct submit_options){ .core = w->loop, .workers = w->workers };
	assert_rc(submit_new(&submit_options, &w->submit, &why), RC_OK);
	w->credentials = credentials_new();
	assert_non_null(w->credentials);
	options = (struct smtp_server_options){ .core = w->loop,
		.loops = &w->loop,
		.loop_count = 1,
		.workers = w->workers,
		.submit = w->submit,
		.credentials = w->credentials };
	assert_rc(smtp_server_new(&options, &w->server, &why), RC_OK);
	do { /* a port that is free */
		w->port = 22000 + ((unsigned)getpid() + next_port++) % 100;
		(void)snprintf(text, sizeof text,
		    "hostname = \"mx.example.com\"; state_directory = \"%s\"; %s "
		    "listeners = ({ name = \"t\"; addresses = [ \"127.0.0.1\" ]; port = %u; "
		    "tls = \"%s\"; auth_without_tls = true; });"
		    "accounts = ({ name = \"a\"; credentials = ({ id = \"AKIAIOSFODNN7EXAMPLE\"; "
		    "secret = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"; }); });",
		    directory, settings, w->port, tls);
		config_unref(w->config);
		w->config = must_parse(text);
		if (body_budget > 0)
			w->config->spool.body_budget_bytes = body_budget;
		assert_rc(credential_table_new(w->config, &credentials, &why), RC_OK);
		assert_rc(tls_server_load(w->config, &tls_server, &why), RC_OK);
		assert_rc(
		    smtp_server_configure(w->server, w->config, credentials, tls_server), RC_OK);
		credential_table_unref(credentials);
		tls_server_unref(tls_server);
		rc = smtp_server_listen(w->server, nothing_inherited, NULL, &why);
	} while (rc != RC_OK && next_port < 200);
	assert_rc(rc, RC_OK);
	assert_int_equal(pthread_create(&w->thread, NULL, run_loop, w), 0);
}

static void
on_empty(void *arg)
{
	struct world *w = arg;

	w->is_empty = true;
	loop_stop(w->loop);
}

static void
run_stop(struct loop_msg *msg)
{
	struct world *w = container_of(msg, struct world, stop_msg);

	smtp_server_stop(w->server, on_empty, w);
}

static void
stop(struct world *w)
{
	w->stop_msg.run = run_stop;
	loop_post(w->loop, &w->stop_msg);
}

/* Behind stop() and the end of all sessions. */
static void
finish(struct world *w)
{
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	(void)loop_step(
	    w->loop); /* what was posted to the sessions' loop, as the end of that loop runs it */
	assert_true(w->is_empty);
	assert_int_equal(smtp_server_sessions(w->server), 0);
	smtp_server_free(w->server);
	submit_free(w->submit);
	credentials_free(w->credentials);
	worker_pool_free(w->workers);
	loop_free(w->loop);
	config_unref(w->config);
}

/* ------------------------------------------------------------------ the client ---------------- */

static int
call(const struct world *w)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)w->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		text += n;
		len -= (size_t)n;
	}
}

/* The next line of the server is `want` ("*": whatever); "": the end of the connection. */
static void
hear(int fd, const char *want)
{
	char line[600] = "";
	size_t len = 0;

	while (len < sizeof line - 1 && recv(fd, line + len, 1, 0) == 1)
		if (line[len++] == '\n')
			break;
	line[len] = '\0';
	if (strcmp(want, "*") == 0)
		assert_true(len > 0);
	else if (*want == '\0')
		assert_string_equal(line, "");
	else
		assert_true(len > 2 && strncmp(line, want, len - 2) == 0 && want[len - 2] == '\0');
}

static void
log_in(int fd)
{
	char line[300];

	hear(fd, "*");
	(void)snprintf(line, sizeof line, "HELO c\r\nEHLO c\r\nAUTH PLAIN %s\r\n", plain);
	say(fd, line);
	for (int i = 0; i < 6; i++)
		hear(fd, "*");
	hear(fd, "250 Ok");
	hear(fd, "235 Authentication successful.");
}

#define ENVELOPE "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"

/* ------------------------------------------------------------------ tests --------------------- */

static void
test_message(void **state)
{
	struct world w;
	int fd;

	(void)state;
	begin(&w, "none", "");
	fd = call(&w);
	log_in(fd);
	say(fd, ENVELOPE "Subject: no From\r\n\r\ntext\r\n.\r\n" ENVELOPE "x\ny\r\n.\r\nQUIT\r\n");
	for (int i = 0; i < 2; i++) {
		hear(fd, "250 Ok");
		hear(fd, "250 Ok");
		hear(fd, "354 End data with <CR><LF>.<CR><LF>");
		hear(fd, i == 0
			     ? "554 Transaction failed: Missing required header 'From'."
			     : "554 Transaction failed: bare LF in the message at offset 1: lines "
			       "must end in CR LF.");
	}
	hear(fd, "221 Bye");
	hear(fd, "");
	(void)close(fd);
	stop(&w);
	finish(&w);
}

/* What is said behind STARTTLS in clear ends the connection, and is not answered. */
static void
test_starttls_injection(void **state)
{
	struct world w;
	char got[200] = "";
	ssize_t len;
	int fd;

	(void)state;
	begin(&w, "starttls", "");
	fd = call(&w);
	hear(fd, "*");
	say(fd, "STARTTLS\r\nNOOP\r\n");
	len = recv(fd, got, sizeof got - 1, MSG_WAITALL);
	assert_true(len <= 0 || strcmp(got, "220 Ready to start TLS\r\n") == 0);
	(void)close(fd);
	stop(&w);
	finish(&w);
}

static void
test_too_many(void **state)
{
	struct world w;
	int fds[3];

	(void)state;
	begin(&w, "none", "smtp: { max_connections_per_address = 2; };");
	for (int i = 0; i < 3; i++) {
		fds[i] = call(&w);
		hear(fds[i], i < 2 ? "*" : "421 Too many concurrent SMTP connections");
	}
	hear(fds[2], "");
	say(fds[0], "QUIT\r\n");
	hear(fds[0], "221 Bye");
	hear(fds[0], "");
	for (int i = 0; i < 3; i++)
		(void)close(fds[i]);
	stop(&w);
	finish(&w);
}

static void
test_idle(void **state)
{
	struct world w;
	int fd;

	(void)state;
	begin(&w, "none", "smtp: { idle = \"1s\"; };");
	fd = call(&w);
	hear(fd, "*");
	say(fd, "NOO");
	hear(fd, "451 4.4.2 Timeout waiting for data from client.");
	hear(fd, "");
	(void)close(fd);
	stop(&w);
	finish(&w);
}

static void
test_stop(void **state)
{
	struct world w;
	int idle, busy;

	(void)state;
	begin(&w, "none", "");
	idle = call(&w);
	hear(idle, "*");
	busy = call(&w);
	log_in(busy);
	say(busy, ENVELOPE);
	hear(busy, "250 Ok");
	hear(busy, "250 Ok");
	hear(busy, "354 End data with <CR><LF>.<CR><LF>");
	stop(&w);
	hear(idle, "421 Service shutting down, closing connection");
	hear(idle, "");
	say(busy, "text\r\n.\r\n");
	hear(busy, "*");
	hear(busy, "421 Service shutting down, closing connection");
	hear(busy, "");
	(void)close(idle);
	(void)close(busy);
	finish(&w);
}

/* The transaction under way at the stop may end without a submission: the session ends all the same. */
static void
test_stop_without_memory(void **state)
{
	static char line[66] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n";
	struct world w;
	int fd;

	(void)state;
	body_budget = 70000;
	begin(&w, "none", "");
	body_budget = 0;
	fd = call(&w);
	log_in(fd);
	say(fd, ENVELOPE);
	hear(fd, "250 Ok");
	hear(fd, "250 Ok");
	hear(fd, "354 End data with <CR><LF>.<CR><LF>");
	stop(&w);
	for (int i = 0; i < 3000; i++)
		say(fd, line);
	say(fd, ".\r\n");
	hear(fd, "452 4.3.1 Insufficient system storage");
	hear(fd, "421 Service shutting down, closing connection");
	hear(fd, "");
	(void)close(fd);
	finish(&w);
}

static int
set_up(void **state)
{
	char password[AUTH_PASSWORD_LEN + 1], both[200];
	struct why why = WHY_EMPTY;
	int len;

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_rc(tls_make_self_signed(directory, "mx.example.com", &why), RC_OK);
	assert_rc(auth_init(&why), RC_OK);
	assert_rc(
	    auth_password_v4("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", password),
	    RC_OK);
	len = snprintf(both, sizeof both, "%cAKIAIOSFODNN7EXAMPLE%c%s", '\0', '\0', password);
	(void)crypto_base64(span_make(both, (size_t)len), plain);
	return 0;
}

static int
tear_down(void **state)
{
	char path[100];

	(void)state;
	auth_done();
	(void)snprintf(path, sizeof path, "%s/self-signed.pem", directory);
	return unlink(path) == 0 && rmdir(directory) == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_starttls_injection),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_without_memory),
	};

	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
