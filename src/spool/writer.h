/* spool/writer.h - the one thread that writes: takes everything that waits, writes, syncs once, reports.
 *
 * Requests carry their place; the writer decides nothing. Requests are done in the order given, and
 * reported in that order by one message to the core loop per batch. */
#ifndef SPOOL_WRITER_H
#define SPOOL_WRITER_H

#include <limits.h>

#include "spool/format.h"
#include "spool/spool.h"

struct segment {
	uint64_t generation;
	uint32_t number; /* in spool->segments, as entries name it */
	uint64_t size;	 /* of the file */
	uint64_t used;	 /* next free offset: the core's */
	uint64_t live;	 /* records that are still needed */
	uint64_t live_bytes;
	unsigned pending; /* requests and loads that use it */
	int fd;		  /* the writer opens it before its first record; replay for old ones */
	uint64_t stamp;	  /* random: no other use of a file has the same */
	bool created;	  /* writer's: the file is there */
	bool full;	  /* core's: takes no more records, whatever room there is */
	bool
	    damaged; /* replay's: the file is kept for the operator when it is not needed any more */
	bool stuck;  /* core's: it cannot be emptied: what it holds cannot be read */
	bool digested; /* core's: its digest is on disk or being made, or there will be none */
	_Atomic bool broken; /* writer's: a write or sync failed, nothing more goes in */
	bool retiring;	     /* core's */
	bool retire_failed;  /* core's: it was tried before, and a part of it may be done */
	uint64_t recycle;    /* generation of the free file to reuse, 0: a new file */
	struct segment *next, *prev;
};

enum write_kind {
	WRITE_RECORD,
	WRITE_RETIRE
};

struct spool_write {
	struct spool_write *next;
	enum write_kind kind;
	struct segment *segment;
	uint64_t offset;
	struct record_header header;
	unsigned char header_bytes[RECORD_HEADER_SIZE];
	struct span *pieces; /* owned array; bytes kept alive by the owner of the request */
	size_t piece_count;
	/* A large body to be named large/SEQUENCE before the record is written. */
	int large_fd; /* -1: none */
	const char *large_name;
	bool drop_large; /* remove large/SEQUENCE after the sync */
	bool keep_file;	 /* retire: keep the file for reuse */
	enum rc rc;
	struct why why;
	void (*done)(struct spool_write *write); /* on the core loop; owns the request */
	void *owner;				 /* for done() */
};

struct writer;
/* dirfd and large_dirfd are borrowed. */
struct writer *writer_new(struct loop *core, int dirfd, int large_dirfd,
    const struct disk_ops *disk, bool threaded, struct why *why);
void writer_free(struct writer *writer); /* finishes what waits */
void writer_submit(struct writer *writer, struct spool_write *write);
uint64_t writer_syncs(const struct writer *writer);

#define DIGEST_SUFFIX "idx"

/* "000000000000002a.seg" */
#define SEGMENT_NAME_LEN 32
void segment_name(uint64_t generation, const char *suffix, char out[SEGMENT_NAME_LEN]);

#endif
