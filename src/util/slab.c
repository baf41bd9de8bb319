/* util/slab.c - blocks aligned to their size, so that an object's address tells its block.
 *
 * Always true: `usable` has the blocks with a free place, and no other; at most one of them is empty. */
#include "config.h"

#include "util/slab.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define EACH_BY_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_BY_MALLOC 1
#endif
#endif
#ifndef EACH_BY_MALLOC
#define EACH_BY_MALLOC 0
#endif

struct block {
	struct list node; /* in slab->usable, or in none */
	void *free;	  /* places that were used before: each begins with the next */
	uint32_t used;	  /* objects */
	uint32_t fresh;	  /* offset of the first place that was never used */
};

void
slab_init(struct slab *slab, size_t size)
{
	assert(size >= sizeof(void *) && size % 8 == 0);
	*slab = (struct slab){ .size = size };
	list_init(&slab->usable);
}

/* Twice the room, so that there is an aligned block in it; the rest goes back. */
static struct block *
block_map(void)
{
	char *room =
	    mmap(NULL, 2 * SLAB_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (room == MAP_FAILED)
		return NULL;
	before = (SLAB_BLOCK - (uintptr_t)room % SLAB_BLOCK) % SLAB_BLOCK;
	if (before > 0)
		(void)munmap(room, before);
	(void)munmap(room + before + SLAB_BLOCK, SLAB_BLOCK - before);
	return (struct block *)(void *)(room + before);
}

static struct block *
block_new(struct slab *slab)
{
	struct block *block = block_map();

	if (block == NULL)
		return NULL;
	*block = (struct block){ .fresh = (sizeof *block + 15) / 16 * 16 };
	list_add_head(&slab->usable, &block->node);
	slab->blocks++;
	return block;
}

static void
block_free(struct slab *slab, struct block *block)
{
	list_del(&block->node);
	slab->blocks--;
	(void)munmap(block, SLAB_BLOCK);
}

static bool
is_full(const struct slab *slab, const struct block *block)
{
	return block->free == NULL && block->fresh + slab->size > SLAB_BLOCK;
}

void *
slab_get(struct slab *slab)
{
	struct block *block;
	void *object;

	if (EACH_BY_MALLOC)
		return calloc(1, slab->size);
	block = list_is_empty(&slab->usable) ? block_new(slab)
					     : container_of(slab->usable.next, struct block, node);
	if (block == NULL)
		return NULL;
	object = block->free;
	if (object != NULL) {
		memcpy(&block->free, object, sizeof block->free);
		memset(object, 0, slab->size);
	} else { /* as it was mapped: zero */
		object = (char *)block + block->fresh;
		block->fresh += (uint32_t)slab->size;
	}
	block->used++;
	slab->objects++;
	if (is_full(slab, block))
		list_del(&block->node);
	return object;
}

void
slab_put(struct slab *slab, void *object)
{
	struct block *block;

	if (EACH_BY_MALLOC) {
		free(object);
		return;
	}
	block = (struct block *)(void *)((char *)object - (uintptr_t)object % SLAB_BLOCK);
	if (list_is_empty(&block->node))
		list_add_head(&slab->usable, &block->node);
	memcpy(object, &block->free, sizeof block->free);
	block->free = object;
	slab->objects--;
	/* The only empty one stays: a queue that is empty now and then maps nothing each time. */
	if (--block->used == 0 && block->node.next != block->node.prev)
		block_free(slab, block);
}

void
slab_free(struct slab *slab)
{
	while (!list_is_empty(&slab->usable))
		block_free(slab, container_of(slab->usable.next, struct block, node));
}
