/* util/blocks.c - blocks of one size, in memory of their own.
 * Always true: each block below `used` is out or in one of the two stacks in `free`, so warm + cold + out == used, and
 * the stacks, which grow towards each other, never meet. */
#include "config.h"

#include "util/blocks.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	OPEN_AT_ONCE = 64 /* blocks: a system call for so many */
};

enum rc
blocks_init(struct blocks *blocks, size_t size, size_t max, size_t keep)
{
	uint32_t *numbers = calloc(max, sizeof *numbers);
	/* Forbidden memory counts against no limit but that of address space. */
	void *base = mmap(NULL, size * max, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (numbers == NULL || base == MAP_FAILED) {
		free(numbers);
		if (base != MAP_FAILED)
			(void)munmap(base, size * max);
		return RC_LATER;
	}
	(void)madvise(base, size * max, MADV_NOHUGEPAGE); /* or one block might bring 2 MiB */
	blocks->size = size;
	blocks->max = max;
	blocks->keep = keep;
	blocks->free = numbers;
	blocks->base = base;
	return RC_OK;
}

void
blocks_free(struct blocks *blocks)
{
	if (blocks->base != NULL)
		(void)munmap(blocks->base, blocks->size * blocks->max);
	free(blocks->free);
	*blocks = (struct blocks)BLOCKS_EMPTY;
}

static bool
open_more(struct blocks *blocks)
{
	size_t left = blocks->max - blocks->open, count = left < OPEN_AT_ONCE ? left : OPEN_AT_ONCE;

	if (count == 0 || mprotect(blocks->base + blocks->open * blocks->size, count * blocks->size,
			      PROT_READ | PROT_WRITE) != 0)
		return false;
	blocks->open += count;
	return true;
}

void *
blocks_take(struct blocks *blocks)
{
	char *block = NULL;

	if (blocks->base == NULL)
		return NULL;
	(void)pthread_mutex_lock(&blocks->lock);
	if (blocks->warm > 0)
		block = blocks->base + blocks->free[--blocks->warm] * blocks->size;
	else if (blocks->cold > 0)
		block = blocks->base + blocks->free[blocks->max - blocks->cold--] * blocks->size;
	else if (blocks->used < blocks->open || open_more(blocks))
		block = blocks->base + blocks->used++ * blocks->size;
	if (block != NULL)
		blocks->out++;
	(void)pthread_mutex_unlock(&blocks->lock);
	return block;
}

void
blocks_give(struct blocks *blocks, void *block)
{
	size_t at = (size_t)((char *)block - blocks->base);
	uint32_t number = (uint32_t)(at / blocks->size);
	bool kept;

	assert(blocks_own(blocks, block) && at % blocks->size == 0);
	(void)pthread_mutex_lock(&blocks->lock);
	kept = blocks->warm < blocks->keep;
	if (kept) {
		blocks->free[blocks->warm++] = number;
		blocks->out--;
	}
	(void)pthread_mutex_unlock(&blocks->lock);
	if (kept)
		return;
	(void)madvise(block, blocks->size, MADV_DONTNEED); /* before anybody else can have it */
	(void)pthread_mutex_lock(&blocks->lock);
	blocks->free[blocks->max - ++blocks->cold] = number;
	blocks->out--;
	(void)pthread_mutex_unlock(&blocks->lock);
}

bool
blocks_own(const struct blocks *blocks, const void *mem)
{
	/* In numbers: comparing pointers into different objects is nothing that C knows. */
	return blocks->base != NULL &&
	       (uintptr_t)mem - (uintptr_t)blocks->base < blocks->size * blocks->max;
}

size_t
blocks_out(struct blocks *blocks)
{
	size_t out;

	(void)pthread_mutex_lock(&blocks->lock);
	out = blocks->out;
	(void)pthread_mutex_unlock(&blocks->lock);
	return out;
}
