/* http/internal.h - one call of the control interface, and what its handlers share.
 *
 * A handler answers at once, or keeps the call with call_hold and answers when its result has come. The peer may be
 * gone by then, and so may the control object: call_release tells. */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>

#include "http/control.h"
#include "http/peer.h"
#include "http/route.h"

enum {
	CALL_PART_MAX = 400 /* longer than any id or address */
};

struct evconnlistener;

/* control.c and call.c only. */
struct control {
	struct control_context context;
	struct evhttp *http;
	struct evconnlistener *listener; /* http's */
	struct list calls;
	struct list guests; /* connections, see control.c */
	size_t guest_count;
	struct timer guest_timer, pause_timer, stop_timer;
	char *path;
	dev_t dev; /* of the socket file: only our own is removed */
	ino_t ino;
	gid_t gid;
	bool stopping, patient; /* patient: also wait until answers are with the kernel */
	void (*on_idle)(void *arg);
	void *on_idle_arg;
};

struct call {
	struct list node;	    /* in control->calls */
	struct control *control;    /* NULL: freed meanwhile */
	struct evhttp_request *req; /* NULL: the peer is gone, or the answer is out */
	const struct route *route;
	struct peer peer;
	char part[CALL_PART_MAX]; /* what the star of the route stands for */
	struct evkeyvalq query;	  /* decoded */
	bool answered;
	unsigned held; /* results that are still to come */
	/* For answers in pieces: the peer has gone, or the daemon stops; no more pieces. */
	void (*on_gone)(void *arg);
	void *on_gone_arg;
};

/* For evhttp: takes a request in and runs its handler. */
void call_start(struct evhttp_request *req, void *control);
/* Ends answers in pieces. */
void call_cut(struct call *call);
/* A connection may have ended. */
void control_look_soon(struct control *control);
/* Tells who waits for it that no call is left. */
void control_check_idle(struct control *control);

/* Until the handler returns, or call_release said true. */
const struct control_context *call_context(const struct call *call);
void call_daemon(const struct call *call, struct control_daemon *out);

/* The first value of a parameter, or NULL. */
const char *call_query(const struct call *call, const char *name);

/* Between the two the call stays. False: nobody waits any more, and the call must not be touched again. */
void call_hold(struct call *call);
MUST_CHECK bool call_release(struct call *call);

/* Each answers the call, which must not be touched afterwards. */
void call_reply(struct call *call, int status, const char *type, struct evbuffer *body_take);
void call_json(struct call *call, int status, json_t *body_take); /* NULL: out of memory, 503 */
void call_error(struct call *call, int status, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void call_no_memory(struct call *call);

/* An answer in pieces. on_gone may come from within call_piece or any later round of the loop. `written` comes when
 * the piece is with the kernel. */
void call_begin(struct call *call, const char *type, void (*on_gone)(void *arg), void *arg);
void call_piece(struct call *call, struct evbuffer *piece,
    void (*written)(struct evhttp_connection *connection, void *arg), void *arg);
void call_end(struct call *call);

/* {"error":{"code":..., "message":...}}; NULL: out of memory. `extra` (NULL is fine) is taken and its members added to
 * the inner object. */
json_t *error_json(const char *code, const char *message, json_t *extra_take);

/* A string for JSON from bytes that may be anything: what is no UTF-8 is escaped as in the log. */
json_t *json_text(struct span text);
/* One line of text per element; empty lines are left out. */
json_t *json_lines(struct span text);
/* Append the document and a line end; false: out of memory. Takes `document`, which may be NULL. */
bool json_add_line(struct evbuffer *out, json_t *document_take);

/* The control interface as data: routes.c. */
extern const struct route_table control_routes;

/* status.c */
void on_ping(struct call *call);
void on_status(struct call *call);
void on_config(struct call *call);
void on_metrics(struct call *call);
void on_reload(struct call *call);
/* queue_list.c */
void on_queue_list(struct call *call);
void on_queue_retry_all(struct call *call);
/* queue.c */
void on_queue_show(struct call *call);
void on_queue_message(struct call *call);
void on_queue_retry(struct call *call);
void on_queue_drop(struct call *call);
void on_queue_hold(struct call *call);
void on_queue_requeue(struct call *call);
/* destinations.c */
void on_destination_list(struct call *call);
void on_destination_show(struct call *call);
void on_destination_pause(struct call *call);
void on_destination_resume(struct call *call);
/* messages.c */
void on_submit(struct call *call);
/* objects.c: of accounts, credentials, identities, configuration sets */
void on_object_list(struct call *call);
void on_object_show(struct call *call);
void on_object_add(struct call *call);
void on_object_change(struct call *call);
void on_object_remove(struct call *call);
void on_limits(struct call *call);
/* Answers with what an admin_done was told. */
void call_failed(struct call *call, const struct why *why);
/* The parameter account=; NULL: answered that it is needed. */
const char *call_account(struct call *call);
/* limit=, or its default; false: answered. */
MUST_CHECK bool call_limit(struct call *call, uint64_t *out);
/* The body as JSON, a new reference; NULL: answered. */
json_t *call_body_json(struct call *call);
/* suppressions.c */
void on_suppressions(struct call *call);
void on_suppress(struct call *call);
void on_unsuppress(struct call *call);
void on_destinations(struct call *call);
void on_destination_put(struct call *call);
void on_destination_remove(struct call *call);
void on_store_rekey(struct call *call);
void on_store_backup(struct call *call);

#endif
