/* util/hash.h - a map from byte strings to pointers, safe against chosen keys (SipHash, random seed).
 *
 * Keys are borrowed: they usually are part of the value and must stay as long as the entry. Not
 * thread-safe for writing; any number of readers when nobody writes. */
#ifndef UTIL_HASH_H
#define UTIL_HASH_H

#include "util/rc.h"
#include "util/span.h"

struct map_slot {
	struct span key; /* key.p == NULL: never used; value == NULL: deleted */
	void *value;
	uint64_t hash;
};

struct map {
	struct map_slot *slots;
	size_t cap;  /* a power of two, or 0 */
	size_t len;  /* live entries */
	size_t used; /* live and deleted */
};

#define MAP_EMPTY \
	{ \
		NULL, 0, 0, 0 \
	}

void map_free(struct map *map); /* the table; keys and values are the caller's */
void *map_get(const struct map *map, struct span key);

/* Put or replace (the key pointer, too). RC_LATER when memory is out. value must not be NULL. */
MUST_CHECK enum rc map_put(struct map *map, struct span key, void *value);
void *map_del(struct map *map, struct span key); /* the value taken out, or NULL */

#define MAP_FOREACH(slot, map) \
	for (struct map_slot *slot = (map)->slots; \
	     (map)->cap > 0 && slot != (map)->slots + (map)->cap; slot++) \
		if (slot->value != NULL)

/* SipHash-1-3 under a seed drawn once per process. */
uint64_t hash_bytes(struct span s);

#endif
