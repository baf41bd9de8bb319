/* queue/internal.h - what the files of queue/ share. */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include "delivery/channel.h"
#include "queue/queue.h"
#include "queue/state.h"
#include "util/hash.h"

/* A set of recipients of one message, by index. */
struct recipient_set {
	uint64_t bits[2];
};

static inline void
set_add(struct recipient_set *set, size_t i)
{
	set->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void
set_remove(struct recipient_set *set, size_t i)
{
	set->bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static inline bool
set_has(const struct recipient_set *set, size_t i)
{
	return (set->bits[i / 64] >> (i % 64) & 1) != 0;
}

static inline bool
set_is_empty(const struct recipient_set *set)
{
	return set->bits[0] == 0 && set->bits[1] == 0;
}

enum item_state {
	ITEM_READY,
	ITEM_ACTIVE,
	ITEM_DEFERRED,
	ITEM_HELD /* in no list: until an operator retries or drops its message */
};

struct queue_item {
	struct queue_message *message;
	struct site *site;
	struct queue_item *next; /* of the same message */
	struct list node;     /* ITEM_READY: in site->ready; waiting for hosts: in site->waiting */
	struct heap_node due; /* ITEM_DEFERRED: in queue->deferred, monotonic ms */
	struct recipient_set open;
	char *reason;	  /* last outcome, owned, or NULL */
	int64_t ready_us; /* monotonic: since when it waits for a slot */
	uint16_t attempts;
	uint16_t work; /* ITEM_ACTIVE: of spool_work_begin */
	uint8_t state;
	uint32_t generation; /* of the configuration it was assigned its site under */
};

struct queue_message {
	struct spool_entry entry;
	struct message_id id;
	struct queue *queue;
	struct list node;    /* in queue->messages */
	struct message *hot; /* still in memory since it came in, or NULL */
	struct queue_item *items;
	int64_t max_age_ms; /* 0: the default */
	int32_t born_s;	    /* monotonic: a wall clock that jumps makes no message old */
	uint16_t recipient_count;
	uint16_t reports; /* about it, on their way to the disk */
	bool committed;
	bool poison; /* found at the start, to be held */
	bool held;   /* its items become ITEM_HELD instead of ready or deferred */
	/* Between queue_submit and the commit. */
	queue_callback *callback;
	void *arg;
};

/* Destinations that share a way of delivery: one domain, or all that go to one smarthost. */
struct site {
	struct queue *queue;
	char *key;			  /* the domain in lower case, or "=ROUTE" */
	const struct config_route *route; /* in policy->config, or NULL: MX of the domain */
	struct delivery_policy *policy;	  /* NULL: to be made from the present configuration */
	struct list ready;		  /* items */
	struct list waiting; /* items whose message is loaded and that wait for the hosts */
	size_t items;	     /* that belong here, in whatever state */
	size_t ready_count, active;
	struct list idle; /* slots */
	size_t slots;
	struct mx_result *hosts;
	struct mx_wait *lookup;
	unsigned failures;   /* connections that failed in a row */
	struct timer pause;  /* set: begin nothing before */
	struct list starved; /* in queue->starved: waits for a connection of the total */
	struct list later;   /* in queue->later: to be run from the loop */
};

/* A channel and where it is kept. */
struct slot {
	struct channel *channel;
	const struct delivery_policy *policy; /* the channel's; compared, not used */
	struct site *site;
	struct list node; /* in site->idle */
	struct list lru;  /* in queue->idle_slots, or queue->busy_slots */
	bool cut;	  /* the channel has been told to close in the middle of its attempt */
	struct timer idle_timer;
};

struct queue {
	struct queue_options options;
	struct config *config;
	struct tls_client *tls_client;
	uint32_t generation; /* counts configurations */
	struct map sites;
	struct list messages;
	struct list cursors;
	struct list reports; /* on their way to the disk */
	struct heap deferred;
	struct timer due_timer, sweep_timer, later_timer;
	struct list idle_slots, busy_slots, starved, later;
	size_t slots, ready, active, message_count, held;
	size_t next_loop;
	uint64_t hot_bytes;
	unsigned suspect_work; /* of the item of a suspect that is active; 0: none */
	bool started, stopping, cut;
	void (*on_idle)(void *arg);
	void *on_idle_arg;
};

/* view.c: before the message leaves queue->messages. */
void cursors_leave(struct queue *queue, const struct queue_message *message);
/* The queue is being freed: its cursors are at their end. */
void cursors_end(struct queue *queue);

/* queue.c */
void queue_discard(struct queue_message *message); /* nothing is left to do: recorded, freed */
void item_make_ready(struct queue_item *item);
void item_defer(struct queue_item *item, int64_t delay_ms);
/* What an attempt (or a cause without one) made of the recipients `index`: writes events, reports failures, records
 * the state, and moves the item on. report may be NULL. */
void item_settle(struct queue_item *item, struct message *message, const uint8_t *index,
    const struct client_recipient *results, size_t count, const struct attempt_report *report,
    int64_t waited_us);
/* The item was given its site under an older configuration: recipients whose route has changed become items of their
 * new sites. True: none is left, the item is freed. */
bool item_reroute(struct queue_item *item, const struct message *message);
/* The message is set aside until an operator decides. */
void queue_hold(struct queue_message *message, const char *reason);
/* Its message cannot be read from the spool now: it stays, tried less and less often. */
void item_unreadable(struct queue_item *item, const char *reason);
void item_put_back(
    struct queue_item *item, const char *reason); /* no fault of the message: soon again */

/* site.c */
struct site *site_for(struct queue *queue, struct span domain); /* NULL: out of memory */
void site_add(struct site *site, struct queue_item *item);	/* a ready item */
void site_remove(struct site *site, struct queue_item *item);	/* from ready */
void site_run(struct site *site);
/* The same when the callbacks under way have returned: from inside walks of messages or sites. */
void site_run_later(struct site *site);
void sites_run_later(void *queue); /* of later_timer */
void sites_reconfigure(struct queue *queue);
void sites_sweep(struct queue *queue);
void sites_free(struct queue *queue);
void sites_close_channels(struct queue *queue);
void sites_stop_lookups(struct queue *queue);
void sites_cut(struct queue *queue);
void queue_check_idle(struct queue *queue); /* after queue_stop: is nothing under way any more? */

#endif
