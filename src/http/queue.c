/* http/queue.c - calls about one message of the queue. What is in the spool only is read on a worker; the message may
 * have left the queue when it comes. */
#include "config.h"

#include "http/internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "event/event.h"

static struct queue_message *
find(struct call *call)
{
	struct queue_message *m = queue_find(call_context(call)->queue, span_of(call->part));

	if (m == NULL)
		call_error(
		    call, 404, "NotFound", "There is no message %s in the queue.", call->part);
	return m;
}

/* ------------------------------------------------------------------ show ---------------------- */

static json_t *
recipient_json(
    const struct queue_message *m, const struct message_recipient *recipient, size_t index)
{
	struct queue_recipient_view view;
	struct buf waits_for = BUF_EMPTY;
	json_t *json;

	queue_view_recipient(m, index, &view);
	queue_explain(m, index, &waits_for);
	json = json_pack("{s:o, s:s, s:o, s:o, s:I, s:I}", "address",
	    json_text(span_of(recipient->address)), "state", view.state, "destination",
	    json_text(span_of(view.destination)), "waits_for", json_text(buf_span(&waits_for)),
	    "attempts", (json_int_t)view.attempts, "next_attempt",
	    (json_int_t)(view.due_ms / 1000));
	buf_free(&waits_for);
	/* As in "postqueue -j": there when there is one. */
	if (json != NULL && view.reason[0] != '\0' &&
	    json_object_set_new(json, "delay_reason", json_text(span_of(view.reason))) != 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static json_t *
recipients_json(const struct queue_message *m, const struct message *content)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < content->recipient_count; i++)
		if (json_array_append_new(list, recipient_json(m, &content->recipients[i], i)) !=
		    0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *
tags_json(const struct message *content)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < content->tag_count; i++)
		if (json_array_append_new(list,
			json_pack("{s:o, s:o}", "name", json_text(span_of(content->tags[i].name)),
			    "value", json_text(span_of(content->tags[i].value)))) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *
show_json(struct queue_message *m, const struct message *content)
{
	char qid[EVENT_QUEUE_ID_LEN], id[MESSAGE_ID_LEN + 1];
	struct queue_view view;

	queue_view(m, &view);
	event_queue_id(view.sequence, qid);
	message_id_format(view.id, id);
	return json_pack(
	    "{s:s, s:s, s:I, s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o}",
	    "queue_name", view.state, "queue_id", qid, "arrival_time",
	    (json_int_t)(view.accepted_ms / 1000), "message_size", (json_int_t)content->size,
	    "sender", json_text(span_of(content->sender)), "recipients",
	    recipients_json(m, content), "message_id", id, "account",
	    json_text(span_of(content->account)), "identity", json_text(span_of(content->identity)),
	    "configuration_set", json_text(span_of(content->configuration_set)), "client",
	    json_text(span_of(content->client)), "tags", tags_json(content), "attempts",
	    (json_int_t)view.attempts, "next_attempt", (json_int_t)(view.due_ms / 1000), "reason",
	    json_text(span_of(view.reason)));
}

/* The message that was asked for, when it and who asked are still there; else answered, and NULL. */
static struct queue_message *
loaded(struct call *call, struct message *content, const struct why *why)
{
	struct queue_message *m;

	if (!call_release(call))
		return NULL;
	m = find(call);
	if (m != NULL && content == NULL) {
		call_error(call, 503, "ServiceUnavailable", "%s", why->text);
		return NULL;
	}
	return m;
}

static void
load(struct call *call, spool_load_callback *callback)
{
	struct queue_message *m = find(call);

	if (m == NULL)
		return;
	call_hold(call);
	if (queue_load(m, callback, call) == RC_OK)
		return;
	call->held--;
	call_error(call, 503, "ServiceUnavailable", "The message cannot be read now.");
}

static void
show_loaded(void *arg, struct message *content, const struct why *why)
{
	struct call *call = arg;
	struct queue_message *m = loaded(call, content, why);

	if (m != NULL)
		call_json(call, 200, show_json(m, content));
	message_unref(content);
}

void
on_queue_show(struct call *call)
{
	load(call, show_loaded);
}

/* ------------------------------------------------------------------ content ------------------- */

static void
piece_sent(const void *bytes, size_t len, void *arg)
{
	(void)bytes;
	(void)len;
	message_unref(arg);
}

/* The pieces are not copied: the buffer holds the message. */
static bool
add_content(struct evbuffer *body, struct message *content)
{
	for (size_t i = 0; i < content->piece_count; i++) {
		const struct span *piece = &content->pieces[i];

		if (piece->len == 0)
			continue;
		if (evbuffer_add_reference(
			body, piece->p, piece->len, piece_sent, message_ref(content)) != 0) {
			message_unref(content);
			return false;
		}
	}
	if (content->file_fd >= 0) {
		int fd = dup(content->file_fd); /* the buffer closes it */

		if (fd < 0 || evbuffer_add_file(body, fd, (ev_off_t)content->file_at,
				  (ev_off_t)content->file_size) != 0) {
			if (fd >= 0)
				(void)close(fd);
			return false;
		}
	}
	return true;
}

static void
message_loaded(void *arg, struct message *content, const struct why *why)
{
	struct call *call = arg;
	struct evbuffer *body;

	if (loaded(call, content, why) != NULL) {
		body = evbuffer_new();
		if (body != NULL && add_content(body, content)) {
			call_reply(call, 200, "message/rfc822", body);
		} else {
			if (body != NULL)
				evbuffer_free(body);
			call_no_memory(call);
		}
	}
	message_unref(content);
}

void
on_queue_message(struct call *call)
{
	load(call, message_loaded);
}

/* ------------------------------------------------------------------ changes ------------------- */

void
on_queue_retry(struct call *call)
{
	struct queue_message *m = find(call);

	if (m != NULL)
		call_json(call, 200, json_pack("{s:i}", "retried", queue_release(m) ? 1 : 0));
}

void
on_queue_hold(struct call *call)
{
	struct queue_message *m = find(call);
	const char *reason = call_query(call, "reason");

	if (m == NULL)
		return;
	queue_hold(m, reason != NULL ? reason : "held by an operator");
	call_json(call, 200, json_pack("{s:i}", "held", 1));
}

void
on_queue_requeue(struct call *call)
{
	struct queue_message *m = find(call);

	if (m != NULL)
		call_json(call, 200, json_pack("{s:i}", "requeued", queue_requeue(m) ? 1 : 0));
}

void
on_queue_drop(struct call *call)
{
	struct queue_message *m = find(call);

	if (m == NULL)
		return;
	if (queue_drop(m) == RC_OK)
		call_json(call, 200, json_pack("{s:i}", "dropped", 1));
	else
		call_error(call, 409, "Conflict",
		    "An attempt to deliver message %s is under way; try again.", call->part);
}
