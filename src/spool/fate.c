/* spool/fate.c - open addressing; numbers are ours and dense, so neighbours are put into one cache line, and the lines
 * are spread. Nothing is ever removed. */
#include "config.h"

#include "spool/fate.h"

#include <stdlib.h>

void
fates_free(struct fates *fates)
{
	free(fates->at);
	*fates = (struct fates){ NULL, 0, 0 };
}

static struct fate *
place(const struct fates *fates, uint64_t sequence)
{
	uint64_t line = ((sequence >> 1) * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
	size_t i = (size_t)(line << 1 | (sequence & 1)) & (fates->cap - 1);

	while (fates->at[i].sequence != 0 && fates->at[i].sequence != sequence)
		i = (i + 1) & (fates->cap - 1);
	return &fates->at[i];
}

static enum rc
grow(struct fates *fates)
{
	struct fates bigger = { NULL, fates->cap > 0 ? fates->cap * 2 : 1024, fates->len };

	bigger.at = calloc(bigger.cap, sizeof *bigger.at);
	if (bigger.at == NULL)
		return RC_LATER;
	for (size_t i = 0; i < fates->cap; i++)
		if (fates->at[i].sequence != 0)
			*place(&bigger, fates->at[i].sequence) = fates->at[i];
	free(fates->at);
	*fates = bigger;
	return RC_OK;
}

const struct fate *
fates_find(const struct fates *fates, uint64_t sequence)
{
	const struct fate *fate = fates->len > 0 ? place(fates, sequence) : NULL;

	return fate != NULL && fate->sequence != 0 ? fate : NULL;
}

struct fate *
fates_of(struct fates *fates, uint64_t sequence)
{
	struct fate *fate;

	if (fates->len + 1 > fates->cap / 3 * 2 && grow(fates) != RC_OK)
		return NULL;
	fate = place(fates, sequence);
	fates->len += fate->sequence == 0;
	fate->sequence = sequence;
	return fate;
}
