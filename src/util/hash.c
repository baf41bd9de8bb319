/* util/hash.c - open addressing with linear probing. Always true: used < 3/4 of cap, so probes end. */
#include "config.h"

#include "util/hash.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "util/crypto.h"

enum {
	LARGE_PAGE = 2 * 1024 * 1024
};

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void
seed_draw(void)
{
	crypto_random(seed, sizeof seed);
}

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIP_ROUND(v) \
	do { \
		v[0] += v[1]; \
		v[1] = ROTL(v[1], 13); \
		v[1] ^= v[0]; \
		v[0] = ROTL(v[0], 32); \
		v[2] += v[3]; \
		v[3] = ROTL(v[3], 16); \
		v[3] ^= v[2]; \
		v[0] += v[3]; \
		v[3] = ROTL(v[3], 21); \
		v[3] ^= v[0]; \
		v[2] += v[1]; \
		v[1] = ROTL(v[1], 17); \
		v[1] ^= v[2]; \
		v[2] = ROTL(v[2], 32); \
	} while (0)

uint64_t
hash_bytes(struct span s)
{
	uint64_t v[4], word, tail = (uint64_t)s.len << 56;
	size_t i;

	(void)pthread_once(&seed_once, seed_draw);
	v[0] = seed[0] ^ UINT64_C(0x736f6d6570736575);
	v[1] = seed[1] ^ UINT64_C(0x646f72616e646f6d);
	v[2] = seed[0] ^ UINT64_C(0x6c7967656e657261);
	v[3] = seed[1] ^ UINT64_C(0x7465646279746573);
	for (i = 0; s.len - i >= 8; i += 8) {
		memcpy(&word, s.p + i, 8);
		v[3] ^= word;
		SIP_ROUND(v);
		v[0] ^= word;
	}
	for (size_t n = 0; i < s.len; i++, n += 8)
		tail |= (uint64_t)(unsigned char)s.p[i] << n;
	v[3] ^= tail;
	SIP_ROUND(v);
	v[0] ^= tail;
	v[2] ^= 0xff;
	SIP_ROUND(v);
	SIP_ROUND(v);
	SIP_ROUND(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
map_free(struct map *map)
{
	free(map->slots);
	*map = (struct map)MAP_EMPTY;
}

/* The slot that holds the key, or the one where it belongs. The table has at least one free slot. */
static struct map_slot *
map_find(const struct map *map, struct span key, uint64_t hash)
{
	struct map_slot *deleted = NULL;

	for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
		struct map_slot *slot = &map->slots[i];

		if (slot->key.p == NULL)
			return deleted != NULL ? deleted : slot;
		if (slot->value == NULL) {
			if (deleted == NULL)
				deleted = slot;
		} else if (slot->hash == hash && span_eq(slot->key, key)) {
			return slot;
		}
	}
}

void *
map_get(const struct map *map, struct span key)
{
	return map->len > 0 ? map_find(map, key, hash_bytes(key))->value : NULL;
}

/* Of a large table every look is at another page: with small ones most of the time goes to the tables of pages, and to
 * faults while it is filled. The kernel may say no. */
static void
prefer_large_pages(void *p, size_t size)
{
	uintptr_t begin = ((uintptr_t)p + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
	uintptr_t end = ((uintptr_t)p + size) / LARGE_PAGE * LARGE_PAGE;

	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

static enum rc
map_resize(struct map *map)
{
	struct map bigger = MAP_EMPTY;

	/* At most half full: that is twice as large, or no larger when a good part had been deleted. */
	bigger.cap = 16;
	while (bigger.cap < map->len * 2)
		bigger.cap *= 2;
	bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
	if (bigger.slots == NULL)
		return RC_LATER;
	prefer_large_pages(bigger.slots, bigger.cap * sizeof *bigger.slots);
	MAP_FOREACH (slot, map) {
		*map_find(&bigger, slot->key, slot->hash) = *slot;
		bigger.len++;
	}
	bigger.used = bigger.len;
	free(map->slots);
	*map = bigger;
	return RC_OK;
}

enum rc
map_put(struct map *map, struct span key, void *value)
{
	uint64_t hash = hash_bytes(key);
	struct map_slot *slot;

	if (map->used + 1 > map->cap / 4 * 3 && map_resize(map) != RC_OK)
		return RC_LATER;
	slot = map_find(map, key, hash);
	if (slot->value == NULL)
		map->len++;
	if (slot->key.p == NULL)
		map->used++;
	*slot = (struct map_slot){ key, value, hash };
	return RC_OK;
}

void *
map_del(struct map *map, struct span key)
{
	struct map_slot *slot;
	void *value;

	if (map->len == 0)
		return NULL;
	slot = map_find(map, key, hash_bytes(key));
	value = slot->value;
	if (value != NULL) {
		slot->key = SPAN_LIT("deleted"); /* the borrowed key may go away now */
		slot->value = NULL;
		map->len--;
	}
	return value;
}
