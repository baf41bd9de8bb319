/* fuzz/fuzz_scan.c - damage in a segment hides nothing that lies behind it. The input is a script: how many records, the
 * type and size of each, then bytes of the file to be changed. Every record that no change has touched is found, at its
 * place, with its bytes, and nothing else is. */
#include "config.h"

#include "fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spool/scan.h"
#include "util/crc32c.h"

enum {
	RECORDS = 24,
	GENERATION = 7,
	SIZE = SEGMENT_HEADER_SIZE + RECORDS * (RECORD_HEADER_SIZE + 8 * 256) + 4096
};

struct placed {
	uint64_t offset;
	struct record_header header;
	bool touched;
};

static uint8_t file[SIZE];

static uint8_t
next(const uint8_t **data, size_t *size)
{
	if (*size == 0)
		return 0;
	--*size;
	return *(*data)++;
}

static uint64_t
place(struct placed *record, uint64_t at, uint64_t sequence, unsigned type, uint32_t size)
{
	uint8_t *payload = file + at + RECORD_HEADER_SIZE;

	for (uint32_t i = 0; i < size; i++)
		payload[i] = (uint8_t)(sequence * 31 + i * 7);
	*record = (struct placed){ .offset = at,
		.header = { .type = (enum record_type)(1 + type % 4),
		    .size = size,
		    .generation = GENERATION,
		    .sequence = sequence,
		    .payload_crc = crc32c(0, payload, size) } };
	record_header_encode(&record->header, file + at);
	return at + record_space(size);
}

static void
change(struct placed *records, size_t count, uint64_t at, uint8_t with)
{
	file[at] ^= with;
	for (size_t i = 0; i < count; i++)
		records[i].touched |=
		    with != 0 && at >= records[i].offset &&
		    at < records[i].offset + RECORD_HEADER_SIZE + records[i].header.size;
}

static void
check(int fd, const struct placed *records, size_t count)
{
	struct scan scan = { 0 };
	struct scan_record found;
	struct why why = WHY_EMPTY;
	uint64_t before = SEGMENT_HEADER_SIZE;
	size_t i = 0;

	scan_begin(&scan, fd, GENERATION, SIZE);
	while (scan_next(&scan, &found, &why) == RC_OK) {
		MUST(found.damaged_from == before && found.offset >= before);
		for (; i < count && records[i].offset < found.offset; i++)
			MUST(records[i].touched);
		/* A change that was taken back has touched, too. */
		MUST(i < count && records[i].offset == found.offset);
		MUST(found.header.sequence == records[i].header.sequence);
		MUST(found.payload.len == records[i].header.size);
		MUST(
		    crc32c(0, found.payload.p, found.payload.len) == records[i].header.payload_crc);
		i++;
		before = found.offset + record_space(found.header.size);
		MUST(scan.at == before);
	}
	for (; i < count; i++)
		MUST(records[i].touched);
	scan_free(&scan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct placed records[RECORDS];
	size_t count = next(&data, &size) % (RECORDS + 1);
	uint64_t end = SEGMENT_HEADER_SIZE;
	int fd;

	memset(file, 0, sizeof file);
	segment_header_encode(GENERATION, SIZE, 1, file);
	for (size_t i = 0; i < count; i++) {
		unsigned type = next(&data, &size);
		uint32_t length = next(&data, &size) * 8U + type / 4 % 8;

		end = place(&records[i], end, i + 1, type, length);
	}
	while (size >= 3) {
		uint64_t at = next(&data, &size);

		at = at << 8 | next(&data, &size);
		change(records, count, SEGMENT_HEADER_SIZE + at % (SIZE - SEGMENT_HEADER_SIZE),
		    next(&data, &size));
	}
	fd = memfd_create("segment", MFD_CLOEXEC);
	if (fd < 0)
		return 0;
	MUST(write(fd, file, sizeof file) == (ssize_t)sizeof file);
	check(fd, records, count);
	(void)close(fd);
	return 0;
}
