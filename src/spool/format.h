/* spool/format.h - the bytes of a segment file; postrider-spool(5) is their description for operators.
 *
 * A segment begins with one header block of SEGMENT_HEADER_SIZE bytes, then records follow, each padded to
 * 8 bytes. All numbers are little-endian. Pure: no files here. */
#ifndef SPOOL_FORMAT_H
#define SPOOL_FORMAT_H

#include "util/rc.h"
#include "util/span.h"

enum {
	SPOOL_FORMAT_VERSION = 1,
	SEGMENT_HEADER_SIZE = 4096,
	RECORD_HEADER_SIZE = 40,
	RECORD_ALIGN = 8
};

enum record_type {
	RECORD_MESSAGE = 1, /* envelope, then the content */
	RECORD_LARGE = 2,   /* envelope, then u64 body size and the header; the body is large/SEQ */
	RECORD_STATE = 3,   /* what became of each recipient so far: replaces earlier ones */
	RECORD_DONE = 4	    /* nothing is left to do: the message may be forgotten */
};

struct record_header {
	enum record_type type;
	uint32_t size;	     /* of the payload */
	uint64_t generation; /* of the segment: bytes of an earlier use are never taken for new */
	uint64_t sequence;   /* of the message */
	uint32_t payload_crc;
};

/* Bytes a record takes, padding included. */
static inline uint64_t
record_space(uint64_t payload)
{
	return (RECORD_HEADER_SIZE + payload + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}

/* stamp: random, so that what was derived from one use of a file is never taken for another's. */
void segment_header_encode(uint64_t generation, uint64_t segment_size, uint64_t stamp,
    unsigned char out[SEGMENT_HEADER_SIZE]);
/* For tests of upgrades: another version, and the checksum that goes with it. */
void segment_header_set_version(unsigned char header[SEGMENT_HEADER_SIZE], uint32_t version);
/* RC_BAD: not a segment of ours or damaged; RC_DENY: of a newer version, do not touch. */
MUST_CHECK enum rc segment_header_decode(struct span block, uint64_t *generation,
    uint64_t *segment_size, uint64_t *stamp, struct why *why);

void record_header_encode(
    const struct record_header *header, unsigned char out[RECORD_HEADER_SIZE]);
/* RC_BAD: no record header of this generation stands here. */
MUST_CHECK enum rc record_header_decode(
    struct span bytes, uint64_t generation, struct record_header *out);

/* The offset of the next place at or behind `from` where a record header of this generation stands, or
 * bytes.len. For going on behind damage. */
size_t record_find(struct span bytes, size_t from, uint64_t generation);

#endif
