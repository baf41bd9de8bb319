/* spool/scan.c - see scan.h. In: a file in any state a crash or a bad disk can leave; nothing of it is believed before
 * its checksum was right. */
#include "config.h"

#include "spool/scan.h"

#include <stdlib.h>
#include <string.h>

#include "util/crc32c.h"
#include "util/fsutil.h"

enum {
	WINDOW = 1 << 20
};

void
scan_begin(struct scan *scan, int fd, uint64_t generation, uint64_t size)
{
	scan->fd = fd;
	scan->generation = generation;
	scan->size = size;
	scan->at = SEGMENT_HEADER_SIZE;
	scan->base = 0;
	scan->have = 0;
}

void
scan_free(struct scan *scan)
{
	free(scan->memory);
	scan->memory = NULL;
	scan->capacity = scan->have = 0;
}

/* At least `want` bytes from offset `at`, or all there are. */
static enum rc
window(struct scan *s, uint64_t at, uint64_t want, struct span *out, struct why *why)
{
	uint64_t left = s->size - at, read;
	size_t keep;

	if (want > left)
		want = left;
	if (at >= s->base && at - s->base <= s->have && s->have - (at - s->base) >= want) {
		*out = span_make(s->memory + (at - s->base), s->have - (size_t)(at - s->base));
		return RC_OK;
	}
	keep = at >= s->base && at - s->base < s->have ? s->have - (size_t)(at - s->base) : 0;
	read = want > WINDOW ? want : WINDOW;
	if (read > left)
		read = left;
	if (read > s->capacity) {
		char *memory = malloc((size_t)read);

		if (memory == NULL)
			return why_set(why, RC_LATER, 0, "out of memory");
		if (keep > 0)
			memcpy(memory, s->memory + (at - s->base), keep);
		free(s->memory);
		s->memory = memory;
		s->capacity = (size_t)read;
	} else if (keep > 0) {
		memmove(s->memory, s->memory + (at - s->base), keep);
	}
	s->base = at;
	s->have = keep;
	if (fsutil_pread_all(
		s->fd, s->memory + keep, (size_t)read - keep, (off_t)(at + keep), why) != RC_OK)
		return RC_LATER;
	s->have = (size_t)read;
	*out = span_make(s->memory, s->have);
	return RC_OK;
}

/* RC_OK: a whole good record stands at `at`; RC_BAD: none. */
static enum rc
take(struct scan *s, uint64_t at, struct scan_record *out, struct why *why)
{
	struct span bytes;
	enum rc rc;

	if (s->size - at < RECORD_HEADER_SIZE)
		return RC_BAD;
	rc = window(s, at, RECORD_HEADER_SIZE, &bytes, why);
	if (rc == RC_OK)
		rc = record_header_decode(bytes, s->generation, &out->header);
	if (rc == RC_OK && out->header.size > s->size - at - RECORD_HEADER_SIZE)
		rc = RC_BAD;
	if (rc == RC_OK)
		rc = window(s, at, RECORD_HEADER_SIZE + (uint64_t)out->header.size, &bytes, why);
	if (rc != RC_OK)
		return rc;
	out->offset = at;
	out->payload = span_make(bytes.p + RECORD_HEADER_SIZE, out->header.size);
	return crc32c(0, out->payload.p, out->payload.len) == out->header.payload_crc ? RC_OK
										      : RC_BAD;
}

/* The next place at or behind *at where a header stands, or the size of the file. */
static enum rc
find(struct scan *s, uint64_t *at, struct why *why)
{
	while (*at < s->size) {
		struct span bytes;
		size_t found;
		enum rc rc = window(s, *at, RECORD_HEADER_SIZE, &bytes, why);

		if (rc != RC_OK)
			return rc;
		found = record_find(bytes, 0, s->generation);
		if (found < bytes.len) {
			*at += found;
			return RC_OK;
		}
		if (bytes.len < RECORD_HEADER_SIZE)
			break;
		/* One may stand across the end of the window; offsets stay multiples of RECORD_ALIGN. */
		found = bytes.len - RECORD_HEADER_SIZE + RECORD_ALIGN;
		*at += found & ~(size_t)(RECORD_ALIGN - 1);
	}
	*at = s->size;
	return RC_OK;
}

enum rc
scan_next(struct scan *s, struct scan_record *out, struct why *why)
{
	uint64_t at = s->at;
	enum rc rc;

	while (at < s->size) {
		rc = take(s, at, out, why);
		if (rc == RC_OK) {
			out->damaged_from = s->at;
			s->at = at + record_space(out->header.size);
			if (s->at > s->size)
				s->at = s->size;
			return RC_OK;
		}
		at += RECORD_ALIGN;
		if (rc == RC_BAD)
			rc = at < s->size ? find(s, &at, why) : RC_OK;
		if (rc != RC_OK)
			return rc;
	}
	return RC_MORE;
}

enum rc
scan_look(struct scan *s, uint64_t at, struct why *why)
{
	struct scan_record record;

	return at < s->size ? take(s, at, &record, why) : RC_BAD;
}

enum rc
scan_header(int fd, uint64_t *generation, uint64_t *stamp, struct why *why)
{
	char block[SEGMENT_HEADER_SIZE];
	uint64_t size;
	enum rc rc = fsutil_pread_all(fd, block, sizeof block, 0, why);

	return rc == RC_OK ? segment_header_decode(
				 span_make(block, sizeof block), generation, &size, stamp, why)
			   : rc;
}
