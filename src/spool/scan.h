/* spool/scan.h - the records of one segment file in their order, through a window of memory.
 *
 * What start, compaction's digest and the commands see of a segment they see through this. Reads only. */
#ifndef SPOOL_SCAN_H
#define SPOOL_SCAN_H

#include "spool/format.h"

struct scan {
	int fd; /* borrowed */
	uint64_t generation, size;
	uint64_t
	    at; /* where the next record is looked for; after the last one: the end of what was written */
	char *memory;
	size_t capacity, have;
	uint64_t base; /* the offset of memory[0] in the file */
};

struct scan_record {
	uint64_t offset;
	struct record_header header;
	struct span payload; /* good until the next call */
	uint64_t
	    damaged_from; /* the bytes before `offset` from here make no sense; == offset: none */
};

void scan_begin(
    struct scan *scan, int fd, uint64_t generation, uint64_t size); /* keeps the memory */
void scan_free(struct scan *scan);

/* RC_OK; RC_MORE: there is none behind scan->at; RC_LATER: reading failed at scan->at or behind, or out of memory. */
MUST_CHECK enum rc scan_next(struct scan *scan, struct scan_record *out, struct why *why);

/* RC_OK: a whole good record stands at that place; RC_BAD: none; RC_LATER. */
MUST_CHECK enum rc scan_look(struct scan *scan, uint64_t at, struct why *why);

/* RC_OK when the file is a segment; *generation is what its header says. As segment_header_decode. */
MUST_CHECK enum rc scan_header(int fd, uint64_t *generation, uint64_t *stamp, struct why *why);

#endif
