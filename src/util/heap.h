/* util/heap.h - intrusive binary heap ordered by a 64-bit key, smallest first.
 *
 * Deadlines live here: insert, remove and re-key cost O(log n), the next one is at hand. The node is
 * part of the caller's object, which must not move while it is in the heap. */
#ifndef UTIL_HEAP_H
#define UTIL_HEAP_H

#include "util/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	size_t pos; /* 1-based place in the heap; 0: not in one */
};

struct heap {
	struct heap_node **at;
	size_t len, cap;
};

#define HEAP_EMPTY \
	{ \
		NULL, 0, 0 \
	}

void heap_free(struct heap *heap); /* the array; the nodes are the caller's */

/* Insert, or move when it is in already. RC_LATER when memory is out (never for a node that is in). */
MUST_CHECK enum rc heap_set(struct heap *heap, struct heap_node *node, int64_t key);
void heap_del(struct heap *heap, struct heap_node *node); /* no effect when not in */

/* Room for `extra` more nodes, so that as many heap_set calls cannot fail. */
MUST_CHECK enum rc heap_reserve(struct heap *heap, size_t extra);

static inline struct heap_node *
heap_first(const struct heap *heap)
{
	return heap->len > 0 ? heap->at[0] : NULL;
}

static inline bool
heap_has(const struct heap_node *node)
{
	return node->pos != 0;
}

#endif
