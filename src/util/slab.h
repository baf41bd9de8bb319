/* util/slab.h - many objects of one size, without a word of overhead for each.
 *
 * For what there are millions of. Objects come from blocks of SLAB_BLOCK bytes; a block whose last object has gone is
 * given back to the system, so a long queue leaves no large process behind. One thread. In builds with
 * AddressSanitizer every object is malloc's, so that one used after its end is found. */
#ifndef UTIL_SLAB_H
#define UTIL_SLAB_H

#include <stddef.h>

#include "util/list.h"

enum {
	SLAB_BLOCK = 1 << 18
};

struct slab {
	size_t size;	    /* of an object */
	struct list usable; /* blocks with a free place */
	size_t objects, blocks;
};

/* size: at least a pointer's, a multiple of 8, far below SLAB_BLOCK. */
void slab_init(struct slab *slab, size_t size);
/* Zeroed, aligned for pointers and 64-bit numbers. NULL: out of memory. */
void *slab_get(struct slab *slab);
void slab_put(struct slab *slab, void *object);
/* When every object has been put back: the block that is kept for the next one. */
void slab_free(struct slab *slab);

#endif
