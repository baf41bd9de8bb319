/* spool/work.h - which messages were under way when the process died.
 *
 * They are noted in memory, at the cost of a store, and written to a small file in the spool directory by the handler of
 * the signal that ends the process. The file is a hint: when it is missing or damaged, nothing is suspected. Described in
 * postrider-spool(5). */
#ifndef SPOOL_WORK_H
#define SPOOL_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WORK_SLOTS = 1024,
	WORK_ASIDE = 16
};

struct work_file;

struct work {
	struct work_file *file; /* what goes into the file; NULL: nothing is noted */
	int fd;
	uint16_t free_slots[WORK_SLOTS];
	size_t free_count;
	uint64_t poisoned[WORK_SLOTS]; /* under way at two faults in a row */
	size_t poisoned_count;
	size_t suspect_count; /* under way at the last fault, and not since come through */
	bool after_fault;     /* the process before this one died of a fault */
};

/* Judges the last end and begins anew. */
void work_open(struct work *work, int dirfd);
/* A clean end: what was suspected is not any more. */
void work_close(struct work *work);

unsigned work_begin(struct work *work, uint64_t sequence); /* 0: not noted */
/* Whatever became of it: it did not kill. */
void work_end(struct work *work, unsigned slot);
bool work_is_suspect(const struct work *work, uint64_t sequence);
/* 0: nothing. */
void work_replaying(struct work *work, uint64_t sequence);
/* Its record killed two replays in a row: it is not to be looked into. */
bool work_is_aside(const struct work *work, uint64_t sequence);
void work_note_fault(void); /* async-signal-safe */

#endif
