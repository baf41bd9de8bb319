/* http/call.c - one request from evhttp to its answer.
 *
 * What evhttp 2.1 does with a request that is not answered yet: it reads nothing more from the connection, so it sees a
 * peer that has gone only when it writes. Then it takes the request off the connection, which it frees: the request is
 * ours to free. When the connection is freed in any other way, so is the request. on_closed tells the two apart. */
#include "config.h"

#include "http/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/bufferevent.h>

#include "util/log.h"

enum {
	MESSAGE_MAX = 1024
};

static const struct {
	enum evhttp_cmd_type type;
	const char *name;
} methods[] = {
	{ EVHTTP_REQ_GET, "GET" },
	{ EVHTTP_REQ_POST, "POST" },
	{ EVHTTP_REQ_HEAD, "HEAD" },
	{ EVHTTP_REQ_PUT, "PUT" },
	{ EVHTTP_REQ_DELETE, "DELETE" },
	{ EVHTTP_REQ_OPTIONS, "OPTIONS" },
	{ EVHTTP_REQ_TRACE, "TRACE" },
	{ EVHTTP_REQ_CONNECT, "CONNECT" },
	{ EVHTTP_REQ_PATCH, "PATCH" },
};

static const char *
method_name(const struct evhttp_request *req)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (methods[i].type == evhttp_request_get_command(req))
			return methods[i].name;
	return "UNKNOWN";
}

/* ------------------------------------------------------------------ life ---------------------- */

/* The peer has its answer, or is gone. */
static void
call_over(struct call *call)
{
	struct control *control = call->control;

	call->req = NULL;
	if (call->held > 0)
		return;
	list_del(&call->node);
	evhttp_clear_headers(&call->query);
	free(call);
	if (control != NULL) {
		control_look_soon(control);
		control_check_idle(control);
	}
}

static void
on_complete(struct evhttp_request *req, void *arg)
{
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), NULL, NULL);
	call_over(arg);
}

static void
on_closed(struct evhttp_connection *connection, void *arg)
{
	struct call *call = arg;
	struct evhttp_request *req = call->req;

	(void)connection;
	if (req != NULL && evhttp_request_get_connection(req) == NULL)
		evhttp_request_free(req);
	call->req = NULL;
	if (call->on_gone != NULL)
		call->on_gone(call->on_gone_arg);
	call_over(call);
}

/* <sys/queue.h> has macros of the names that our lists have. */
static void
query_init(struct evkeyvalq *query)
{
	query->tqh_first = NULL;
	query->tqh_last = &query->tqh_first;
}

static struct call *
call_new(struct control *control, struct evhttp_request *req)
{
	struct call *call = calloc(1, sizeof *call);
	struct evhttp_connection *connection = evhttp_request_get_connection(req);

	if (call == NULL)
		return NULL;
	call->control = control;
	call->req = req;
	query_init(&call->query);
	list_add_tail(&control->calls, &call->node);
	peer_get(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), &call->peer);
	evhttp_connection_set_closecb(connection, on_closed, call);
	evhttp_request_set_on_complete_cb(req, on_complete, call);
	return call;
}

void
call_hold(struct call *call)
{
	call->held++;
}

bool
call_release(struct call *call)
{
	call->held--;
	if (call->req != NULL)
		return true;
	call_over(call);
	return false;
}

void
call_cut(struct call *call)
{
	if (call->req != NULL && call->on_gone != NULL)
		evhttp_connection_free(evhttp_request_get_connection(call->req));
}

/* ------------------------------------------------------------------ what handlers ask --------- */

const struct control_context *
call_context(const struct call *call)
{
	return &call->control->context;
}

void
call_daemon(const struct call *call, struct control_daemon *out)
{
	*out = (struct control_daemon){ .config = NULL };
	call->control->context.daemon(call->control->context.arg, out);
}

const char *
call_query(const struct call *call, const char *name)
{
	return evhttp_find_header(&call->query, name);
}

/* ------------------------------------------------------------------ answers ------------------- */

/* Who changed what: one line in the log. Without parameters, which may hold addresses. */
static void
log_privileged(const struct call *call, int status)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(call->req));
	char shown[256];

	if (call->route == NULL || !call->route->privileged)
		return;
	log_line(LOG_LEVEL_INFO, "control", "%s %s: uid=%ld, pid=%ld, status=%d",
	    call->route->method, log_safe(span_of(path), shown, sizeof shown), (long)call->peer.uid,
	    (long)call->peer.pid, status);
}

static void
send_headers(struct call *call, const char *type)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->req);

	(void)evhttp_add_header(headers, "Content-Type", type);
	(void)evhttp_add_header(headers, "Cache-Control", "no-store");
	call->answered = true;
}

void
call_reply(struct call *call, int status, const char *type, struct evbuffer *body)
{
	bool head = evhttp_request_get_command(call->req) == EVHTTP_REQ_HEAD;

	log_privileged(call, status);
	send_headers(call, type);
	evhttp_send_reply(call->req, status, NULL, head ? NULL : body);
	if (body != NULL)
		evbuffer_free(body);
}

void
call_no_memory(struct call *call)
{
	/* Without a body: nothing here may need memory of ours. */
	call_reply(call, 503, "application/json", NULL);
}

void
call_json(struct call *call, int status, json_t *document)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL || !json_add_line(body, document)) {
		if (body == NULL)
			json_decref(document);
		else
			evbuffer_free(body);
		call_no_memory(call);
		return;
	}
	call_reply(call, status, "application/json", body);
}

void
call_error(struct call *call, int status, const char *code, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	call_json(call, status, error_json(code, text, NULL));
}

void
call_begin(struct call *call, const char *type, void (*on_gone)(void *arg), void *arg)
{
	call->on_gone = on_gone;
	call->on_gone_arg = arg;
	send_headers(call, type);
	evhttp_send_reply_start(call->req, 200, "OK");
}

void
call_piece(struct call *call, struct evbuffer *piece,
    void (*written)(struct evhttp_connection *connection, void *arg), void *arg)
{
	evhttp_send_reply_chunk_with_cb(call->req, piece, written, arg);
}

void
call_end(struct call *call)
{
	call->on_gone = NULL;
	evhttp_send_reply_end(call->req);
}

/* ------------------------------------------------------------------ from request to handler --- */

/* Parameters: known ones only, since a misspelt filter of a change would change everything. */
static bool
take_query(struct call *call, const char *text)
{
	struct evkeyval *pair;

	if (text == NULL || text[0] == '\0')
		return true;
	if (strstr(text, "%00") != NULL || evhttp_parse_query_str(text, &call->query) != 0) {
		call_error(call, 400, "BadRequest", "The query string is malformed.");
		return false;
	}
	for (pair = call->query.tqh_first; pair != NULL; pair = pair->next.tqe_next) {
		if (route_takes(call->route, span_of(pair->key)))
			continue;
		call_error(call, 400, "BadRequest", "There is no parameter \"%.100s\" here.%s%s",
		    pair->key, call->route->query[0] != '\0' ? " Known: " : "", call->route->query);
		return false;
	}
	return true;
}

/* Percent signs undone. False: it does not fit, or has a NUL. */
static bool
decode_part(struct span part, char *out, size_t size)
{
	char *copy = span_dup(part);
	size_t len = 0;
	char *text = copy != NULL ? evhttp_uridecode(copy, 0, &len) : NULL;
	bool ok = text != NULL && strlen(text) == len && span_copy(span_of(text), out, size);

	free(text);
	free(copy);
	return ok;
}

static bool
find_route(struct call *call, const char *path)
{
	struct buf allow = BUF_EMPTY;
	struct span part;
	bool found;

	call->route = route_find(
	    control_routes, span_of(method_name(call->req)), span_of(path), &part, &allow);
	found = call->route != NULL && decode_part(part, call->part, sizeof call->part);
	if (call->route == NULL && buf_len(&allow) > 0 && buf_cstr(&allow) != NULL) {
		(void)evhttp_add_header(
		    evhttp_request_get_output_headers(call->req), "Allow", buf_cstr(&allow));
		call_error(call, 405, "MethodNotAllowed", "Allowed here: %s.", buf_cstr(&allow));
	} else if (!found) {
		call_error(call, 404, "NotFound", "There is nothing at this path.");
	}
	buf_free(&allow);
	return found;
}

static bool
may_run(struct call *call)
{
	const struct control *control = call->control;

	if (call->route->privileged && !peer_is_privileged(&call->peer, geteuid(), control->gid)) {
		call_error(call, 403, "AccessDenied",
		    "Only root, the daemon's user and members of the socket's group may do this.");
		return false;
	}
	if (call->route->privileged && control->stopping) {
		call_error(call, 503, "ServiceUnavailable", "The daemon is stopping.");
		return false;
	}
	return true;
}

void
call_start(struct evhttp_request *req, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	struct call *call = call_new(arg, req);

	if (call == NULL) {
		evhttp_send_error(req, 503, NULL);
		return;
	}
	if (find_route(call, path != NULL ? path : "") && may_run(call) &&
	    take_query(call, evhttp_uri_get_query(uri)))
		call->route->run(call);
}
