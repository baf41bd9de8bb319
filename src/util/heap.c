/* util/heap.c - binary heap. Always true: at[i]->pos == i + 1, and no child's key is below its parent's. */
#include "config.h"

#include "util/heap.h"

#include <stdlib.h>

void
heap_free(struct heap *heap)
{
	for (size_t i = 0; i < heap->len; i++)
		heap->at[i]->pos = 0;
	free(heap->at);
	*heap = (struct heap)HEAP_EMPTY;
}

static void
heap_put(struct heap *heap, size_t i, struct heap_node *node)
{
	heap->at[i] = node;
	node->pos = i + 1;
}

static void
heap_up(struct heap *heap, size_t i)
{
	struct heap_node *node = heap->at[i];

	while (i > 0) {
		size_t parent = (i - 1) / 2;

		if (heap->at[parent]->key <= node->key)
			break;
		heap_put(heap, i, heap->at[parent]);
		i = parent;
	}
	heap_put(heap, i, node);
}

static void
heap_down(struct heap *heap, size_t i)
{
	struct heap_node *node = heap->at[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->len)
			break;
		if (child + 1 < heap->len && heap->at[child + 1]->key < heap->at[child]->key)
			child++;
		if (node->key <= heap->at[child]->key)
			break;
		heap_put(heap, i, heap->at[child]);
		i = child;
	}
	heap_put(heap, i, node);
}

enum rc
heap_reserve(struct heap *heap, size_t extra)
{
	size_t cap = heap->cap > 0 ? heap->cap : 64;
	struct heap_node **at;

	while (cap - heap->len < extra)
		cap *= 2;
	if (cap == heap->cap)
		return RC_OK;
	at = realloc(heap->at, cap * sizeof(struct heap_node *));
	if (at == NULL)
		return RC_LATER;
	heap->at = at;
	heap->cap = cap;
	return RC_OK;
}

enum rc
heap_set(struct heap *heap, struct heap_node *node, int64_t key)
{
	if (node->pos == 0) {
		if (heap_reserve(heap, 1) != RC_OK)
			return RC_LATER;
		node->key = key;
		heap_put(heap, heap->len++, node);
		heap_up(heap, node->pos - 1);
		return RC_OK;
	}
	node->key = key;
	heap_up(heap, node->pos - 1);
	heap_down(heap, node->pos - 1);
	return RC_OK;
}

void
heap_del(struct heap *heap, struct heap_node *node)
{
	size_t i;
	struct heap_node *last;

	if (node->pos == 0)
		return;
	i = node->pos - 1;
	last = heap->at[--heap->len];
	node->pos = 0;
	if (last == node)
		return;
	heap_put(heap, i, last);
	heap_up(heap, i);
	heap_down(heap, last->pos - 1);
}
