/* http/queue_list.c - calls that walk the whole queue, a slice in each round of the loop.
 *
 * A listing goes out as one JSON object a line. The next slice is made when the one before is with the kernel, so a slow
 * reader holds one slice in memory, and a queue of millions never holds up the loop. */
#include "config.h"

#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

#include "event/event.h"

enum {
	ROWS_A_SLICE = 256,
	LOOKS_A_SLICE = 2000, /* messages that no filter matched are cheap, not free */
	RETRIES_A_SLICE = 200
};

struct walk {
	struct loop_msg msg;
	bool posted;	   /* msg is in the loop: the walk must stay */
	struct call *call; /* NULL: the peer has gone */
	struct queue_cursor *cursor;
	char *state, *destination, *account, *reason; /* filters, or NULL */
	uint64_t left; /* rows until the limit, or messages retried */
};

static void
walk_free(struct walk *walk)
{
	queue_cursor_free(walk->cursor);
	free(walk->state);
	free(walk->destination);
	free(walk->account);
	free(walk->reason);
	free(walk);
}

static void
post(struct walk *walk)
{
	if (walk->posted)
		return;
	walk->posted = true;
	loop_post(call_context(walk->call)->core, &walk->msg);
}

static bool
copy_filter(const char *value, char **out)
{
	*out = value != NULL ? span_dup(span_of(value)) : NULL;
	return value == NULL || *out != NULL;
}

static struct walk *
walk_new(struct call *call)
{
	struct walk *walk = calloc(1, sizeof *walk);

	if (walk == NULL)
		return NULL;
	walk->call = call;
	walk->cursor = queue_cursor_new(call_context(call)->queue);
	if (walk->cursor == NULL || !copy_filter(call_query(call, "state"), &walk->state) ||
	    !copy_filter(call_query(call, "destination"), &walk->destination) ||
	    !copy_filter(call_query(call, "account"), &walk->account) ||
	    !copy_filter(call_query(call, "reason"), &walk->reason)) {
		walk_free(walk);
		return NULL;
	}
	return walk;
}

static bool
passes(const struct walk *walk, const struct queue_view *view)
{
	return (walk->state == NULL || span_eq(span_of(walk->state), span_of(view->state))) &&
	       (walk->destination == NULL ||
		   queue_is_for(view->message, span_of(walk->destination))) &&
	       (walk->account == NULL || strcmp(walk->account, view->account) == 0) &&
	       (walk->reason == NULL || strcasestr(view->reason, walk->reason) != NULL);
}

/* ------------------------------------------------------------------ listing ------------------- */

/* Names as in "postqueue -j" where the thing is the same. Sender and recipients are in the spool, and not read here. */
static json_t *
row_json(const struct queue_view *view)
{
	char qid[EVENT_QUEUE_ID_LEN], id[MESSAGE_ID_LEN + 1];

	event_queue_id(view->sequence, qid);
	message_id_format(view->id, id);
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o}",
	    "queue_name", view->state, "queue_id", qid, "arrival_time",
	    (json_int_t)(view->accepted_ms / 1000), "message_size", (json_int_t)view->size,
	    "message_id", id, "destination", json_text(span_of(view->destination)), "account",
	    json_text(span_of(view->account)), "recipient_count", (json_int_t)view->recipients,
	    "open_count", (json_int_t)view->open, "attempts", (json_int_t)view->attempts,
	    "next_attempt", (json_int_t)(view->due_ms / 1000), "reason",
	    json_text(span_of(view->reason)));
}

static void
on_gone(void *arg)
{
	struct walk *walk = arg;

	walk->call = NULL;
	if (!walk->posted)
		walk_free(walk);
}

static void
on_written(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	post(arg);
}

static void
finish_list(struct walk *walk)
{
	struct call *call = walk->call;

	walk_free(walk);
	call_end(call);
}

static void
list_slice(struct loop_msg *msg)
{
	struct walk *walk = container_of(msg, struct walk, msg);
	struct evbuffer *rows = evbuffer_new();
	struct queue_view view;
	size_t count = 0, looks = 0;
	bool over = false;

	walk->posted = false;
	if (walk->call == NULL || rows == NULL) {
		if (walk->call == NULL)
			walk_free(walk);
		else
			call_cut(walk->call); /* a list that ends early must not look complete */
		if (rows != NULL)
			evbuffer_free(rows);
		return;
	}
	while (!over && count < ROWS_A_SLICE && looks < LOOKS_A_SLICE) {
		over = walk->left == 0 || !queue_cursor_next(walk->cursor, &view);
		if (over || (looks++, !passes(walk, &view)))
			continue;
		if (!json_add_line(rows, row_json(&view))) {
			evbuffer_free(rows);
			call_cut(walk->call);
			return;
		}
		count++;
		walk->left--;
	}
	if (count > 0)
		call_piece(walk->call, rows, over ? NULL : on_written, walk);
	else if (!over)
		post(walk);
	evbuffer_free(rows);
	if (over)
		finish_list(walk);
}

static bool
parse_limit(const char *text, uint64_t *out)
{
	*out = UINT64_MAX;
	return text == NULL || span_uint(span_of(text), INT64_MAX, out);
}

void
on_queue_list(struct call *call)
{
	const char *state = call_query(call, "state");
	struct walk *walk;
	uint64_t limit;

	if (!parse_limit(call_query(call, "limit"), &limit)) {
		call_error(call, 400, "BadRequest", "limit must be a number.");
		return;
	}
	if (state != NULL && !span_eq(span_of(state), SPAN_LIT("active")) &&
	    !span_eq(span_of(state), SPAN_LIT("deferred")) &&
	    !span_eq(span_of(state), SPAN_LIT("held"))) {
		call_error(call, 400, "BadRequest", "state must be active, deferred or held.");
		return;
	}
	walk = walk_new(call);
	if (walk == NULL) {
		call_no_memory(call);
		return;
	}
	walk->left = limit;
	walk->msg.run = list_slice;
	call_begin(call, "application/x-ndjson", on_gone, walk);
	post(walk);
}

/* ------------------------------------------------------------------ retry of many ------------- */

/* Goes on to the end even when the peer has gone: what was asked for is done. */
static void
retry_slice(struct loop_msg *msg)
{
	struct walk *walk = container_of(msg, struct walk, msg);
	struct call *call = walk->call;
	struct span destination =
	    walk->destination != NULL ? span_of(walk->destination) : SPAN_EMPTY;
	struct queue_view view;

	walk->posted = false;
	if (call->control == NULL) { /* the daemon ends */
		walk_free(walk);
		(void)!call_release(call);
		return;
	}
	for (size_t looks = 0; looks < RETRIES_A_SLICE; looks++) {
		if (!queue_cursor_next(walk->cursor, &view)) {
			json_int_t retried = (json_int_t)walk->left;

			walk_free(walk);
			if (call_release(call))
				call_json(call, 200, json_pack("{s:I}", "retried", retried));
			return;
		}
		if (queue_retry(view.message, destination))
			walk->left++;
	}
	post(walk);
}

void
on_queue_retry_all(struct call *call)
{
	const char *destination = call_query(call, "destination");
	struct walk *walk;

	if (destination != NULL &&
	    destination[0] == '\0') { /* a script's empty variable does not mean everything */
		call_error(call, 400, "BadRequest", "destination must not be empty.");
		return;
	}
	walk = walk_new(call);
	if (walk == NULL) {
		call_no_memory(call);
		return;
	}
	walk->msg.run = retry_slice;
	call_hold(call);
	post(walk);
}
