/* filter/ask.c - connections to filter programs: who may have one, how long, and the flow of the message over it.
 * Always true: on_closed comes once for each ask_begin, from the loop; an ask that is not CLOSED has its timer set. */
#include "config.h"

#include "filter/ask.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/endpoint.h"

enum {
	INPUT_MAX = 256 * 1024, /* never reached: all input is used at once */
	CONNECT_AGAIN_MS = 20
};

struct filters {
	struct loop *core;
	struct worker_pool *workers;
	struct list waiting, open;
	size_t open_count;
	bool starting; /* start_next is under way */
	bool cut;
};

struct filters *
filters_new(struct loop *core, struct worker_pool *workers)
{
	struct filters *filters = calloc(1, sizeof *filters);

	if (filters == NULL)
		return NULL;
	filters->core = core;
	filters->workers = workers;
	list_init(&filters->waiting);
	list_init(&filters->open);
	return filters;
}

void
filters_free(struct filters *filters)
{
	free(filters);
}

/* ------------------------------------------------------------------ the end ------------------- */

static void start_next(struct filters *filters);

static void
run_closed(struct loop_msg *msg)
{
	struct ask *ask = container_of(msg, struct ask, msg);

	ask->ops->on_closed(ask);
}

void
ask_close(struct ask *ask, bool polite)
{
	bool had_place = ask->state == ASK_OPEN;

	if (ask->state == ASK_CLOSED)
		return;
	ask->state = ASK_CLOSED;
	list_del(&ask->node);
	timer_cancel(&ask->timer);
	timer_cancel(&ask->again_timer);
	if (polite)
		conn_close(ask->conn);
	else
		conn_free(ask->conn);
	ask->conn = NULL;
	feed_free(ask->feed);
	ask->feed = NULL;
	ask->msg.run = run_closed;
	loop_post(ask->filters->core, &ask->msg);
	if (had_place) {
		ask->filters->open_count--;
		start_next(ask->filters);
	}
}

static void
fail(struct ask *ask, const char *why)
{
	if (ask->state == ASK_CLOSED)
		return;
	ask_close(ask, false);
	ask->ops->on_failed(ask, why);
}

void
filters_cut(struct filters *filters)
{
	struct list *node;

	filters->cut = true;
	while (!list_is_empty(&filters->waiting))
		fail(container_of(filters->waiting.next, struct ask, node), "the daemon stops");
	while ((node = filters->open.next) != &filters->open)
		fail(container_of(node, struct ask, node), "the daemon stops");
}

/* ------------------------------------------------------------------ the message --------------- */

void
ask_pump(struct ask *ask)
{
	struct span chunk;

	if (ask->pumping)
		return; /* called from inside a write below, which goes on itself */
	ask->pumping = true;
	while (ask->state == ASK_OPEN && ask->ops->wants_chunk(ask) &&
	       conn_unsent(ask->conn) <= CONN_LOW_MARK) {
		enum rc rc = feed_next(ask->feed, &chunk);

		if (rc == RC_MORE)
			break;
		if (rc == RC_OK)
			ask->ops->on_chunk(ask, chunk);
		else
			fail(ask, "the message cannot be read back");
	}
	ask->pumping = false;
}

void
ask_write(struct ask *ask, struct buf *bytes)
{
	if (bytes->failed)
		fail(ask, "out of memory");
	else if (ask->state == ASK_OPEN && buf_len(bytes) > 0)
		conn_write(ask->conn, buf_span(bytes));
	buf_clear(bytes);
}

static void
on_feed(void *arg)
{
	ask_pump(arg);
}

/* ------------------------------------------------------------------ the connection ------------ */

static size_t
on_data(void *arg, struct span in)
{
	struct ask *ask = arg;

	if (ask->state == ASK_OPEN)
		ask->ops->on_data(ask, in);
	if (ask->state == ASK_OPEN)
		ask_pump(ask);
	return in.len;
}

static void
on_drained(void *arg)
{
	ask_pump(arg);
}

static void
on_connected(void *arg)
{
	struct ask *ask = arg;

	ask->ops->on_connected(ask);
	ask_pump(ask);
}

static void
on_end(void *arg, enum conn_end how, const char *why)
{
	(void)how;
	fail(arg, why);
}

static const struct conn_ops conn_callbacks = {
	.on_data = on_data,
	.on_drained = on_drained,
	.on_connected = on_connected,
	.on_end = on_end,
};

/* What waits for a place is not the program's fault: only the time for all of it counts then. */
void
ask_extend(struct ask *ask)
{
	int64_t left = ask->end_ms - clock_mono_ms();

	if (ask->state == ASK_CLOSED)
		return;
	if (left < 0)
		left = 0;
	timer_set(
	    &ask->timer, ask->state == ASK_OPEN && ask->timeout_ms < left ? ask->timeout_ms : left);
}

static void
on_deadline(void *arg)
{
	struct ask *ask = arg;

	fail(ask, ask->state == ASK_WAITING ? "too many messages wait for an answer"
					    : "no answer in time");
}

/* A Unix socket does not wait for a place in the queue of its listener, as TCP does: EAGAIN. */
static void
try_to_connect(void *arg)
{
	struct ask *ask = arg;
	struct sockaddr_storage address;
	socklen_t len;
	struct why why = WHY_EMPTY;

	if (!endpoint_parse(
		span_of(ask->endpoint), &address, &len)) { /* the schema has checked it */
		fail(ask, "no address");
		return;
	}
	ask->conn = conn_connect(ask->filters->core, (struct sockaddr *)&address, len, NULL, 0,
	    INPUT_MAX, &conn_callbacks, ask, &why);
	if (ask->conn == NULL && why.err == EAGAIN && address.ss_family == AF_UNIX)
		timer_set(&ask->again_timer, CONNECT_AGAIN_MS);
	else if (ask->conn == NULL)
		fail(ask, why.text);
}

static void
start(struct ask *ask)
{
	ask->state = ASK_OPEN;
	ask->filters->open_count++;
	list_add_tail(&ask->filters->open, &ask->node);
	ask_extend(ask);
	try_to_connect(ask);
}

/* One that fails at once gives its place back while the loop here is under way, which goes on with the next. */
static void
start_next(struct filters *filters)
{
	struct list *node;

	if (filters->starting)
		return;
	filters->starting = true;
	while (filters->open_count < FILTER_AT_ONCE && !filters->cut &&
	       (node = list_pop(&filters->waiting)) != NULL)
		start(container_of(node, struct ask, node));
	filters->starting = false;
}

void
ask_begin(struct ask *ask, struct filters *filters, const struct ask_ops *ops, const char *endpoint,
    int64_t timeout_ms, const struct feed_content *content)
{
	ask->filters = filters;
	ask->ops = ops;
	ask->endpoint = endpoint;
	ask->timeout_ms = timeout_ms;
	ask->end_ms = clock_mono_ms() + FILTER_TOTAL_MS;
	ask->state = ASK_WAITING;
	list_add_tail(&filters->waiting, &ask->node);
	timer_init(&ask->timer, filters->core, on_deadline, ask);
	timer_init(&ask->again_timer, filters->core, try_to_connect, ask);
	ask_extend(ask);
	ask->feed = feed_new(filters->core, filters->workers, content, on_feed, ask);
	if (ask->feed == NULL)
		fail(ask, "out of memory or descriptors");
	else if (filters->cut)
		fail(ask, "the daemon stops");
	else
		start_next(filters);
}
