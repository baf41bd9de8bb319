/* http/metrics_server.c - the TCP port for Prometheus and for probes: three paths, and nothing can be changed here. */
#include "config.h"

#include "http/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "util/log.h"

enum {
	HEADERS_MAX = 8192,
	BODY_MAX = 0,
	IDLE_S = 30
};

struct metrics_server {
	struct control_context context;
	struct evhttp *http;
};

static void
reply(struct evhttp_request *req, int status, const char *reason, const char *type,
    const struct buf *text)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL || text->failed ||
	    evbuffer_add(body, buf_span(text).p, buf_len(text)) != 0) {
		evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
	} else {
		(void)evhttp_add_header(
		    evhttp_request_get_output_headers(req), "Content-Type", type);
		evhttp_send_reply(req, status, reason, body);
	}
	if (body != NULL)
		evbuffer_free(body);
}

static void
on_metrics(struct evhttp_request *req, void *arg)
{
	const struct metrics_server *server = arg;
	struct buf text = BUF_EMPTY;

	metrics_write(&server->context, &text);
	reply(req, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", &text);
	buf_free(&text);
}

static void
on_alive(struct evhttp_request *req, void *arg)
{
	struct buf text = BUF_EMPTY;

	(void)arg;
	buf_addf(&text, "ok\n");
	reply(req, HTTP_OK, "OK", "text/plain", &text);
	buf_free(&text);
}

static void
on_ready(struct evhttp_request *req, void *arg)
{
	const struct metrics_server *server = arg;
	struct spool_stats spool;
	struct buf text = BUF_EMPTY;

	spool_stats(server->context.spool, &spool);
	buf_addf(&text, "%s\n",
	    !spool.failing	    ? "ok"
	    : spool.failure != NULL ? spool.failure
				    : "the spool does not take messages");
	reply(req, spool.failing ? HTTP_SERVUNAVAIL : HTTP_OK,
	    spool.failing ? "Service Unavailable" : "OK", "text/plain", &text);
	buf_free(&text);
}

static void
on_other(struct evhttp_request *req, void *arg)
{
	(void)arg;
	evhttp_send_error(req, HTTP_NOTFOUND, NULL);
}

enum rc
metrics_server_new(const struct control_context *context, const char *address, int port,
    struct metrics_server **out, struct why *why)
{
	struct metrics_server *server = calloc(1, sizeof *server);

	*out = server;
	if (server == NULL)
		return why_set(why, RC_LATER, 0, "metrics: out of memory");
	server->context = *context;
	server->http = evhttp_new(loop_base(context->core));
	if (server->http == NULL)
		return why_set(why, RC_LATER, 0, "metrics: out of memory");
	evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(server->http, HEADERS_MAX);
	evhttp_set_max_body_size(server->http, BODY_MAX);
	evhttp_set_timeout(server->http, IDLE_S);
	evhttp_set_gencb(server->http, on_other, server);
	if (evhttp_set_cb(server->http, "/metrics", on_metrics, server) != 0 ||
	    evhttp_set_cb(server->http, "/healthz", on_alive, server) != 0 ||
	    evhttp_set_cb(server->http, "/readyz", on_ready, server) != 0)
		return why_set(why, RC_LATER, 0, "metrics: out of memory");
	if (evhttp_bind_socket(server->http, address, (ev_uint16_t)port) != 0)
		return why_errno(why, errno, "metrics: cannot listen on %s port %d", address, port);
	log_line(LOG_LEVEL_INFO, "metrics", "http://%s:%d/metrics", address, port);
	return RC_OK;
}

void
metrics_server_free(struct metrics_server *server)
{
	if (server == NULL)
		return;
	if (server->http != NULL)
		evhttp_free(server->http);
	free(server);
}
