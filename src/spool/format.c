/* spool/format.c - encodes and checks headers of segments and records. */
#include "config.h"

#include "spool/format.h"

#include <string.h>

#include "util/crc32c.h"
#include "util/le.h"

#define SEGMENT_MAGIC "PRSPOOL\n"
#define RECORD_MAGIC  "PRr1"

/* magic 8, version 4, zero 4, generation 8, size 8, stamp 8, crc 4 at 40; the rest is zero. */
void
segment_header_encode(uint64_t generation, uint64_t segment_size, uint64_t stamp,
    unsigned char out[SEGMENT_HEADER_SIZE])
{
	memset(out, 0, SEGMENT_HEADER_SIZE);
	memcpy(out, SEGMENT_MAGIC, 8);
	le_put(out + 8, SPOOL_FORMAT_VERSION, 4);
	le_put(out + 16, generation, 8);
	le_put(out + 24, segment_size, 8);
	le_put(out + 32, stamp, 8);
	le_put(out + 40, crc32c(0, out, 40), 4);
}

void
segment_header_set_version(unsigned char header[SEGMENT_HEADER_SIZE], uint32_t version)
{
	le_put(header + 8, version, 4);
	le_put(header + 40, crc32c(0, header, 40), 4);
}

/* Bytes 0 to 43 keep their meaning in all versions, so that an older program can tell "newer" from "damaged". */
enum rc
segment_header_decode(struct span block, uint64_t *generation, uint64_t *segment_size,
    uint64_t *stamp, struct why *why)
{
	uint64_t version;

	if (block.len < SEGMENT_HEADER_SIZE || memcmp(block.p, SEGMENT_MAGIC, 8) != 0)
		return why_set(why, RC_BAD, 0, "not a segment");
	if (le_get(block.p + 40, 4) != crc32c(0, block.p, 40))
		return why_set(why, RC_BAD, 0, "damaged segment header");
	version = le_get(block.p + 8, 4);
	if (version > SPOOL_FORMAT_VERSION)
		return why_set(why, RC_DENY, 0,
		    "format version %u is newer than this program's (%d): upgrade postrider",
		    (unsigned)version, SPOOL_FORMAT_VERSION);
	*generation = le_get(block.p + 16, 8);
	*segment_size = le_get(block.p + 24, 8);
	*stamp = le_get(block.p + 32, 8);
	return RC_OK;
}

/* magic 4, type 1, zero 3, size 4, payload crc 4, generation 8, sequence 8, header crc 4, zero 4. */
void
record_header_encode(const struct record_header *header, unsigned char out[RECORD_HEADER_SIZE])
{
	memset(out, 0, RECORD_HEADER_SIZE);
	memcpy(out, RECORD_MAGIC, 4);
	le_put(out + 4, header->type, 1);
	le_put(out + 8, header->size, 4);
	le_put(out + 12, header->payload_crc, 4);
	le_put(out + 16, header->generation, 8);
	le_put(out + 24, header->sequence, 8);
	le_put(out + 32, crc32c(0, out, 32), 4);
}

enum rc
record_header_decode(struct span bytes, uint64_t generation, struct record_header *out)
{
	if (bytes.len < RECORD_HEADER_SIZE || memcmp(bytes.p, RECORD_MAGIC, 4) != 0)
		return RC_BAD;
	if (le_get(bytes.p + 32, 4) != crc32c(0, bytes.p, 32))
		return RC_BAD;
	out->type = (enum record_type)le_get(bytes.p + 4, 1);
	out->size = (uint32_t)le_get(bytes.p + 8, 4);
	out->payload_crc = (uint32_t)le_get(bytes.p + 12, 4);
	out->generation = le_get(bytes.p + 16, 8);
	out->sequence = le_get(bytes.p + 24, 8);
	return out->generation == generation ? RC_OK : RC_BAD;
}

size_t
record_find(struct span bytes, size_t from, uint64_t generation)
{
	struct record_header header;
	const char *at;

	while (from < bytes.len) {
		at = memmem(bytes.p + from, bytes.len - from, RECORD_MAGIC, 4);
		if (at == NULL)
			break;
		from = (size_t)(at - bytes.p);
		if (from % RECORD_ALIGN == 0 &&
		    record_header_decode(span_skip(bytes, from), generation, &header) == RC_OK)
			return from;
		from++;
	}
	return bytes.len;
}
