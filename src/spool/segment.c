/* spool/segment.c - the list of segments and what is needed in each; no files but the descriptor to close. */
#include "config.h"

#include "spool/spool_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
segment_name(uint64_t generation, const char *suffix, char out[SEGMENT_NAME_LEN])
{
	(void)snprintf(out, SEGMENT_NAME_LEN, "%016" PRIx64 ".%s", generation, suffix);
}

struct segment *
segment_new(struct spool *spool, uint64_t generation, uint64_t size)
{
	struct segment *segment = calloc(1, sizeof *segment);

	if (segment == NULL)
		return NULL;
	segment->generation = generation;
	segment->size = size;
	segment->used = SEGMENT_HEADER_SIZE;
	segment->fd = -1;
	segment->prev = spool->active;
	if (spool->active != NULL)
		spool->active->next = segment;
	else
		spool->oldest = segment;
	spool->active = segment;
	return segment;
}

void
segment_unlink(struct spool *spool, struct segment *segment)
{
	if (segment->prev != NULL)
		segment->prev->next = segment->next;
	else
		spool->oldest = segment->next;
	if (segment->next != NULL)
		segment->next->prev = segment->prev;
	else
		spool->active = segment->prev;
	if (segment->fd >= 0)
		(void)close(segment->fd);
	free(segment);
}

void
segment_hold(struct segment *segment, uint32_t payload)
{
	segment->live++;
	segment->live_bytes += record_space(payload);
}

void
segment_release(struct segment *segment, uint32_t payload)
{
	segment->live--;
	segment->live_bytes -= record_space(payload);
}
