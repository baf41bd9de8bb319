/* spool/digest.c - see digest.h; the bytes are described in postrider-spool(5). Nothing in a file is believed: lengths
 * are checked against what is left, although the checksum was right. */
#include "config.h"

#include "spool/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/writer.h"
#include "util/crc32c.h"
#include "util/fault.h"
#include "util/fsutil.h"
#include "util/le.h"

#define DIGEST_MAGIC "PRDIGES\n"

enum {
	DIGEST_VERSION = 2,
	DIGEST_HEADER_SIZE = 64,
	ENTRY_SIZE = 20,
	BRIEF_SIZE = 51,
	AS_BEFORE = 0xffff /* in place of a length: the same domain as the one before */
};

/* ------------------------------------------------------------------ entries ------------------- */

static struct span
domain_of(const char *address)
{
	struct span a = span_of(address);

	return span_skip(a, span_find_last(a, '@') + 1);
}

/* stamp 8, uuid 16, accepted 8, max age 8, not before 8, notice 1, recipients 2; then the account and the domains as strings. */
static void
add_brief(struct buf *out, const struct message *m)
{
	struct span before = SPAN_EMPTY;

	le_add(out, m->id.stamp, 8);
	buf_add(out, m->id.uuid, sizeof m->id.uuid);
	le_add(out, (uint64_t)m->accepted_ms, 8);
	le_add(out, (uint64_t)m->max_age_ms, 8);
	le_add(out, (uint64_t)m->not_before_ms, 8);
	le_add(out, m->notice ? 1 : 0, 1);
	le_add(out, m->recipient_count, 2);
	le_add(out, strlen(m->account), 2);
	buf_add_span(out, span_of(m->account));
	for (size_t i = 0; i < m->recipient_count; i++) {
		struct span domain = domain_of(m->recipients[i].address);

		if (i > 0 && span_eq(domain, before)) {
			le_add(out, AS_BEFORE, 2);
			continue;
		}
		le_add(out, domain.len, 2);
		buf_add_span(out, domain);
		before = domain;
	}
}

/* type 1, length of what follows the entry 3, sequence 8, offset 4, size of the record's payload 4. */
void
digest_add(struct buf *out, const struct scan_record *record, const struct message *envelope)
{
	const struct record_header *header = &record->header;
	struct buf brief = BUF_EMPTY;
	struct span extra = SPAN_EMPTY;

	if (envelope != NULL) {
		add_brief(&brief, envelope);
		extra = buf_span(&brief);
	} else if (header->type == RECORD_STATE) {
		extra = record->payload;
	}
	le_add(out, header->type, 1);
	le_add(out, extra.len, 3);
	le_add(out, header->sequence, 8);
	le_add(out, record->offset, 4);
	le_add(out, header->size, 4);
	buf_add_span(out, extra);
	out->failed |= brief.failed || extra.len > 0xffffff;
	buf_free(&brief);
}

enum rc
digest_get(struct span *rest, struct digest_entry *out)
{
	size_t len;

	if (rest->len == 0)
		return RC_MORE;
	if (rest->len < ENTRY_SIZE)
		return RC_BAD;
	out->header = (struct record_header){ .type = (enum record_type)le_get(rest->p, 1),
		.sequence = le_get(rest->p + 4, 8),
		.size = (uint32_t)le_get(rest->p + 16, 4) };
	out->offset = le_get(rest->p + 12, 4);
	len = (size_t)le_get(rest->p + 1, 3);
	*rest = span_skip(*rest, ENTRY_SIZE);
	if (len > rest->len)
		return RC_BAD;
	out->extra = span_first(*rest, len);
	*rest = span_skip(*rest, len);
	return RC_OK;
}

static bool
skip_string(struct span *rest, bool may_repeat)
{
	size_t len;

	if (rest->len < 2)
		return false;
	len = (size_t)le_get(rest->p, 2);
	*rest = span_skip(*rest, 2);
	if (len == AS_BEFORE && may_repeat)
		return true;
	if (len > rest->len)
		return false;
	*rest = span_skip(*rest, len);
	return true;
}

bool
digest_brief_is_good(struct span brief)
{
	struct span rest = span_skip(brief, BRIEF_SIZE);
	size_t count = brief.len >= BRIEF_SIZE ? (size_t)le_get(brief.p + 49, 2) : 0;

	if (count == 0 || count > MESSAGE_RECIPIENTS_MAX || !skip_string(&rest, false))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!skip_string(&rest, i > 0))
			return false;
	return true;
}

static bool
get_string(struct span *rest, size_t len, char before, char **arena, char **out)
{
	if (len > rest->len)
		return false;
	*out = *arena;
	if (before != '\0')
		*(*arena)++ = before;
	memcpy(*arena, rest->p, len);
	*arena += len;
	*(*arena)++ = '\0';
	*rest = span_skip(*rest, len);
	return true;
}

enum rc
digest_envelope(struct span brief, struct envelope *out)
{
	struct message *m = &out->message;
	struct span rest = span_skip(brief, BRIEF_SIZE);
	char *arena;
	size_t count, len;
	enum rc rc;

	if (brief.len < BRIEF_SIZE + 2)
		return RC_BAD;
	count = (size_t)le_get(brief.p + 49, 2);
	if (count == 0 || count > MESSAGE_RECIPIENTS_MAX)
		return RC_BAD;
	rc = envelope_prepare(out, brief.len + 2 * count + 2, count);
	if (rc != RC_OK)
		return rc;
	m->id.stamp = le_get(brief.p, 8);
	memcpy(m->id.uuid, brief.p + 8, sizeof m->id.uuid);
	m->accepted_ms = (int64_t)le_get(brief.p + 24, 8);
	m->max_age_ms = (int64_t)le_get(brief.p + 32, 8);
	m->not_before_ms = (int64_t)le_get(brief.p + 40, 8);
	m->notice = le_get(brief.p + 48, 1) != 0;
	arena = out->arena;
	len = (size_t)le_get(rest.p, 2);
	rest = span_skip(rest, 2);
	if (!get_string(&rest, len, '\0', &arena, &m->account))
		return RC_BAD;
	for (size_t i = 0; i < count; i++) {
		if (rest.len < 2)
			return RC_BAD;
		len = (size_t)le_get(rest.p, 2);
		rest = span_skip(rest, 2);
		if (len == AS_BEFORE && i > 0)
			m->recipients[i].address = m->recipients[i - 1].address;
		else if (!get_string(&rest, len, '@', &arena, &m->recipients[i].address))
			return RC_BAD;
	}
	m->recipient_count = count;
	return RC_OK;
}

/* ------------------------------------------------------------------ files --------------------- */

/* magic 8, version 4, zero 4, generation 8, stamp 8, end 8, length 8, crc of the entries 4, zero 8, crc 4 at 60. */
static void
head(uint64_t generation, uint64_t stamp, uint64_t end, struct span entries, struct buf *out)
{
	buf_add(out, DIGEST_MAGIC, 8);
	le_add(out, DIGEST_VERSION, 4);
	le_add(out, 0, 4);
	le_add(out, generation, 8);
	le_add(out, stamp, 8);
	le_add(out, end, 8);
	le_add(out, entries.len, 8);
	le_add(out, crc32c(0, entries.p, entries.len), 4);
	le_add(out, 0, 8);
	if (!out->failed)
		le_add(out, crc32c(0, out->mem + out->start, 60), 4);
}

enum rc
digest_write(int dirfd, uint64_t generation, uint64_t stamp, uint64_t end, struct span entries,
    struct why *why)
{
	char name[SEGMENT_NAME_LEN], temporary[SEGMENT_NAME_LEN];
	struct buf header = BUF_EMPTY;
	int fault = fault_point("digest.write"), fd;
	enum rc rc;

	segment_name(generation, DIGEST_SUFFIX, name);
	segment_name(generation, DIGEST_SUFFIX ".new", temporary);
	head(generation, stamp, end, entries, &header);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || header.failed) {
		rc = why_errno(why, fd < 0 ? errno : ENOMEM, "%s", temporary);
		goto out;
	}
	rc = fsutil_write_all(fd, header.mem + header.start, DIGEST_HEADER_SIZE, why);
	if (rc == RC_OK)
		rc = fsutil_write_all(
		    fd, entries.p, fault == FAULT_SHORT ? entries.len / 2 : entries.len, why);
	if (rc == RC_OK && fault > 0)
		rc = why_errno(why, fault, "%s", temporary);
	if (rc == RC_OK && renameat(dirfd, temporary, dirfd, name) != 0)
		rc = why_errno(why, errno, "%s", name);
	if (rc != RC_OK)
		(void)unlinkat(dirfd, temporary, 0);
	(void)fault_point("digest.written");
out:
	if (fd >= 0)
		(void)close(fd);
	buf_free(&header);
	return rc;
}

enum rc
digest_read(
    int dirfd, uint64_t generation, uint64_t stamp, uint64_t *end, struct buf *out, struct why *why)
{
	char name[SEGMENT_NAME_LEN];
	const char *bytes;
	struct stat st;
	char *room;
	size_t got;
	enum rc rc = RC_BAD;
	int fd;

	segment_name(generation, DIGEST_SUFFIX, name);
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, RC_BAD, errno == ENOENT ? ENOENT : 0, "%s: none", name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < DIGEST_HEADER_SIZE)
		goto out;
	room = buf_reserve(out, (size_t)st.st_size, &got);
	if (room == NULL || fsutil_pread_all(fd, room, (size_t)st.st_size, 0, why) != RC_OK)
		goto out;
	bytes = room;
	if (memcmp(bytes, DIGEST_MAGIC, 8) != 0 || le_get(bytes + 60, 4) != crc32c(0, bytes, 60) ||
	    le_get(bytes + 8, 4) != DIGEST_VERSION || le_get(bytes + 16, 8) != generation ||
	    le_get(bytes + 24, 8) != stamp ||
	    le_get(bytes + 40, 8) != (uint64_t)st.st_size - DIGEST_HEADER_SIZE ||
	    le_get(bytes + 48, 4) !=
		crc32c(0, bytes + DIGEST_HEADER_SIZE, (size_t)st.st_size - DIGEST_HEADER_SIZE))
		goto out;
	*end = le_get(bytes + 32, 8);
	buf_commit(out, (size_t)st.st_size);
	buf_consume(out, DIGEST_HEADER_SIZE);
	rc = RC_OK;
out:
	(void)close(fd);
	return rc == RC_OK ? rc : why_set(why, rc, 0, "%s: damaged, or not of this segment", name);
}

enum rc
digest_make(int dirfd, int fd, uint64_t generation, uint64_t stamp, uint64_t size, struct why *why)
{
	struct envelope scratch = { 0 };
	struct scan scan = { 0 };
	struct scan_record record;
	struct buf entries = BUF_EMPTY;
	enum rc rc;

	scan_begin(&scan, fd, generation, size);
	while ((rc = scan_next(&scan, &record, why)) == RC_OK) {
		bool message =
		    record.header.type == RECORD_MESSAGE || record.header.type == RECORD_LARGE;
		size_t used;

		if (record.damaged_from != record.offset ||
		    (message && envelope_view(record.payload, &scratch, &used) != RC_OK)) {
			rc = why_set(why, RC_BAD, 0, "segment %llu: damaged: no digest",
			    (unsigned long long)generation);
			break;
		}
		digest_add(&entries, &record, message ? &scratch.message : NULL);
	}
	if (rc == RC_MORE && entries.failed)
		rc = why_set(why, RC_LATER, 0, "out of memory for a digest");
	if (rc == RC_MORE)
		rc = digest_write(dirfd, generation, stamp, scan.at, buf_span(&entries), why);
	buf_free(&entries);
	scan_free(&scan);
	envelope_free(&scratch);
	return rc;
}
