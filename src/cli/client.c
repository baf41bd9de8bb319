/* cli/client.c - HTTP over the daemon's Unix socket. The home of libcurl in the command line. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>

#include "cli/cli.h"

enum {
	CONNECT_S = 5,
	STALLED_S = 120 /* nothing moves */
};

/* ------------------------------------------------------------------ targets ------------------- */

static void
add_encoded(struct buf *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (ascii_is_alnum(*p) || strchr("-._~", *p) != NULL)
			buf_add_char(out, *p);
		else
			buf_addf(out, "%%%02X", (unsigned char)*p);
}

void
target_add(struct buf *target, const char *name, const char *value)
{
	struct span so_far = buf_span(target);

	buf_addf(target, "%c%s=", span_find(so_far, '?') < so_far.len ? '&' : '?', name);
	add_encoded(target, value);
}

void
target_add_part(struct buf *target, const char *part)
{
	buf_add_char(target, '/');
	add_encoded(target, part);
}

/* ------------------------------------------------------------------ the socket ---------------- */

static const char *
named_socket(const struct args *args)
{
	const char *named = args_get(args, "socket");

	if (named == NULL)
		named = getenv("POSTRIDER_SOCKET");
	return named != NULL && named[0] != '\0' ? named : NULL;
}

bool
client_socket_is_named(const struct args *args)
{
	return named_socket(args) != NULL;
}

/* Option, environment, configuration, default. A file that the caller did not name may be unreadable, since it may hold
 * secrets. */
static int
find_socket(const struct args *args, struct buf *out)
{
	const char *named = named_socket(args), *file = args_get(args, "config");
	struct config_errors errors = { NULL, 0, 0 };
	struct config *config = NULL;
	int status = EX_OK;

	if (named != NULL) {
		buf_addf(out, "%s", named);
		return EX_OK;
	}
	if (config_load(file != NULL ? file : DEFAULT_CONFIG, &config, &errors) == RC_OK) {
		if (config->control.socket[0] == '\0' && file != NULL)
			status =
			    cli_fail(EX_UNAVAILABLE, "%s: control.socket is \"\": no socket", file);
		else if (config->control.socket[0] != '\0')
			buf_addf(out, "%s", config->control.socket);
	} else if (file != NULL) {
		struct buf text = BUF_EMPTY;

		if (errors.count > 0)
			config_error_format(&errors.list[0], &text);
		status = cli_fail(EX_CONFIG, "%.*s", SPAN_ARG(buf_span(&text)));
		buf_free(&text);
	}
	if (status == EX_OK && buf_len(out) == 0)
		buf_addf(out, DEFAULT_SOCKET);
	config_errors_free(&errors);
	config_unref(config);
	return status;
}

/* ------------------------------------------------------------------ one call ------------------ */

struct exchange {
	const struct request *request;
	CURL *curl;
	struct buf socket, url;
	struct buf held; /* the body, or the line under way */
	bool ended;	 /* by on_line */
};

static bool
is_good(const struct exchange *x)
{
	long status = 0;

	(void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	return status / 100 == 2;
}

static size_t
on_bytes(char *bytes, size_t one, size_t len, void *arg)
{
	struct exchange *x = arg;
	struct span rest, line;
	size_t end;

	(void)one;
	buf_add(&x->held, bytes, len);
	if (x->held.failed)
		return 0;
	if (x->request->on_line == NULL || !is_good(x))
		return len;
	rest = buf_span(&x->held);
	while ((end = span_find(rest, '\n')) < rest.len) {
		line = span_first(rest, end);
		rest = span_skip(rest, end + 1);
		if (!x->request->on_line(x->request->arg, line)) {
			x->ended = true;
			return 0;
		}
	}
	buf_consume(&x->held, buf_len(&x->held) - rest.len);
	return len;
}

static CURLcode
set_options(struct exchange *x, struct curl_slist **headers)
{
	const struct request *r = x->request;
	CURL *curl = x->curl;
	char type[128];

	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, buf_cstr(&x->socket));
	(void)curl_easy_setopt(curl, CURLOPT_URL, buf_cstr(&x->url));
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "postrider/" VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)r->timeout_s);
	(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALLED_S);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
	if (r->body.p != NULL || strcmp(r->method, "POST") == 0) {
		(void)snprintf(type, sizeof type, "Content-Type: %s",
		    r->body_type != NULL ? r->body_type : "application/octet-stream");
		*headers = curl_slist_append(NULL, type);
		if (*headers == NULL)
			return CURLE_OUT_OF_MEMORY;
		(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
		(void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body.p);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
	}
	return curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
}

int
client_exit_status(long status, const char *code)
{
	if (status / 100 == 2)
		return EX_OK;
	if (strcmp(code, "InvalidConfiguration") == 0)
		return EX_CONFIG;
	switch (status) {
	case 400:
	case 404:
	case 413:
		return EX_DATAERR;
	case 403:
		return EX_NOPERM;
	case 409:
	case 503:
		return EX_TEMPFAIL;
	default:
		return EX_SOFTWARE;
	}
}

/* {"error":{"code":..,"message":..,"errors":[..]}}; anything else is named by its status. */
static int
report_error(long status, struct span body)
{
	json_t *document = json_loadb(body.p, body.len, 0, NULL), *line;
	const char *code = "", *message = NULL;
	json_t *errors = NULL;
	size_t i;
	int result;

	if (document != NULL)
		(void)json_unpack(document, "{s:{s:s, s:s, s?o}}", "error", "code", &code,
		    "message", &message, "errors", &errors);
	result = client_exit_status(status, code);
	json_array_foreach(errors, i, line) if (json_is_string(line))(void)
	    cli_fail(result, "%s", json_string_value(line));
	if (message != NULL)
		(void)cli_fail(result, "%s", message);
	else if (status == 413)
		(void)cli_fail(result, "the message is too large");
	else
		(void)cli_fail(result, "the daemon answered with HTTP status %ld", status);
	json_decref(document);
	return result;
}

static int
report_transport(const struct exchange *x, CURLcode code, const char *detail)
{
	const char *socket = x->socket.mem + x->socket.start;
	long err = 0;

	(void)curl_easy_getinfo(x->curl, CURLINFO_OS_ERRNO, &err);
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		/* libcurl does not always keep errno of a Unix socket. */
		if (err == 0 && access(socket, R_OK | W_OK) != 0)
			err = errno;
		if (err == EACCES || err == EPERM)
			return cli_fail(EX_NOPERM, "%s: you may not use this socket", socket);
		return cli_fail(EX_UNAVAILABLE, "no daemon answers on %s%s%s", socket,
		    err != 0 ? ": " : "", err != 0 ? strerror((int)err) : "");
	case CURLE_OUT_OF_MEMORY:
		return cli_fail_memory();
	case CURLE_OPERATION_TIMEDOUT:
		return cli_fail(EX_TEMPFAIL, "%s: the daemon does not answer in time", socket);
	default:
		return cli_fail(EX_UNAVAILABLE, "%s: %s", socket,
		    detail[0] != '\0' ? detail : curl_easy_strerror(code));
	}
}

static int
perform(struct exchange *x, struct buf *out)
{
	struct curl_slist *headers = NULL;
	char detail[CURL_ERROR_SIZE] = "";
	CURLcode code;
	long status = 0;
	int result = EX_OK;

	(void)curl_easy_setopt(x->curl, CURLOPT_ERRORBUFFER, detail);
	code = set_options(x, &headers);
	if (code == CURLE_OK)
		code = curl_easy_perform(x->curl);
	(void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	if (x->held.failed)
		result = cli_fail_memory();
	else if (code != CURLE_OK && !x->ended)
		result = report_transport(x, code, detail);
	else if (status / 100 != 2)
		result = report_error(status, buf_span(&x->held));
	else if (out != NULL && !x->ended)
		buf_add_span(out, buf_span(&x->held));
	curl_slist_free_all(headers);
	return result;
}

int
client_call(const struct args *args, const struct request *request, struct buf *out)
{
	struct exchange x = { .request = request };
	int result = find_socket(args, &x.socket);

	buf_addf(&x.url, "http://localhost%.*s", SPAN_ARG(buf_span(request->target)));
	if (result == EX_OK &&
	    (request->target->failed || buf_cstr(&x.url) == NULL || buf_cstr(&x.socket) == NULL))
		result = cli_fail_memory();
	if (result == EX_OK) {
		x.curl = curl_easy_init();
		result = x.curl != NULL ? perform(&x, out) : cli_fail_memory();
		curl_easy_cleanup(x.curl);
	}
	buf_free(request->target);
	buf_free(&x.socket);
	buf_free(&x.url);
	buf_free(&x.held);
	return result;
}

json_t *
client_json(const struct args *args, const struct request *request, int *status)
{
	struct buf body = BUF_EMPTY;
	json_t *document = NULL;

	*status = client_call(args, request, &body);
	if (*status == EX_OK) {
		document = json_loadb(buf_span(&body).p, buf_len(&body), 0, NULL);
		if (document == NULL)
			*status = cli_fail(EX_SOFTWARE, "the daemon's answer is no JSON");
	}
	buf_free(&body);
	return document;
}

bool
client_is_there(const struct args *args)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct buf path = BUF_EMPTY;
	bool there = false;
	int fd;

	if (find_socket(args, &path) == EX_OK &&
	    span_copy(buf_span(&path), addr.sun_path, sizeof addr.sun_path)) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		there = fd >= 0 && (connect(fd, (const struct sockaddr *)&addr, sizeof addr) == 0 ||
				       errno == EACCES || errno == EPERM);
		if (fd >= 0)
			(void)close(fd);
	}
	buf_free(&path);
	return there;
}
