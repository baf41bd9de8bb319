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

/* A number that no segment has; SEGMENT_NONE: out of memory. */
static uint32_t
free_number(struct spool *spool)
{
	struct segment **grown;
	uint32_t number = SEGMENT_FIRST, slots;

	while (number < spool->segment_slots && spool->segments[number] != NULL)
		number++;
	if (number < spool->segment_slots)
		return number;
	slots = spool->segment_slots > 0 ? spool->segment_slots * 2 : 64;
	grown = realloc(spool->segments, slots * sizeof(struct segment *));
	if (grown == NULL)
		return SEGMENT_NONE;
	for (uint32_t i = spool->segment_slots; i < slots; i++)
		grown[i] = NULL;
	grown[SEGMENT_LIMBO] = &spool->limbo;
	spool->segments = grown;
	spool->segment_slots = slots;
	return number;
}

struct segment *
segment_new(struct spool *spool, uint64_t generation, uint64_t size)
{
	uint32_t number = free_number(spool);
	struct segment *segment = number != SEGMENT_NONE ? calloc(1, sizeof *segment) : NULL;

	if (segment == NULL)
		return NULL;
	spool->segments[number] = segment;
	segment->number = number;
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
	spool->segments[segment->number] = NULL;
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
