/* spool/index.h - the live messages by sequence number, and in its order: 12 bytes each.
 *
 * Numbers are given in ascending order, so adding is nearly always at the end; what is removed leaves a gap that is
 * closed when a chunk is mostly gaps. */
#ifndef SPOOL_INDEX_H
#define SPOOL_INDEX_H

#include "spool/spool.h"

struct index_chunk;

struct spool_index {
	struct index_place *places; /* of the chunks, in order */
	size_t count, cap;
	size_t len; /* entries */
};

void index_free(struct spool_index *index);
struct spool_entry *index_get(const struct spool_index *index, uint64_t sequence);
/* The entry with the smallest number above that; NULL: there is none. */
struct spool_entry *index_next(const struct spool_index *index, uint64_t sequence);
/* entry->sequence must not be there yet. */
MUST_CHECK enum rc index_add(struct spool_index *index, struct spool_entry *entry);
void index_del(struct spool_index *index, uint64_t sequence); /* no effect when it is not there */

#endif
