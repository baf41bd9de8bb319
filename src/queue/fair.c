/* queue/fair.c - see fair.h.
 *
 * Always true: a side is in its lane's line exactly when it has items and its turn is not blocked; a stream is in a list
 * of its side exactly when it is attached and has items of that kind. */
#include "config.h"

#include "queue/fair.h"

#include <stdlib.h>

enum {
	COST_BYTES = 256 * 1024,
	BULK_EVERY = 5, /* of so many begins one is bulk, when both wait */
	CREDIT_FULL = 100
};

void
fair_lane_init(struct fair_lane *lane)
{
	*lane = (struct fair_lane){ .credit = 0 };
	for (int kind = 0; kind < FAIR_KINDS; kind++)
		list_init(&lane->lines[kind]);
}

void
fair_lane_free(struct fair_lane *lane)
{
	map_free(&lane->turns);
}

bool
fair_lane_is_idle(const struct fair_lane *lane)
{
	return lane->turns.len == 0 && lane->active[FAIR_FIRST] + lane->active[FAIR_RETRY] == 0;
}

void
fair_account_init(struct fair_account *account, char *name)
{
	*account = (struct fair_account){ .name = name, .weight = 1 };
	list_init(&account->blocked);
	list_init(&account->node);
}

void
fair_stream_init(struct fair_stream *stream)
{
	*stream = (struct fair_stream){ .turn = NULL };
	for (int kind = 0; kind < FAIR_KINDS; kind++) {
		list_init(&stream->sides[kind].items);
		list_init(&stream->sides[kind].node);
	}
}

unsigned
fair_cost(uint64_t bytes)
{
	uint64_t cost = 1 + bytes / COST_BYTES;

	return cost > FAIR_COST_MAX ? FAIR_COST_MAX : (unsigned)cost;
}

/* ------------------------------------------------------------------ turns --------------------- */

static bool
side_is_empty(const struct fair_side *side)
{
	return list_is_empty(&side->transactional) && list_is_empty(&side->bulk);
}

/* Into the line, at its end, or out of it: as the side has items. */
static void
side_place(struct fair_turn *turn, enum fair_kind kind)
{
	struct fair_side *side = &turn->sides[kind];

	if (side_is_empty(side)) {
		list_del(&side->node);
		side->deficit = 0;
		if (turn->is_blocked && side_is_empty(&turn->sides[kind ^ 1])) {
			turn->is_blocked = false;
			list_del(&turn->blocked);
			if (list_is_empty(&turn->account->blocked))
				list_del(&turn->account->node);
		}
	} else if (!turn->is_blocked && list_is_empty(&side->node)) {
		list_add_tail(&turn->lane->lines[kind], &side->node);
	}
}

static struct span
turn_key(struct fair_account *const *account)
{
	return span_make((const char *)account, sizeof *account);
}

static struct fair_turn *
turn_get(struct fair_lane *lane, struct fair_account *account)
{
	struct fair_turn *turn = map_get(&lane->turns, turn_key(&account));

	if (turn != NULL)
		return turn;
	turn = calloc(1, sizeof *turn);
	if (turn == NULL)
		return NULL;
	turn->lane = lane;
	turn->account = account;
	list_init(&turn->blocked);
	for (int kind = 0; kind < FAIR_KINDS; kind++) {
		struct fair_side *side = &turn->sides[kind];

		side->turn = turn;
		list_init(&side->node);
		list_init(&side->transactional);
		list_init(&side->bulk);
	}
	if (map_put(&lane->turns, turn_key(&turn->account), turn) != RC_OK) {
		free(turn);
		return NULL;
	}
	return turn;
}

static void
turn_put(struct fair_turn *turn)
{
	if (--turn->refs > 0)
		return;
	(void)map_del(&turn->lane->turns, turn_key(&turn->account));
	free(turn);
}

/* ------------------------------------------------------------------ streams ------------------- */

static void
stream_place(struct fair_stream *stream, enum fair_kind kind)
{
	struct fair_turn *turn = stream->turn;
	struct list *node = &stream->sides[kind].node;

	if (turn == NULL)
		return;
	if (list_is_empty(&stream->sides[kind].items))
		list_del(node);
	else if (list_is_empty(node))
		list_add_tail(
		    stream->is_bulk ? &turn->sides[kind].bulk : &turn->sides[kind].transactional,
		    node);
	side_place(turn, kind);
}

enum rc
fair_attach(
    struct fair_stream *stream, struct fair_lane *lane, struct fair_account *account, bool is_bulk)
{
	stream->turn = turn_get(lane, account);
	if (stream->turn == NULL)
		return RC_LATER;
	stream->turn->refs++;
	stream->is_bulk = is_bulk;
	lane->ready += stream->sides[FAIR_FIRST].count + stream->sides[FAIR_RETRY].count;
	for (int kind = 0; kind < FAIR_KINDS; kind++)
		stream_place(stream, (enum fair_kind)kind);
	return RC_OK;
}

void
fair_detach(struct fair_stream *stream)
{
	struct fair_turn *turn = stream->turn;

	if (turn == NULL)
		return;
	stream->turn = NULL;
	turn->lane->ready -= stream->sides[FAIR_FIRST].count + stream->sides[FAIR_RETRY].count;
	for (int kind = 0; kind < FAIR_KINDS; kind++) {
		list_del(&stream->sides[kind].node);
		side_place(turn, (enum fair_kind)kind);
	}
	turn_put(turn);
}

void
fair_add(struct fair_stream *stream, enum fair_kind kind, struct list *item)
{
	list_add_tail(&stream->sides[kind].items, item);
	if (stream->turn != NULL)
		stream->turn->lane->ready++;
	if (stream->sides[kind].count++ == 0)
		stream_place(stream, kind);
}

void
fair_remove(struct fair_stream *stream, enum fair_kind kind, struct list *item)
{
	list_del(item);
	if (stream->turn != NULL)
		stream->turn->lane->ready--;
	if (--stream->sides[kind].count == 0)
		stream_place(stream, kind);
}

/* ------------------------------------------------------------------ the next one -------------- */

/* The first side that has something left to spend: the others are paid for their next turn. */
static struct fair_side *
side_next(struct list *line)
{
	for (;;) {
		struct fair_side *side = container_of(line->next, struct fair_side, node);

		if (side->deficit > 0)
			return side;
		side->deficit += side->turn->account->weight;
		if (side->deficit > 0)
			return side;
		list_del(&side->node);
		list_add_tail(line, &side->node);
	}
}

static bool
bulk_is_next(const struct fair_side *side)
{
	if (list_is_empty(&side->transactional) || list_is_empty(&side->bulk))
		return list_is_empty(&side->transactional);
	return side->since_bulk >= BULK_EVERY - 1;
}

static bool
retry_is_next(const struct fair_lane *lane, size_t limit, unsigned retry_share)
{
	size_t most = limit * retry_share / 100;

	if (list_is_empty(&lane->lines[FAIR_FIRST]) || list_is_empty(&lane->lines[FAIR_RETRY]))
		return list_is_empty(&lane->lines[FAIR_FIRST]);
	return lane->credit >= CREDIT_FULL && lane->active[FAIR_RETRY] < (most > 0 ? most : 1);
}

struct fair_stream *
fair_next(struct fair_lane *lane, size_t limit, unsigned retry_share, enum fair_kind *kind)
{
	struct fair_side *side;
	struct list *streams;

	*kind = retry_is_next(lane, limit, retry_share) ? FAIR_RETRY : FAIR_FIRST;
	if (list_is_empty(&lane->lines[*kind]))
		return NULL;
	side = side_next(&lane->lines[*kind]);
	streams = bulk_is_next(side) ? &side->bulk : &side->transactional;
	return container_of(streams->next, struct fair_stream, sides[*kind].node);
}

/* First attempts earn retries their share of what begins. */
static void
give_credit(struct fair_lane *lane, enum fair_kind kind, unsigned retry_share)
{
	if (kind == FAIR_RETRY)
		lane->credit -= lane->credit < CREDIT_FULL ? lane->credit : CREDIT_FULL;
	else if (!list_is_empty(&lane->lines[FAIR_RETRY]) && lane->credit < 2 * CREDIT_FULL)
		lane->credit += retry_share;
}

void
fair_begin(struct fair_stream *stream, enum fair_kind kind, unsigned cost, unsigned retry_share)
{
	struct fair_turn *turn = stream->turn;
	struct fair_side *side = &turn->sides[kind];
	struct list *node = &stream->sides[kind].node;

	give_credit(turn->lane, kind, retry_share);
	side->deficit -= cost;
	side->since_bulk = stream->is_bulk ? 0 : side->since_bulk + 1;
	turn->lane->active[kind]++;
	/* The account's other streams come before this one again. */
	list_del(node);
	list_add_tail(stream->is_bulk ? &side->bulk : &side->transactional, node);
	if (side->deficit <= 0) {
		list_del(&side->node);
		list_add_tail(&turn->lane->lines[kind], &side->node);
	}
	fair_remove(stream, kind, stream->sides[kind].items.next);
}

void
fair_end(struct fair_lane *lane, enum fair_kind kind)
{
	lane->active[kind]--;
}

/* ------------------------------------------------------------------ connections --------------- */

void
fair_block(struct fair_turn *turn, struct list *accounts)
{
	struct fair_account *account = turn->account;

	if (turn->is_blocked)
		return;
	turn->is_blocked = true;
	for (int kind = 0; kind < FAIR_KINDS; kind++)
		list_del(&turn->sides[kind].node);
	list_add_tail(&account->blocked, &turn->blocked);
	if (list_is_empty(&account->node)) {
		account->left = account->weight;
		list_add_tail(accounts, &account->node);
	}
}

struct fair_turn *
fair_unblock(struct list *accounts)
{
	struct fair_account *account;
	struct fair_turn *turn;

	if (list_is_empty(accounts))
		return NULL;
	account = container_of(accounts->next, struct fair_account, node);
	turn = container_of(list_pop(&account->blocked), struct fair_turn, blocked);
	turn->is_blocked = false;
	if (account->left > 0)
		account->left--;
	if (account->left == 0 || list_is_empty(&account->blocked)) {
		list_del(&account->node);
		account->left = account->weight;
		if (!list_is_empty(&account->blocked))
			list_add_tail(accounts, &account->node);
	}
	for (int kind = 0; kind < FAIR_KINDS; kind++)
		if (!side_is_empty(&turn->sides[kind]))
			list_add_head(&turn->lane->lines[kind], &turn->sides[kind].node);
	return turn;
}
