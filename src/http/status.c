/* http/status.c - calls about the daemon as a whole: ping, status, config, reload. */
#include "config.h"

#include "http/internal.h"

#include <unistd.h>

#include "event/event.h"
#include "http/metrics.h"
#include "util/clock.h"

void
on_ping(struct call *call)
{
	call_json(call, 200, json_pack("{s:s, s:s}", "status", "ok", "version", VERSION));
}

static json_t *
event_counts(void)
{
	json_t *counts = json_object();

	for (int kind = 0; counts != NULL && kind < EVENT_KINDS; kind++)
		if (json_object_set_new(counts, event_name(kind),
			json_integer((json_int_t)event_count(kind))) != 0) {
			json_decref(counts);
			return NULL;
		}
	return counts;
}

/* Those that were not there are left out. */
static json_t *
failure_counts(void)
{
	json_t *counts = json_object();

	for (int i = 0; counts != NULL && i < FAILURE_CLASSES; i++) {
		uint64_t bounced = event_class_count(EVENT_BOUNCE, (enum failure_class)i);
		uint64_t delayed = event_class_count(EVENT_DELAY, (enum failure_class)i);

		if (bounced + delayed > 0 &&
		    json_object_set_new(counts, failure_info((enum failure_class)i)->word,
			json_pack("{s:I, s:I}", event_name(EVENT_BOUNCE), (json_int_t)bounced,
			    event_name(EVENT_DELAY), (json_int_t)delayed)) != 0) {
			json_decref(counts);
			return NULL;
		}
	}
	return counts;
}

static json_t *
queue_counts(const struct queue *queue)
{
	struct queue_stats s;

	queue_stats(queue, &s);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "messages",
	    (json_int_t)s.messages, "held", (json_int_t)s.messages_held, "ready",
	    (json_int_t)s.items_ready, "active", (json_int_t)s.items_active, "deferred",
	    (json_int_t)s.items_deferred, "connections", (json_int_t)s.channels, "destinations",
	    (json_int_t)s.destinations, "sites", (json_int_t)s.sites, "oldest_arrival_time",
	    (json_int_t)(s.oldest_ms / 1000));
}

static json_t *
spool_counts(const struct spool *spool)
{
	struct spool_stats s;

	spool_stats(spool, &s);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:o}", "messages",
	    (json_int_t)s.messages, "segments", (json_int_t)s.segments, "segment_bytes",
	    (json_int_t)s.segment_bytes, "live_bytes", (json_int_t)s.live_bytes, "appends",
	    (json_int_t)s.appends, "syncs", (json_int_t)s.syncs, "disk_free",
	    (json_int_t)s.disk_free, "failing", s.failing ? 1 : 0, "failures",
	    (json_int_t)s.failures, "waiting_outcomes", (json_int_t)s.parked, "failure",
	    json_text(s.failure != NULL ? span_of(s.failure) : SPAN_EMPTY));
}

static json_t *
reload_result(const struct control_daemon *daemon)
{
	if (daemon->reload_ms == 0)
		return json_pack("{s:s}", "result", "none");
	return json_pack("{s:s, s:I, s:o}", "result", daemon->reload_rc == RC_OK ? "ok" : "failed",
	    "time", (json_int_t)(daemon->reload_ms / 1000),
	    daemon->reload_rc == RC_OK ? "restart_needed" : "errors",
	    json_lines(daemon->reload_text));
}

void
on_status(struct call *call)
{
	const struct control_context *context = call_context(call);
	struct control_daemon daemon;

	call_daemon(call, &daemon);
	call_json(call, 200,
	    json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "version",
		VERSION, "pid", (json_int_t)getpid(), "start_time",
		(json_int_t)(daemon.started_ms / 1000), "uptime",
		(json_int_t)((clock_wall_ms() - daemon.started_ms) / 1000), "hostname",
		json_text(span_of(daemon.config->hostname)), "config_file",
		json_text(span_of(daemon.config_path)), "sessions", (json_int_t)daemon.sessions,
		"queue", queue_counts(context->queue), "spool", spool_counts(context->spool),
		"events", event_counts(), "failures", failure_counts(), "reload",
		reload_result(&daemon)));
}

void
on_config(struct call *call)
{
	struct evbuffer *body = evbuffer_new();
	struct buf text = BUF_EMPTY;
	struct control_daemon daemon;

	call_daemon(call, &daemon);
	if (body != NULL && config_dump(daemon.config, false, &text) == RC_OK &&
	    evbuffer_add(body, buf_span(&text).p, buf_len(&text)) == 0) {
		call_reply(call, 200, "text/plain; charset=utf-8", body);
	} else {
		if (body != NULL)
			evbuffer_free(body);
		call_no_memory(call);
	}
	buf_free(&text);
}

void
on_metrics(struct call *call)
{
	struct evbuffer *body = evbuffer_new();
	struct buf text = BUF_EMPTY;

	metrics_write(call_context(call), &text);
	if (body != NULL && !text.failed &&
	    evbuffer_add(body, buf_span(&text).p, buf_len(&text)) == 0) {
		call_reply(call, 200, "text/plain; version=0.0.4; charset=utf-8", body);
	} else {
		if (body != NULL)
			evbuffer_free(body);
		call_no_memory(call);
	}
	buf_free(&text);
}

static void
on_reloaded(void *arg, enum rc rc, struct span text)
{
	struct call *call = arg;

	if (!call_release(call))
		return;
	switch (rc) {
	case RC_OK:
		call_json(call, 200,
		    json_pack(
			"{s:s, s:o}", "status", "reloaded", "restart_needed", json_lines(text)));
		break;
	case RC_BAD:
		call_json(call, 400,
		    error_json("InvalidConfiguration",
			"The configuration has errors; the running one is unchanged.",
			json_pack("{s:o}", "errors", json_lines(text))));
		break;
	default:
		call_json(call, 503,
		    error_json("ServiceUnavailable", "The configuration could not be reloaded now.",
			json_pack("{s:o}", "errors", json_lines(text))));
	}
}

void
on_reload(struct call *call)
{
	const struct control_context *context = call_context(call);

	call_hold(call);
	context->reload(context->arg, on_reloaded, call);
}
