/* Unit tests of util/owned.c: things by owner and name, and each owner's in the order they came. */
#include "config.h"

#include "unit/test.h"

#include <stdio.h>

#include "util/owned.h"

enum {
	KEY_MAX = 32
};

struct thing {
	struct owned_thing owned;
	char key[KEY_MAX];
	char owner[KEY_MAX], name[KEY_MAX];
	int serial; /* tells apart what has the same name */
};

static int serials, drops;

static struct thing *
thing_of(struct owned_thing *owned)
{
	return owned != NULL ? container_of(owned, struct thing, owned) : NULL;
}

static void
drop(struct owned_thing *owned)
{
	drops++;
	free(thing_of(owned));
}

/* The serial of what was replaced, or 0. */
static int
put(struct owned *owned, const char *owner, const char *name)
{
	struct thing *thing = calloc(1, sizeof *thing), *old;
	struct owned_thing *replaced;
	int serial;

	assert_non_null(thing);
	thing->serial = ++serials;
	(void)snprintf(thing->owner, sizeof thing->owner, "%s", owner);
	(void)snprintf(thing->name, sizeof thing->name, "%s", name);
	thing->owned.key = thing->key;
	thing->owned.key_len = owned_key(thing->key, sizeof thing->key, owner, span_of(name));
	assert_int_not_equal(thing->owned.key_len, 0);
	assert_rc(owned_put(owned, owner, &thing->owned, &replaced), RC_OK);
	old = thing_of(replaced);
	serial = old != NULL ? old->serial : 0;
	free(old);
	return serial;
}

static struct thing *
get(const struct owned *owned, const char *owner, const char *name)
{
	char key[KEY_MAX];
	size_t len = owned_key(key, sizeof key, owner, span_of(name));

	return thing_of(owned_get(owned, span_make(key, len)));
}

static void
del(struct owned *owned, const char *owner, const char *name)
{
	struct thing *thing = get(owned, owner, name);

	assert_non_null(thing);
	owned_del(owned, &thing->owned);
	free(thing);
}

/* The names of an owner, each with a blank behind it. */
static void
check_list(const struct owned *owned, const char *owner, const char *want)
{
	char names[400] = "";
	struct owned_thing *at = NULL;
	size_t count = 0;

	while ((at = owned_next(owned, owner, at)) != NULL) {
		struct thing *thing = thing_of(at);
		size_t len = strlen(names);

		assert_string_equal(thing->owner, owner);
		assert_ptr_equal(get(owned, owner, thing->name), thing);
		(void)snprintf(names + len, sizeof names - len, "%s ", thing->name);
		count++;
	}
	assert_string_equal(names, want);
	assert_int_equal(owned_count(owned, owner), count);
}

static void
test_keys(void **state)
{
	char key[KEY_MAX], other[KEY_MAX];
	char owner[KEY_MAX + 1];

	(void)state;
	assert_int_equal(owned_key(key, sizeof key, "ab", SPAN_LIT("c")), 4);
	assert_memory_equal(key, "ab\0c", 4);
	/* Where the owner ends is in the key. */
	assert_int_equal(owned_key(other, sizeof other, "a", SPAN_LIT("bc")), 4);
	assert_memory_not_equal(key, other, 4);
	assert_int_equal(owned_key(key, sizeof key, "", SPAN_EMPTY), 1);
	/* To the last byte, and one more; the room is not even looked at when the name alone is too long. */
	assert_int_equal(owned_key(key, 4, "ab", SPAN_LIT("c")), 4);
	assert_int_equal(owned_key(key, 3, "ab", SPAN_LIT("c")), 0);
	assert_int_equal(owned_key(key, 2, "a", SPAN_LIT("bcdef")), 0);
	assert_int_equal(owned_key(key, 0, "", SPAN_EMPTY), 0);
	memset(owner, 'a', sizeof owner);
	owner[KEY_MAX] = '\0';
	assert_int_equal(owned_key(key, sizeof key, owner, SPAN_EMPTY), 0);
	owner[KEY_MAX - 1] = '\0';
	assert_int_equal(owned_key(key, sizeof key, owner, SPAN_EMPTY), KEY_MAX);
	assert_int_equal(owned_key(key, sizeof key, owner, SPAN_LIT("x")), 0);
}

static void
test_lists(void **state)
{
	struct owned owned = OWNED_EMPTY;

	(void)state;
	check_list(&owned, "a", "");
	assert_null(get(&owned, "a", "x"));
	assert_int_equal(put(&owned, "a", "x"), 0);
	assert_int_equal(put(&owned, "b", "x"), 0);
	assert_int_equal(put(&owned, "a", "z"), 0);
	assert_int_equal(put(&owned, "a", "y"), 0);
	check_list(&owned, "a", "x z y ");
	check_list(&owned, "b", "x ");
	check_list(&owned, "", "");
	del(&owned, "a", "z");
	check_list(&owned, "a", "x y ");
	assert_null(get(&owned, "a", "z"));
	assert_int_equal(put(&owned, "a", "z"), 0);
	check_list(&owned, "a", "x y z ");
	drops = 0;
	owned_free(&owned, drop);
	assert_int_equal(drops, 4);
	check_list(&owned, "a", ""); /* and may be used again */
	assert_int_equal(put(&owned, "a", "x"), 0);
	owned_free(&owned, drop);
}

static void
test_replaced(void **state)
{
	struct owned owned = OWNED_EMPTY;
	int first, only;

	(void)state;
	(void)put(&owned, "a", "x");
	first = serials;
	(void)put(&owned, "a", "y");
	assert_int_equal(put(&owned, "a", "x"), first);
	check_list(&owned, "a", "y x "); /* the new one has come last */
	/* The only one of its owner: who stays one throughout. */
	(void)put(&owned, "b", "x");
	only = serials;
	assert_int_equal(put(&owned, "b", "x"), only);
	check_list(&owned, "b", "x ");
	assert_int_equal(owned.owners.len, 2);
	assert_int_equal(owned.by_key.len, 3);
	owned_free(&owned, drop);
}

static void
test_owners_go_with_their_last(void **state)
{
	struct owned owned = OWNED_EMPTY;

	(void)state;
	(void)put(&owned, "a", "x");
	(void)put(&owned, "a", "y");
	del(&owned, "a", "x");
	assert_int_equal(owned.owners.len, 1);
	del(&owned, "a", "y");
	assert_int_equal(owned.owners.len, 0);
	assert_int_equal(owned.by_key.len, 0);
	check_list(&owned, "a", "");
	owned_free(&owned, drop);
}

static void
test_many(void **state)
{
	enum {
		OWNERS = 100,
		NAMES = 50
	};
	struct owned owned = OWNED_EMPTY;
	char owner[KEY_MAX], name[KEY_MAX];

	(void)state;
	for (int i = 0; i < OWNERS * NAMES; i++) {
		(void)snprintf(owner, sizeof owner, "o%d", i % OWNERS);
		(void)snprintf(name, sizeof name, "n%d", i / OWNERS);
		(void)put(&owned, owner, name);
	}
	for (int i = 0; i < OWNERS; i += 2)
		for (int k = 0; k < NAMES; k++) {
			(void)snprintf(owner, sizeof owner, "o%d", i);
			(void)snprintf(name, sizeof name, "n%d", (k * 7) % NAMES);
			del(&owned, owner, name);
		}
	assert_int_equal(owned.owners.len, OWNERS / 2);
	for (int i = 0; i < OWNERS; i++) {
		struct owned_thing *at = NULL;
		int k = 0;

		(void)snprintf(owner, sizeof owner, "o%d", i);
		for (; (at = owned_next(&owned, owner, at)) != NULL; k++) {
			(void)snprintf(name, sizeof name, "n%d", k);
			assert_string_equal(thing_of(at)->name, name);
		}
		assert_int_equal(k, i % 2 == 0 ? 0 : NAMES);
		assert_int_equal(owned_count(&owned, owner), k);
	}
	drops = 0;
	owned_free(&owned, drop);
	assert_int_equal(drops, OWNERS / 2 * NAMES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_owners_go_with_their_last),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
