/* Unit tests of fair.h: who is next, with accounts, classes, retries, weights, and connections that run out. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "queue/fair.h"

enum {
	LIMIT = 100,
	SHARE = 25
};

struct thing {
	struct list node;
	char name;
};

struct party {
	struct fair_account account;
	struct fair_stream stream;
};

static void
party_init(struct party *party, struct fair_lane *lane, const char *name, bool is_bulk)
{
	fair_account_init(&party->account, (char *)(uintptr_t)name);
	fair_stream_init(&party->stream);
	if (lane != NULL)
		assert_rc(fair_attach(&party->stream, lane, &party->account, is_bulk), RC_OK);
}

static void
add(struct fair_stream *stream, enum fair_kind kind, char name, int count)
{
	while (count-- > 0) {
		struct thing *thing = malloc(sizeof *thing);

		thing->name = name;
		fair_add(stream, kind, &thing->node);
	}
}

/* Begins up to `count` items of the lane, of this cost; their names in `out`. */
static void
take(struct fair_lane *lane, int count, unsigned cost, char *out)
{
	enum fair_kind kind;

	for (int i = 0; i < count; i++) {
		struct fair_stream *stream = fair_next(lane, LIMIT, SHARE, &kind);
		struct thing *thing;

		if (stream == NULL)
			break;
		thing = container_of(stream->sides[kind].items.next, struct thing, node);
		*out++ = thing->name;
		fair_begin(stream, kind, cost, SHARE);
		fair_end(lane, kind);
		free(thing);
	}
	*out = '\0';
}

static void
drop(struct fair_stream *stream)
{
	fair_detach(stream);
	for (int kind = 0; kind < FAIR_KINDS; kind++) {
		struct list *node;

		while ((node = list_pop(&stream->sides[kind].items)) != NULL)
			free(container_of(node, struct thing, node));
	}
}

static size_t
count_of(const char *text, char c)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == c;
	return count;
}

static void
close_lane(struct fair_lane *lane)
{
	assert_true(fair_lane_is_idle(lane));
	fair_lane_free(lane);
}

static void
test_accounts_take_turns(void **state)
{
	struct fair_lane lane;
	struct party big, small;
	char got[64];

	(void)state;
	fair_lane_init(&lane);
	party_init(&big, &lane, "big", false);
	party_init(&small, &lane, "small", false);
	add(&big.stream, FAIR_FIRST, 'b', 1000);
	take(&lane, 5, 1, got);
	assert_string_equal(got, "bbbbb");
	add(&small.stream, FAIR_FIRST, 's', 3);
	take(&lane, 8, 1, got);
	/* One that comes waits for one turn of the other. */
	assert_true(count_of(got, 's') == 3 && got[1] == 's');
	assert_string_equal(got + 6, "bb");
	drop(&big.stream);
	drop(&small.stream);
	close_lane(&lane);
}

static void
test_weights(void **state)
{
	struct fair_lane lane;
	struct party heavy, light;
	char got[128];

	(void)state;
	fair_lane_init(&lane);
	party_init(&heavy, &lane, "heavy", false);
	party_init(&light, &lane, "light", false);
	heavy.account.weight = 3;
	add(&heavy.stream, FAIR_FIRST, 'h', 100);
	add(&light.stream, FAIR_FIRST, 'l', 100);
	take(&lane, 80, 1, got);
	assert_int_equal(count_of(got, 'h'), 60);
	assert_int_equal(count_of(got, 'l'), 20);
	drop(&heavy.stream);
	drop(&light.stream);
	close_lane(&lane);
}

/* Large messages cost turns: bytes are shared, not messages. */
static void
test_costs(void **state)
{
	struct fair_lane lane;
	struct party large, small;
	char got[128] = "";

	(void)state;
	fair_lane_init(&lane);
	party_init(&large, &lane, "large", false);
	party_init(&small, &lane, "small", false);
	add(&large.stream, FAIR_FIRST, 'L', 100);
	add(&small.stream, FAIR_FIRST, 's', 100);
	for (int i = 0; i < 90; i++) {
		enum fair_kind kind;
		struct fair_stream *stream = fair_next(&lane, LIMIT, SHARE, &kind);

		take(&lane, 1, stream == &large.stream ? FAIR_COST_MAX : 1, got + i);
	}
	assert_int_equal(count_of(got, 'L'), 10);
	assert_int_equal(fair_cost(0), 1);
	assert_int_equal(fair_cost(256 * 1024), 2);
	assert_int_equal(fair_cost(UINT64_MAX), FAIR_COST_MAX);
	drop(&large.stream);
	drop(&small.stream);
	close_lane(&lane);
}

static void
test_classes(void **state)
{
	struct fair_lane lane;
	struct party one;
	struct fair_stream bulk;
	char got[64];

	(void)state;
	fair_lane_init(&lane);
	party_init(&one, &lane, "one", false);
	fair_stream_init(&bulk);
	assert_rc(fair_attach(&bulk, &lane, &one.account, true), RC_OK);
	add(&bulk, FAIR_FIRST, 'b', 20);
	add(&one.stream, FAIR_FIRST, 't', 20);
	take(&lane, 20, 1, got);
	assert_int_equal(count_of(got, 't'), 16);
	take(&lane, 20, 1, got); /* then it is alone */
	assert_int_equal(count_of(got, 't'), 4);
	assert_string_equal(got + 8, "bbbbbbbbbbbb");
	drop(&bulk);
	drop(&one.stream);
	close_lane(&lane);
}

static void
test_streams_of_an_account_take_turns(void **state)
{
	struct fair_lane lane;
	struct party one;
	struct fair_stream other;
	char got[64];

	(void)state;
	fair_lane_init(&lane);
	party_init(&one, &lane, "one", false);
	fair_stream_init(&other);
	assert_rc(fair_attach(&other, &lane, &one.account, false), RC_OK);
	add(&one.stream, FAIR_FIRST, 'a', 5);
	add(&other, FAIR_FIRST, 'b', 5);
	take(&lane, 10, 1, got);
	assert_string_equal(got, "ababababab");
	drop(&other);
	drop(&one.stream);
	close_lane(&lane);
}

static void
test_retries_have_their_share(void **state)
{
	struct fair_lane lane;
	struct party one;
	enum fair_kind kind;
	char got[128];

	(void)state;
	fair_lane_init(&lane);
	party_init(&one, &lane, "one", false);
	add(&one.stream, FAIR_RETRY, 'r', 100);
	add(&one.stream, FAIR_FIRST, 'f', 100);
	take(&lane, 100, 1, got);
	assert_int_equal(count_of(got, 'r'), 20); /* one for each four */
	/* And no more connections than that, however long they take. */
	lane.active[FAIR_RETRY] = LIMIT * SHARE / 100;
	for (int i = 0; i < 10; i++) {
		assert_ptr_equal(fair_next(&lane, LIMIT, SHARE, &kind), &one.stream);
		assert_int_equal(kind, FAIR_FIRST);
		take(&lane, 1, 1, got);
		lane.active[FAIR_RETRY] = LIMIT * SHARE / 100;
	}
	lane.active[FAIR_RETRY] = 0;
	take(&lane, 1000, 1, got + 0);
	drop(&one.stream);
	close_lane(&lane);
}

static void
test_connections_that_run_out(void **state)
{
	struct list accounts;
	struct fair_lane lanes[3];
	struct party big[3], small;
	struct fair_account account;
	struct fair_turn *turn;
	enum fair_kind kind;
	char got[8];
	int rounds = 0;

	(void)state;
	list_init(&accounts);
	fair_account_init(&account, (char *)(uintptr_t) "big");
	for (int i = 0; i < 3; i++) {
		fair_lane_init(&lanes[i]);
		fair_stream_init(&big[i].stream);
		assert_rc(fair_attach(&big[i].stream, &lanes[i], &account, false), RC_OK);
		add(&big[i].stream, FAIR_FIRST, 'b', 10);
		fair_block(big[i].stream.turn, &accounts);
		fair_block(big[i].stream.turn, &accounts); /* is so already */
		assert_null(fair_next(&lanes[i], LIMIT, SHARE, &kind));
	}
	/* Another account waits behind one of them, in the same lane: it is next but one. */
	party_init(&small, &lanes[2], "small", false);
	add(&small.stream, FAIR_FIRST, 's', 1);
	assert_ptr_equal(fair_next(&lanes[2], LIMIT, SHARE, &kind), &small.stream);
	fair_block(small.stream.turn, &accounts);
	do {
		turn = fair_unblock(&accounts);
		assert_non_null(turn);
		take(turn->lane, 1, 1, got);
		rounds++;
		if (turn != small.stream.turn)
			fair_block(turn, &accounts);
	} while (got[0] != 's');
	assert_int_equal(rounds, 2);
	/* One that has nothing any more waits for nothing. */
	for (int i = 0; i < 3; i++)
		drop(&big[i].stream);
	assert_true(list_is_empty(&accounts));
	assert_null(fair_unblock(&accounts));
	drop(&small.stream);
	for (int i = 0; i < 3; i++)
		close_lane(&lanes[i]);
}

static void
test_what_is_not_attached_is_kept(void **state)
{
	struct fair_lane lane, other;
	struct party one;
	char got[16];

	(void)state;
	fair_lane_init(&lane);
	fair_lane_init(&other);
	party_init(&one, NULL, "one", false);
	add(&one.stream, FAIR_FIRST, 'a', 2);
	assert_rc(fair_attach(&one.stream, &lane, &one.account, false), RC_OK);
	take(&lane, 1, 1, got);
	assert_string_equal(got, "a");
	fair_detach(&one.stream);
	fair_detach(&one.stream);
	assert_true(fair_lane_is_idle(&lane));
	assert_rc(fair_attach(&one.stream, &other, &one.account, false), RC_OK);
	take(&other, 5, 1, got);
	assert_string_equal(got, "a");
	drop(&one.stream);
	close_lane(&lane);
	close_lane(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accounts_take_turns),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_streams_of_an_account_take_turns),
		cmocka_unit_test(test_retries_have_their_share),
		cmocka_unit_test(test_connections_that_run_out),
		cmocka_unit_test(test_what_is_not_attached_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
