/* queue/queue.h - every accepted message until nothing is left to do for it. Core loop only.
 *
 * A recipient that is not settled is in exactly one state: ready, in attempt, or deferred until a time. Recipients of
 * one message for one destination form an item: they are tried together and share the deadline.
 *
 * Destinations whose mail goes first to the same hosts are one site, which has one learned number of connections. The
 * accounts that have something for a site take turns there, and for connections when they run out in all: how long one
 * waits for another's queue has a bound, see queue/fair.h. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "config/config.h"
#include "dns/mx.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/worker.h"
#include "spool/spool.h"
#include "util/histogram.h"
#include "wire/outcome.h"

struct queue;

/* How the messages of an account with a configuration set ("": none) compete with others. */
struct queue_flow_settings {
	unsigned weight; /* of the account */
	bool is_bulk;	 /* behind the account's transactional ones */
	const char *
	    pool; /* of own addresses, until the loop goes on; "" or one that is not there: the default */
};

struct queue_options {
	struct loop *core;
	struct loop **loops; /* connection loops, borrowed */
	size_t loop_count;
	struct worker_pool *workers;
	struct spool *spool;
	struct mx_cache *mx;
	/* Counts messages found at start against the quotas; NULL: nobody asks. */
	void (*on_replayed)(void *arg, const struct message *envelope);
	/* Whether the account of the message has the recipient on its suppression list, for a reason that counts; of
	 * "@example.com", which stands for any address in it, whether it may have. NULL: nobody is. */
	bool (*is_suppressed)(void *arg, const struct message *envelope, const char *address);
	/* Fills what differs from the defaults; NULL: nothing does. Asked again by queue_flows_changed. */
	void (*flow_settings)(
	    void *arg, const char *account, const char *set, struct queue_flow_settings *settings);
	/* A recipient has failed for good; NULL: nobody asks. */
	void (*on_failed)(void *arg, const struct message *message, const char *address,
	    const struct outcome *outcome);
	void *arg;
};

MUST_CHECK enum rc queue_new(const struct queue_options *options, struct config *config,
    struct tls_client *tls_client, struct queue **out, struct why *why);
/* When no channel is left (queue_stop): frees everything; messages stay in the spool. */
void queue_free(struct queue *queue);

/* New routes, limits and TLS contexts for attempts that begin from now on. Takes its own references. */
void queue_configure(struct queue *queue, struct config *config, struct tls_client *tls_client);

/* What flow_settings says may be another now, for messages that wait, too. */
void queue_flows_changed(struct queue *queue);

/* For spool_replay, with the queue as argument; then queue_start begins the deliveries. */
extern const struct spool_replay_ops queue_replay_ops;
void queue_start(struct queue *queue);

/* Begin no attempt; on_idle is called when the last one under way has ended. */
void queue_stop(struct queue *queue, void (*on_idle)(void *arg), void *arg);

/* After queue_stop: end the attempts that are still under way; what becomes of them is not known, and they are tried
 * again after the next start. on_idle follows soon. */
void queue_cut(struct queue *queue);

/* Store durably, then deliver. The callback comes when the message is on disk (RC_OK), or is not (why has the
 * reply). Takes its own reference. RC_LATER: the callback will not come. */
typedef void queue_callback(void *arg, enum rc rc, uint64_t sequence, const struct why *why);
MUST_CHECK enum rc queue_submit(struct queue *queue, struct message *message,
    queue_callback *callback, void *arg, struct why *why);

/* ---- for the control interface ---- */

struct queue_message;

/* Borrowed from the message: good until the loop goes on. */
struct queue_view {
	struct queue_message *message;
	const struct message_id *id;
	uint64_t sequence;
	int64_t accepted_ms, due_ms; /* wall clock; due of the next item, 0: at once */
	uint64_t size;		     /* of the record in the spool */
	const char *state;	     /* "active", "deferred", "held" */
	const char *destination;     /* of the first open item */
	const char *account;	     /* "" when accounts do not take turns (delivery.fair) */
	unsigned attempts, recipients, open;
	const char *reason; /* last outcome of the first open item, or "" */
};

/* Walks the messages in order of acceptance, over as many rounds of the loop as the caller likes: messages may come
 * and go meanwhile; one that is there all the time is seen exactly once. A cursor of a queue that was freed is at its
 * end. */
struct queue_cursor;
struct queue_cursor *queue_cursor_new(struct queue *queue); /* NULL: out of memory */
bool queue_cursor_next(struct queue_cursor *cursor, struct queue_view *out); /* false: the end */
void queue_cursor_free(struct queue_cursor *cursor);			     /* NULL is fine */

/* `id`: a message id (a walk over the queue), or the queue id of the log (at once). NULL: no such message. */
struct queue_message *queue_find(struct queue *queue, struct span id);
void queue_view(struct queue_message *message, struct queue_view *out);
/* Whether anything of the message waits for that destination. */
bool queue_is_for(const struct queue_message *message, struct span destination);

/* One recipient, by its index in the message; its address is in the spool (queue_load). */
struct queue_recipient_view {
	const char *state;	 /* "active", "deferred", "held", "done" */
	const char *destination; /* "" when done */
	const char *reason;	 /* last outcome, or "" */
	int64_t due_ms;		 /* wall clock; 0: at once, or done */
	unsigned attempts;
};
void queue_view_recipient(
    const struct queue_message *message, size_t index, struct queue_recipient_view *out);

/* Read it back from the spool: RC_LATER when that cannot be started. */
MUST_CHECK enum rc queue_load(
    struct queue_message *message, spool_load_callback *callback, void *arg);
/* Everything deferred (for `destination` only, unless that is empty) is due now; false when nothing was. */
bool queue_retry(struct queue_message *message, struct span destination);
/* The same for one message that an operator has named: it is not held any more. */
bool queue_release(struct queue_message *message);
/* The message is set aside, with this reason, until an operator decides; over restarts, too. */
void queue_hold(struct queue_message *message, const char *reason);
/* As if it had just come: no attempts yet, hosts looked up again, the route of the present configuration. What is being
 * tried stays as it is; false when that is all. */
bool queue_requeue(struct queue_message *message);
/* What a recipient waits for, as the rest of a sentence. Appended. */
void queue_explain(const struct queue_message *message, size_t index, struct buf *out);
/* Give the message up without a report to anyone. RC_LATER when an attempt is under way, or
 * a report on it. */
MUST_CHECK enum rc queue_drop(struct queue_message *message);

struct queue_stats {
	uint64_t messages, messages_held, items_ready, items_active, items_deferred, channels,
	    destinations, sites;
	int64_t oldest_ms; /* wall clock of the oldest message, 0: none */
};
void queue_stats(const struct queue *queue, struct queue_stats *out);

/* How long items waited for their turn and a connection, by what they are; how long attempts took that reached a host.
 * Since the start. */
struct queue_times {
	struct histogram wait[2][2]; /* [retry][bulk] */
	struct histogram attempt;
};
const struct queue_times *queue_times(const struct queue *queue);

/* Until the loop goes on. */
struct queue_destination_view {
	const char *destination, *site; /* site: "" when its hosts are not known */
	uint64_t items, ready;		/* of these */
	int64_t paused_ms;		/* by an operator, for so long; 0: it is not */
	const char *pause_reason;
	const struct outcome
	    *failure; /* the last one of its hosts, when they cannot be reached; or NULL */
};
/* Those that have messages or are paused. */
void queue_each_destination(const struct queue *queue,
    void (*each)(void *arg, const struct queue_destination_view *view), void *arg);
bool queue_view_destination(
    const struct queue *queue, const char *name, struct queue_destination_view *out);

/* Begin no attempt for it for so long; what waits has times of its own meanwhile, and ends with them. A restart forgets
 * it. RC_LATER: out of memory. */
MUST_CHECK enum rc queue_pause(
    struct queue *queue, const char *destination, int64_t for_ms, const char *reason);
bool queue_resume(struct queue *queue, const char *destination); /* false: it was not paused */

/* A site as seen from one source address; until the loop goes on. */
struct queue_site_view {
	const char *site;   /* the names of its best hosts, or "=ROUTE" */
	const char *source; /* of a pool, or "" */
	uint64_t ready;	    /* items that wait for it, with all sources of their pools */
	uint64_t active, connections;
	unsigned limit; /* connections that it takes, as far as is known */
	bool paused;	/* some of its hosts cannot be reached */
};
void queue_each_site(const struct queue *queue,
    void (*each)(void *arg, const struct queue_site_view *view), void *arg);

/* ---- for tests ---- */

/* RC_BUG with why when something that should always be true is not: every open recipient in one item, every item in one
 * state with something that moves it on, every sum right. Between two rounds of the loop. */
MUST_CHECK enum rc queue_audit(const struct queue *queue, struct why *why);

#endif
