/* filter/consult.c - a message's visit to a milter: filter/milter.c over a connection of its own. */
#include "config.h"

#include "filter/ask.h"
#include "filter/milter.h"

#include <stdlib.h>

struct consult {
	struct ask ask;
	struct milter milter;
	struct buf out;
	filter_callback *callback;
	void *arg;
};

static struct consult *
consult_of(struct ask *ask)
{
	return container_of(ask, struct consult, ask);
}

/* Sends what the milter is to hear; with a result in hand, farewell, too. */
static void
say(struct consult *c)
{
	static const struct span quit = SPAN_LIT("\0\0\0\1Q");
	bool over = c->milter.state == MILTER_OVER;

	if (over)
		buf_add_span(&c->out, quit);
	ask_write(&c->ask, &c->out);
	if (over)
		ask_close(&c->ask, true);
}

static void
on_connected(struct ask *ask)
{
	say(consult_of(ask)); /* the options, which milter_begin has put there */
}

static void
on_data(struct ask *ask, struct span in)
{
	struct consult *c = consult_of(ask);

	ask_extend(ask);
	milter_feed(&c->milter, in, &c->out);
	say(c);
}

static bool
wants_chunk(const struct ask *ask)
{
	return milter_wants_chunk(&container_of(ask, struct consult, ask)->milter);
}

static void
on_chunk(struct ask *ask, struct span chunk)
{
	struct consult *c = consult_of(ask);

	ask_extend(ask);
	milter_chunk(&c->milter, chunk, &c->out);
	say(c);
}

static void
on_failed(struct ask *ask, const char *why)
{
	milter_closed(&consult_of(ask)->milter, why);
}

static void
on_closed(struct ask *ask)
{
	struct consult *c = consult_of(ask);

	c->callback(c->arg, &c->milter.result);
	milter_free(&c->milter);
	buf_free(&c->out);
	free(c);
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
filter_ask_milter(struct filters *filters, const char *endpoint, int64_t timeout_ms,
    const struct filter_message *message, const struct filter_envelope *envelope, size_t max_body,
    filter_callback *callback, void *arg)
{
	struct span header = span_first(message->pieces[0], message->pieces[0].len - 2);
	struct feed_content body = { message->pieces + 1, message->piece_count - 1,
		message->file_fd, message->file_at, message->file_size };
	struct consult *c = calloc(1, sizeof *c);
	enum rc rc;

	if (c == NULL)
		return RC_LATER;
	c->callback = callback;
	c->arg = arg;
	rc = milter_begin(&c->milter, envelope, header, max_body, &c->out);
	if (rc != RC_OK) {
		milter_free(&c->milter);
		buf_free(&c->out);
		free(c);
		return rc;
	}
	ask_begin(&c->ask, filters, &ops, endpoint, timeout_ms, &body);
	return RC_OK;
}
