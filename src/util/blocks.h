/* util/blocks.h - blocks of one size, in memory of their own.
 *
 * For big buffers that are used for a moment. Taken from malloc between objects that stay, each leaves a hole as big as
 * itself behind, which the process keeps: after a thousand at once, a thousand holes. Here a few free blocks are kept,
 * and the memory of all others is the system's again as soon as they are given back. Any thread may call. */
#ifndef UTIL_BLOCKS_H
#define UTIL_BLOCKS_H

#include "util/rc.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blocks {
	pthread_mutex_t lock;
	size_t size; /* of a block; whole pages */
	size_t max;  /* this many, one behind the other from `base` on */
	size_t keep; /* free blocks whose memory is not returned */
	char *base;  /* NULL: not set up, nothing can be taken */
	size_t open; /* blocks whose memory may be touched */
	size_t used; /* blocks that have been taken at some time; those behind are new */
	size_t out;  /* blocks that are taken now */
	/* Numbers of free blocks: kept ones from the front, returned ones from the end. Not in the blocks
	 * themselves, or these would need memory again. */
	uint32_t *free;
	size_t warm, cold;
};

#define BLOCKS_EMPTY \
	{ \
		.lock = PTHREAD_MUTEX_INITIALIZER \
	}

/* Before any other call, and before there are threads. Only address space is taken, no memory. RC_LATER: there is none. */
MUST_CHECK enum rc blocks_init(struct blocks *blocks, size_t size, size_t max, size_t keep);
void blocks_free(struct blocks *blocks);

/* NULL: all are taken, or memory is out. What is in it is left from somebody else. */
void *blocks_take(struct blocks *blocks);
void blocks_give(struct blocks *blocks, void *block); /* one that was taken */

/* Is it one of these blocks? (Never for what malloc gave.) */
bool blocks_own(const struct blocks *blocks, const void *mem);

/* How many are taken now. */
size_t blocks_out(struct blocks *blocks);

#endif
