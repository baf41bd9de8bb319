/* spool/index.h - from a sequence number to the live message's entry, at 8 bytes and a bit each. */
#ifndef SPOOL_INDEX_H
#define SPOOL_INDEX_H

#include "spool/spool.h"

struct spool_index {
	struct spool_entry **slots;
	size_t cap, len; /* cap is a power of two */
};

void index_free(struct spool_index *index);
struct spool_entry *index_get(const struct spool_index *index, uint64_t sequence);
MUST_CHECK enum rc index_add(struct spool_index *index, struct spool_entry *entry);
void index_del(struct spool_index *index, uint64_t sequence);

#endif
