/* spool/fate.h - what replay knows of a message before it tells of it, when the log says more than once: that it has
 * ended, where its last copy is, where its latest state is. */
#ifndef SPOOL_FATE_H
#define SPOOL_FATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/rc.h"

/* Segments are counted from 1 in the order of the log; 0: none. */
struct fate {
	uint64_t sequence; /* 0: a free place */
	uint32_t copy_segment, copy_offset;
	uint32_t state_segment, state_at; /* at: of the entry in the segment's digest */
	bool ended;
};

struct fates {
	struct fate *at;
	size_t cap, len; /* cap is a power of two */
};

void fates_free(struct fates *fates);
const struct fate *fates_find(const struct fates *fates, uint64_t sequence); /* NULL: nothing */
/* Found or made; good until the next one is made. NULL: out of memory. sequence is not 0. */
struct fate *fates_of(struct fates *fates, uint64_t sequence);

#endif
