/* spool/index.c - open addressing with linear probing; deletion closes the gap, so there are no tombs.
 * Sequence numbers are ours and dense. Eight neighbours share a cache line of slots, and the lines are spread by
 * multiplying: a start adds a million in their order, and nearly every look at another place is a miss. */
#include "config.h"

#include "spool/index.h"

#include <stdlib.h>

static size_t
home_of(const struct spool_index *index, uint64_t sequence)
{
	uint64_t line = ((sequence >> 3) * UINT64_C(0x9e3779b97f4a7c15)) >> 32;

	return (size_t)(line << 3 | (sequence & 7)) & (index->cap - 1);
}

void
index_free(struct spool_index *index)
{
	free(index->slots);
	*index = (struct spool_index){ NULL, 0, 0 };
}

static size_t
find(const struct spool_index *index, uint64_t sequence)
{
	size_t i = home_of(index, sequence);

	while (index->slots[i] != NULL && index->slots[i]->sequence != sequence)
		i = (i + 1) & (index->cap - 1);
	return i;
}

struct spool_entry *
index_get(const struct spool_index *index, uint64_t sequence)
{
	return index->len > 0 ? index->slots[find(index, sequence)] : NULL;
}

static enum rc
grow(struct spool_index *index)
{
	struct spool_index bigger = { NULL, index->cap > 0 ? index->cap * 2 : 1024, index->len };

	bigger.slots = calloc(bigger.cap, sizeof(struct spool_entry *));
	if (bigger.slots == NULL)
		return RC_LATER;
	for (size_t i = 0; i < index->cap; i++)
		if (index->slots[i] != NULL)
			bigger.slots[find(&bigger, index->slots[i]->sequence)] = index->slots[i];
	free(index->slots);
	*index = bigger;
	return RC_OK;
}

enum rc
index_add(struct spool_index *index, struct spool_entry *entry)
{
	if (index->len + 1 > index->cap / 2 && grow(index) != RC_OK)
		return RC_LATER;
	index->slots[find(index, entry->sequence)] = entry;
	index->len++;
	return RC_OK;
}

void
index_del(struct spool_index *index, uint64_t sequence)
{
	size_t gap, i;

	if (index->len == 0)
		return;
	gap = find(index, sequence);
	if (index->slots[gap] == NULL)
		return;
	index->len--;
	for (i = (gap + 1) & (index->cap - 1); index->slots[i] != NULL;
	     i = (i + 1) & (index->cap - 1)) {
		size_t home = home_of(index, index->slots[i]->sequence);

		/* Move into the gap unless its home lies behind the gap (cyclically). */
		if (((i - home) & (index->cap - 1)) >= ((i - gap) & (index->cap - 1))) {
			index->slots[gap] = index->slots[i];
			gap = i;
		}
	}
	index->slots[gap] = NULL;
}
