/* spool/read.c - one message from its record: for a worker, or for a command. Blocks; touches nothing of the spool that
 * changes. */
#include "config.h"

#include "spool/spool_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/crc32c.h"
#include "util/fault.h"
#include "util/fsutil.h"
#include "util/le.h"

static enum rc
open_large(const struct spool *spool, uint64_t sequence, struct message *m, struct span *content,
    struct why *why)
{
	char name[SEGMENT_NAME_LEN];

	if (content->len < 16)
		return why_set(why, RC_BAD, 0, "spool: damaged record of a large message");
	m->file_at = le_get(content->p, 8);
	m->file_size = le_get(content->p + 8, 8);
	*content = span_skip(*content, 16);
	segment_name(sequence, "body", name);
	m->file_fd = openat(spool->large_dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (m->file_fd < 0)
		return why_errno(why, errno, "spool: large/%s", name);
	return RC_OK;
}

static enum rc
parse(const struct spool *spool, const struct segment *segment, const struct spool_entry *entry,
    struct span bytes, struct message *m, struct why *why)
{
	struct span content = span_skip(bytes, RECORD_HEADER_SIZE);
	struct record_header header;
	size_t used;
	enum rc rc;

	if (record_header_decode(bytes, segment->generation, &header) != RC_OK ||
	    header.sequence != entry->sequence || header.size != entry->size ||
	    crc32c(0, content.p, content.len) != header.payload_crc)
		return why_set(why, RC_BAD, 0, "spool: message %llu is damaged",
		    (unsigned long long)entry->sequence);
	rc = envelope_decode(content, m, &used);
	if (rc != RC_OK)
		return why_set(why, rc, 0, "spool: the envelope of message %llu cannot be read",
		    (unsigned long long)entry->sequence);
	content = span_skip(content, used);
	rc = entry->large ? open_large(spool, entry->sequence, m, &content, why) : RC_OK;
	if (rc != RC_OK)
		return rc;
	m->pieces = malloc(sizeof *m->pieces);
	if (m->pieces == NULL)
		return why_set(why, RC_LATER, 0, "spool: out of memory");
	m->pieces[0] = content;
	m->piece_count = 1;
	m->size = content.len + m->file_size;
	return RC_OK;
}

enum rc
message_read(const struct spool *spool, const struct segment *segment,
    const struct spool_entry *entry, struct message **out, struct why *why)
{
	size_t size = RECORD_HEADER_SIZE + (size_t)entry->size;
	struct message *m = message_new();
	char *memory = malloc(size);
	int fault = fault_point("load");
	enum rc rc;

	*out = NULL;
	if (m == NULL || memory == NULL) {
		free(memory);
		message_unref(m);
		return why_set(why, RC_LATER, 0, "spool: out of memory");
	}
	if (message_own(m, memory) != RC_OK) { /* and memory is freed */
		message_unref(m);
		return why_set(why, RC_LATER, 0, "spool: out of memory");
	}
	rc = fault > 0 ? why_errno(why, fault, "read")
		       : fsutil_pread_all(segment->fd, memory, size, (off_t)entry->offset, why);
	if (rc == RC_OK)
		rc = parse(spool, segment, entry, span_make(memory, size), m, why);
	if (rc == RC_OK) {
		*out = m;
		return RC_OK;
	}
	message_unref(m);
	if (rc == RC_BAD || why->err == EIO || why->err == ENOENT || why->err == ELOOP ||
	    why->err == EUCLEAN)
		why->code = 554; /* trying again is of no use */
	return rc;
}
