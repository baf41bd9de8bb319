/* queue/fair.h - whose turn it is: deficit round robin over accounts, at a lane and for connections. Core loop only.
 *
 * A stream is what one flow (an account's messages of one configuration set) has ready for one destination. A lane is
 * where streams compete: a site, as seen from one pool of source addresses. In a lane each account has a turn: in its
 * turn it may begin what its weight pays for, then it goes to the end of the line, however much it has waiting. Inside an
 * account transactional streams go before bulk ones, four to one; first attempts and retries have lines of their own.
 *
 * The bound that follows: with N accounts waiting at a lane, an item whose account has nothing else there waits for at
 * most the sum of the others' weights times FAIR_COST_MAX begins of theirs (retries: divided by their share).
 *
 * When connections run out in all, turns leave their lanes and wait in their accounts, and accounts take turns for each
 * connection that becomes free (fair_block, fair_unblock). Nothing here allocates but what is said to, nothing looks at
 * a clock. */
#ifndef QUEUE_FAIR_H
#define QUEUE_FAIR_H

#include "util/hash.h"
#include "util/list.h"

enum fair_kind {
	FAIR_FIRST, /* first attempts */
	FAIR_RETRY,
	FAIR_KINDS
};

enum {
	FAIR_COST_MAX = 8, /* of one item */
	FAIR_WEIGHT_MAX = 1000
};

struct fair_account {
	char *name;
	unsigned weight;     /* 1 to FAIR_WEIGHT_MAX */
	unsigned left;	     /* connections that it may still take in a row */
	size_t refs;	     /* flows */
	struct list blocked; /* turns that wait for a connection */
	struct list node;    /* in the queue's line of accounts that have such */
};

struct fair_turn {
	struct fair_lane *lane;
	struct fair_account *account; /* these bytes are its key in lane->turns */
	size_t refs;		      /* streams that are attached */
	bool is_blocked;
	struct list blocked; /* in account->blocked */
	struct fair_side {
		struct fair_turn *turn;
		struct list node;		 /* in lane->lines[kind], while it has items */
		struct list transactional, bulk; /* streams that have items */
		int64_t deficit;
		unsigned since_bulk;
	} sides[FAIR_KINDS];
};

struct fair_lane {
	struct list lines[FAIR_KINDS]; /* sides, the next in front */
	struct map turns;	       /* by account */
	unsigned credit;	       /* of retries, in percent of an item */
	size_t ready;		       /* items of all streams */
	size_t active[FAIR_KINDS];
};

struct fair_stream {
	struct fair_turn *turn; /* NULL: not attached, its items wait for something else */
	bool is_bulk;
	struct {
		struct list items, node;
		size_t count;
	} sides[FAIR_KINDS];
};

void fair_lane_init(struct fair_lane *lane);
void fair_lane_free(struct fair_lane *lane); /* when it is idle */
/* No stream is attached, and nothing that began is under way. */
bool fair_lane_is_idle(const struct fair_lane *lane);

void fair_account_init(struct fair_account *account, char *name);

void fair_stream_init(struct fair_stream *stream);
/* From now on its items compete in the lane as the account's. It is not attached. RC_LATER: out of memory. */
MUST_CHECK enum rc fair_attach(
    struct fair_stream *stream, struct fair_lane *lane, struct fair_account *account, bool is_bulk);
void fair_detach(struct fair_stream *stream); /* fine when it is not attached */

/* An item of the stream is ready, or is not any more. */
void fair_add(struct fair_stream *stream, enum fair_kind kind, struct list *item);
void fair_remove(struct fair_stream *stream, enum fair_kind kind, struct list *item);

/* The stream whose first item of *kind is to begin next, or NULL: there is none that is not blocked. Of `limit` attempts
 * at a time, `retry_share` percent are for retries as long as both wait, and no more. Charges nothing. */
struct fair_stream *fair_next(
    struct fair_lane *lane, size_t limit, unsigned retry_share, enum fair_kind *kind);
/* The first item begins: its cost is charged, and it is no more in the stream. lane->active counts it until fair_end. */
void fair_begin(
    struct fair_stream *stream, enum fair_kind kind, unsigned cost, unsigned retry_share);
void fair_end(struct fair_lane *lane, enum fair_kind kind);

/* There is no connection for the account's next items at the lane: the turn leaves the lane for its account's list, and
 * the account stands in `accounts`. */
void fair_block(struct fair_turn *turn, struct list *accounts);
/* The turn that gets the next connection, back at the front of its lane; NULL: none waits. */
struct fair_turn *fair_unblock(struct list *accounts);

unsigned fair_cost(uint64_t bytes); /* of an item: 1, and 1 for each 256 KiB of its message */

#endif
