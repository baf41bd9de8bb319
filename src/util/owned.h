/* util/owned.h - things that belong to owners: found by owner and name at once, and listed by owner in the order they
 * came.
 *
 * A thing is embedded in the caller's object, which also keeps its key (owned_key). Not thread-safe for writing. */
#ifndef UTIL_OWNED_H
#define UTIL_OWNED_H

#include "util/hash.h"
#include "util/list.h"

struct owned {
	struct map by_key;
	struct map owners;
};

struct owned_owner {
	struct list things;
	size_t count;
	char name[];
};

struct owned_thing {
	struct list node;
	struct owned_owner *owner;
	const char *key; /* "OWNER NUL NAME"; the caller's, as long as the thing is in */
	size_t key_len;
};

#define OWNED_EMPTY \
	{ \
		MAP_EMPTY, MAP_EMPTY \
	}

/* The key of a name; 0 when it does not fit into `size` bytes. */
size_t owned_key(char *key, size_t size, const char *owner, struct span name);

struct owned_thing *owned_get(const struct owned *owned, struct span key); /* or NULL */

/* thing->key and key_len are set. *old: the one that it replaces and that is out now, or NULL. RC_LATER: out of memory,
 * nothing changed. */
MUST_CHECK enum rc owned_put(
    struct owned *owned, const char *owner, struct owned_thing *thing, struct owned_thing **old);
void owned_del(struct owned *owned, struct owned_thing *thing);

/* after NULL: the first. NULL behind the last. */
struct owned_thing *owned_next(
    const struct owned *owned, const char *owner, const struct owned_thing *after);
size_t owned_count(const struct owned *owned, const char *owner);

/* Calls `drop` for each, which frees it, and forgets all. */
void owned_free(struct owned *owned, void (*drop)(struct owned_thing *thing));

#endif
