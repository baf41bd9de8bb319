/* filter/scan.c - a message's visit to clamd: filter/clamd.c over a connection. */
#include "config.h"

#include "filter/ask.h"
#include "filter/clamd.h"

#include <stdio.h>
#include <stdlib.h>

struct scan {
	struct ask ask;
	struct clamd clamd;
	struct buf out;
	filter_callback *callback;
	void *arg;
};

static struct scan *
scan_of(struct ask *ask)
{
	return container_of(ask, struct scan, ask);
}

static void
on_connected(struct ask *ask)
{
	struct scan *scan = scan_of(ask);

	clamd_begin(&scan->clamd, &scan->out);
	ask_write(ask, &scan->out);
}

static bool
wants_chunk(const struct ask *ask)
{
	return container_of(ask, struct scan, ask)->clamd.state == CLAMD_STREAM;
}

static void
on_chunk(struct ask *ask, struct span chunk)
{
	struct scan *scan = scan_of(ask);

	if (chunk.len > 0)
		clamd_chunk(&scan->clamd, chunk, &scan->out);
	else
		clamd_end(&scan->clamd, &scan->out);
	ask_extend(ask);
	ask_write(ask, &scan->out);
}

static void
on_data(struct ask *ask, struct span in)
{
	struct scan *scan = scan_of(ask);

	clamd_feed(&scan->clamd, in);
	if (scan->clamd.state > CLAMD_REPLY)
		ask_close(ask, false);
}

static void
on_failed(struct ask *ask, const char *why)
{
	clamd_closed(&scan_of(ask)->clamd, why);
}

static void
on_closed(struct ask *ask)
{
	static const enum filter_verdict verdicts[] = {
		[CLAMD_CLEAN] = FILTER_PASS,
		[CLAMD_VIRUS] = FILTER_DROP,
		[CLAMD_FAILED] = FILTER_FAILED,
	};
	struct scan *scan = scan_of(ask);
	struct filter_result result = { .verdict = verdicts[scan->clamd.state] };

	(void)snprintf(result.text, sizeof result.text, "%s", scan->clamd.text);
	scan->callback(scan->arg, &result);
	buf_free(&scan->out);
	free(scan);
}

static const struct ask_ops ops = {
	.on_connected = on_connected,
	.on_data = on_data,
	.wants_chunk = wants_chunk,
	.on_chunk = on_chunk,
	.on_failed = on_failed,
	.on_closed = on_closed,
};

enum rc
filter_ask_clamd(struct filters *filters, const char *endpoint, int64_t timeout_ms,
    const struct filter_message *message, filter_callback *callback, void *arg)
{
	struct feed_content content = { message->pieces, message->piece_count, message->file_fd,
		message->file_at, message->file_size };
	struct scan *scan = calloc(1, sizeof *scan);

	if (scan == NULL)
		return RC_LATER;
	scan->callback = callback;
	scan->arg = arg;
	ask_begin(&scan->ask, filters, &ops, endpoint, timeout_ms, &content);
	return RC_OK;
}
