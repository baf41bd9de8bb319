/* queue/internal.h - what the files of queue/ share. */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include <assert.h>
#include <stddef.h>

#include "delivery/channel.h"
#include "queue/fair.h"
#include "queue/learn.h"
#include "queue/queue.h"
#include "queue/reason.h"
#include "queue/state.h"
#include "queue/wheel.h"
#include "util/hash.h"
#include "util/slab.h"

enum item_state {
	ITEM_OVER,   /* nothing is left of it: only the first of a message is kept so */
	ITEM_NEW,    /* in no list yet */
	ITEM_READY,  /* in its stream */
	ITEM_ACTIVE, /* being loaded, or in an attempt */
	ITEM_DEFERRED,
	ITEM_HELD /* in no list: until an operator retries or drops its message */
};

enum {
	ITEM_RECIPIENTS = 64
};

/* Recipients of a message for a destination: those from `base` on, up to ITEM_RECIPIENTS of them. Queues are long: a message
 * with one item is 128 bytes, so what is not needed in the same state has the same place. */
struct queue_item {
	struct stream *stream;
	struct queue_item *next; /* of the same message */
	union {
		/* ITEM_READY: in the stream; ITEM_DEFERRED: in queue->deferred. */
		struct list node;
		/* ITEM_NEW, in replay: when it is due by the wall clock, 0: at once. */
		int64_t replay_ms;
		struct { /* ITEM_NEW, the first: whom to tell that the message is stored */
			queue_callback *callback;
			void *arg;
		};
	};
	uint64_t open; /* bit i: recipient base + i */
	union {
		struct reason *reason; /* last outcome, or NULL */
		struct message *hot;   /* the first, if message->is_hot: before it has a reason */
	};
	/* Monotonic, modulo 2^32. ITEM_NEW: not before, 0: at once; ITEM_READY, ITEM_ACTIVE: since when it waits for a
	 * connection; ITEM_DEFERRED: until when. */
	uint32_t at_ms;
	uint32_t generation; /* of the configuration it was assigned its stream under */
	uint16_t attempts;
	uint8_t state;
	uint8_t base;
	bool is_extra; /* part of an extra_item, not of its message */
};

struct queue_message {
	struct queue_item first;
	struct spool_entry entry;
	struct message_id id;
	/* Monotonic: a wall clock that jumps makes no message old. When it came or, if it has an end of its own, that. */
	int32_t clock_s;
	unsigned has_end : 1;
	unsigned recipient_count : 7;
	unsigned reports : 7; /* about it, on their way to the disk */
	unsigned held : 1;    /* its items become ITEM_HELD instead of ready or deferred */
	unsigned is_hot : 1;  /* its content is still in memory since it came in */
};

/* Another item, of a message with several. */
struct extra_item {
	struct queue_item item;
	struct queue_message *message;
};

static_assert(
    sizeof(struct queue_message) <= 128, "a long queue takes more memory than documented");
static_assert(MESSAGE_RECIPIENTS_MAX < 1 << 7, "recipient_count and reports are too small");
static_assert(MESSAGE_RECIPIENTS_MAX <= UINT8_MAX, "base is too small");

static inline bool
item_has(const struct queue_item *item, size_t i)
{
	return i >= item->base && i - item->base < ITEM_RECIPIENTS &&
	       (item->open >> (i - item->base) & 1) != 0;
}

static inline void
item_add(struct queue_item *item, size_t i)
{
	item->open |= UINT64_C(1) << (i - item->base);
}

static inline void
item_remove(struct queue_item *item, size_t i)
{
	item->open &= ~(UINT64_C(1) << (i - item->base));
}

static inline struct queue_message *
item_message(const struct queue_item *item)
{
	uintptr_t at = (uintptr_t)item; /* not const: the message is the caller's to change */

	return item->is_extra
		   ? ((const struct extra_item *)(const void *)item)->message
		   : (struct queue_message *)(at - offsetof(struct queue_message, first));
}

static inline struct queue_item *
items_from(const struct queue_item *item)
{
	while (item != NULL && item->state == ITEM_OVER)
		item = item->next;
	return (struct queue_item *)(uintptr_t)item; /* as in item_message */
}

static inline bool
message_is_over(const struct queue_message *m)
{
	return items_from(&m->first) == NULL;
}

/* The items that are not over. The one at hand may end, others may not. */
#define ITEMS_FOREACH(each, m) \
	for (struct queue_item *each = items_from(&(m)->first), \
			       *each##_next = each != NULL ? items_from(each->next) : NULL; \
	     each != NULL; \
	     each = each##_next, each##_next = each != NULL ? items_from(each->next) : NULL)

enum destination_kind {
	DESTINATION_REMOTE,
	/* What becomes of a recipient is known, see known.c. */
	DESTINATION_SIMULATOR,
	DESTINATION_SUPPRESSED
};

/* Where recipients are: a domain, or whatever goes to one smarthost. Knows its hosts, and by them its site. */
struct destination {
	struct queue *queue;
	enum destination_kind kind;
	char *key; /* the domain in lower case, "=ROUTE", or "!simulator" and "!suppressed" */
	const struct config_route *route; /* in queue->config, or NULL: MX of the domain */
	bool has_route;			  /* `route` is that of the present configuration */
	struct mx_result *hosts;
	int64_t hosts_until_ms; /* monotonic: then they are looked up again */
	struct mx_wait *lookup;
	struct timer retry;	   /* set: memory was out, everything is tried again then */
	struct exchange *exchange; /* of the last hosts that were found; NULL: there are none */
	int64_t paused_until_ms;   /* monotonic: by an operator */
	char *pause_reason;	   /* owned, or NULL */
	struct list streams;
	size_t items;	   /* of all streams, in whatever state */
	struct list later; /* in queue->later: to be run from the loop */
};

/* What one flow has for one destination: its items there, in whatever state. */
struct stream {
	struct fair_stream fair;
	struct { /* its bytes are the key in queue->streams */
		struct destination *destination;
		struct flow *flow;
	} key;
	struct list of_destination, of_flow;
	size_t items;
};

/* An own address, or one of each family. */
struct source {
	char *name; /* "": those of `delivery`, or as the system chooses */
	const struct config_source
	    *settings; /* in queue->config; NULL for "", and for one that is gone */
	unsigned weight;
};

struct pool {
	char *name; /* "": the default */
	struct source **sources;
	size_t count; /* 0: it is gone */
};

/* The messages of an account that were sent with one configuration set. */
struct flow {
	struct queue *queue;
	struct fair_account *account;
	struct pool *pool;
	struct list streams;
	bool is_bulk;
	size_t key_len;
	char key[]; /* account, NUL, set */
};

/* The hosts that mail of a destination goes to first, by their names: what fails and is paused together. */
struct exchange {
	struct site *site;
	char *key; /* the names, in order, by commas; "=ROUTE" of a smarthost */
	size_t destinations, active;
	unsigned failures;	/* connections that failed in a row */
	struct timer pause;	/* set: begin nothing before */
	int64_t pause_until_ms; /* monotonic; while it is set */
	struct outcome *last;	/* the last failure, owned, or NULL */
};

/* The hosts of one provider: what limits are kept for. */
struct site {
	struct queue *queue;
	char *key;
	bool is_local; /* no host is asked: the outcome is known, or is to be found out */
	struct map exchanges;
	struct list lanes, paths;
};

/* Where streams of one site compete for the source addresses of one pool. */
struct lane {
	struct fair_lane fair;
	struct site *site;
	struct pool *pool;
	struct list node; /* in site->lanes */
};

/* A site as seen from one source address. */
struct path {
	struct site *site;
	struct source *source;
	double begun;	  /* attempts by the weight of the source: the least is next */
	struct list node; /* in site->paths */
	struct list idle; /* slots */
	size_t slots, active;
	size_t open; /* slots that have a connection */
	struct learned learned;
	int64_t used_ms;   /* monotonic: what was learned is kept for a while */
	struct timer wait; /* set: no attempt begins that needs a new connection */
};

/* A channel and where it is kept. */
struct slot {
	struct channel *channel;
	const struct delivery_policy
	    *policy; /* the channel's, which has it as long as it is there */
	struct path *path;
	const struct exchange *exchange; /* of its last attempt; compared, not used */
	struct list node;		 /* in path->idle */
	struct list lru;		 /* in queue->idle_slots, or queue->busy_slots */
	bool is_idle;
	bool is_open; /* as far as the core knows, it has a connection */
	bool cut;     /* the channel has been told to close in the middle of its attempt */
	struct timer idle_timer;
};

/* An item that is active. */
struct running {
	struct queue_item *item;
	struct lane *lane;
	enum fair_kind kind;
	struct path *path;
	struct exchange *exchange; /* NULL: none was known */
	struct slot *slot;	   /* NULL: not yet, or no connection is needed */
	unsigned work;		   /* of spool_work_begin */
	int64_t waited_us;
	bool give_up; /* it is not tried: its time is over */
};

struct queue {
	struct queue_options options;
	struct config *config;
	struct tls_client *tls_client;
	uint32_t generation; /* counts configurations */
	struct map destinations, streams, flows, accounts, sites;
	struct map pools, sources;
	struct list policies; /* struct policy, of the present configuration */
	struct map reasons;
	struct slab messages;
	struct list cursors;
	struct list reports; /* on their way to the disk */
	struct wheel deferred;
	struct timer sweep_timer, later_timer;
	struct list idle_slots, busy_slots, later;
	struct list starved; /* accounts that wait for a connection of the total */
	struct site *local;
	size_t slots, idle_count; /* of these */
	size_t ready, active, message_count, held;
	size_t loading; /* items whose message is being read */
	size_t next_loop;
	uint64_t hot_bytes;
	struct queue_times times;
	unsigned suspect_work; /* of the item of a suspect that is active; 0: none */
	bool started, stopping, cut;
	bool replays_poison; /* the message that replay tells of now is to be held */
	void (*on_idle)(void *arg);
	void *on_idle_arg;
};

static inline struct queue *
message_queue(const struct queue_message *m)
{
	return m->first.stream->key.destination->queue;
}

/* The last outcome; "": none yet. */
static inline const char *
item_reason(const struct queue_item *item)
{
	const struct queue_message *m = item_message(item);

	return item->reason == NULL || (m->is_hot && item == &m->first) ? "" : item->reason->text;
}

static inline struct destination *
item_destination(const struct queue_item *item)
{
	return item->stream->key.destination;
}

/* view.c */
/* The first that is stored, above that number; NULL: there is none. */
struct queue_message *queue_next_message(const struct queue *queue, uint64_t sequence);
/* The queue is being freed: its cursors are at their end. */
void cursors_end(struct queue *queue);

/* message.c */
/* All its items are ITEM_NEW. NULL: out of memory. */
struct queue_message *message_make(struct queue *queue, const struct message *from);
void message_free(struct queue_message *m);
bool message_is_stored(const struct queue_message *m);
/* Keeps the content in memory until its first outcome, when there is room. */
void message_keep_hot(struct queue_message *m, struct message *message);
void message_cool(struct queue_message *m);
int64_t message_left_ms(
    const struct queue_message *m);	/* until it is given up; negative: it is too old */
void item_end(struct queue_item *item); /* extra ones are freed */
void item_set_reason(struct queue_item *item, const char *reason);
void item_make_ready(struct queue_item *item);
void item_defer(struct queue_item *item, int64_t delay_ms);
/* Of an ITEM_NEW: milliseconds until it may be tried. */
int64_t item_wait_ms(const struct queue_item *item);
/* An ITEM_NEW becomes ready, or deferred until it may be tried. */
void item_begin(struct queue_item *item);
void item_hold(struct queue_item *item); /* not while it is active */
void item_on_due(struct queue_item *item);
/* The item was given its stream under an older configuration: recipients whose route has changed become items of their
 * new destinations. True: none is left, the item is over. */
bool item_reroute(struct queue_item *item, const struct message *message);

/* known.c */
enum destination_kind known_kind(
    const struct queue *queue, const struct message *message, const char *address);
void known_outcome(const struct queue_item *item, const char *address, struct outcome *out);

/* outcome.c */
void queue_discard(struct queue_message *message); /* nothing is left to do: recorded, freed */
/* What an attempt (or a cause without one) made of the recipients `index`: writes events, reports failures, records
 * the state, and moves the item on. report may be NULL. */
void item_settle(struct queue_item *item, struct message *message, const uint8_t *index,
    const struct client_recipient *results, size_t count, const struct attempt_report *report,
    int64_t waited_us);
/* Its message cannot be read from the spool now: it stays, tried less and less often. */
void item_unreadable(struct queue_item *item, const char *reason);
void item_put_back(
    struct queue_item *item, const char *reason); /* no fault of the message: soon again */
void reports_free(struct queue *queue);		  /* those on their way: at the end */

/* stream.c: which flow and destination an item is of, and items that become ready. */
/* Of a recipient. NULL: out of memory. */
struct stream *stream_for(struct queue *queue, const struct message *message, const char *address);
void stream_add(struct queue_item *item);    /* a ready one */
void stream_remove(struct queue_item *item); /* it is not ready any more */
/* An item of it may have become ready: it is begun, or what it needs is seen to. */
void stream_run(struct stream *stream);
void flows_refresh(struct queue *queue);
void streams_sweep(struct queue *queue);
void streams_free(struct queue *queue);

/* destination.c: names and their hosts. */
struct destination *destination_for(
    struct queue *queue, const struct message *message, const char *address);
/* Gives the stream its place where its items can begin; what it needs first is looked up. */
void destination_place(struct stream *stream);
/* The stream waits until the hosts are known. */
void destination_await_hosts(struct stream *stream);
bool destination_has_hosts(const struct destination *destination);
bool destination_is_paused(const struct destination *destination);
/* They are asked for again before the next attempt. */
void destination_drop_hosts(struct destination *destination);
/* All that is ready for it, when the callbacks under way have returned: from inside walks of messages. */
void destination_run_later(struct destination *destination);
void destinations_run_later(void *queue); /* of later_timer */
void destinations_reconfigure(struct queue *queue);
void destinations_sweep(struct queue *queue);
void destinations_stop_lookups(struct queue *queue);
void destinations_free(struct queue *queue);

/* site.c: sites, what they are told by, and their limits. */
/* NULL: out of memory. */
struct exchange *exchange_get(struct queue *queue, const struct destination *destination);
/* Whether something may begin there now. */
bool exchange_is_ready(const struct exchange *exchange);
/* How long it is not worth trying. */
int64_t exchange_wait_ms(const struct exchange *exchange);
void exchange_judge(struct exchange *exchange, const struct attempt *attempt);
void exchange_forgive(
    struct exchange *exchange); /* an operator says that it is well; NULL is fine */
struct lane *lane_get(struct site *site, struct pool *pool); /* NULL: out of memory */
/* A path that may have another attempt, and how many it may have in all; NULL: none, and something will run the site
 * when that changes. */
struct path *lane_path(struct lane *lane, size_t *limit);
void path_count(struct path *path); /* one begins */
void path_judge(struct path *path, struct slot *slot, const struct attempt *attempt);
enum rc sites_open(struct queue *queue); /* queue->local */
void sites_reconfigure(struct queue *queue);
void sites_sweep(struct queue *queue);
void sites_free(struct queue *queue);

/* pool.c: own addresses */
MUST_CHECK enum rc pools_configure(struct queue *queue);
/* By name, or the default one when there is none of that name. */
struct pool *pool_find(const struct queue *queue, const char *name);
void pools_free(struct queue *queue);

/* slot.c: connections, kept and shared. */
bool slots_are_free(const struct queue *queue); /* of the total */
/* A slot for an attempt of the item: an idle one of its path, a new one, or one taken from another path. */
struct slot *slot_take(struct running *running);
void slot_give_back(
    struct slot *slot); /* closed, when it has no connection or is of an older configuration */
void slots_close_idle(struct queue *queue);
void slots_cut(struct queue *queue);

/* attempt.c: items begin, and end. */
void lane_run(struct lane *lane);
void site_run(struct site *site); /* all its lanes */
void queue_wake_starved(struct queue *queue);
void queue_check_idle(struct queue *queue); /* after queue_stop: is nothing under way any more? */

#endif
