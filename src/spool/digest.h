/* spool/digest.h - GENERATION.idx: what a start needs of a segment that is complete, without its messages' text.
 *
 * One entry for each record, in their order, so a start that reads digests does what it would have done with the records.
 * Nothing in a segment changes once it is complete, so a digest is right for ever or not at all: it names the segment's
 * generation and stamp and its own checksum. It is never needed: in any doubt the segment itself is read. */
#ifndef SPOOL_DIGEST_H
#define SPOOL_DIGEST_H

#include "spool/message.h"
#include "spool/scan.h"

struct spool;

/* Appends the entry of a record; `envelope` is that of a message, NULL for others. A failure sticks to the buffer. */
void digest_add(struct buf *out, const struct scan_record *record, const struct message *envelope);

struct digest_entry {
	struct record_header header; /* type, size and sequence only */
	uint64_t offset;
	struct span extra; /* of a message its brief, of a state the state */
};

/* The next entry; RC_MORE: none is left; RC_BAD. */
MUST_CHECK enum rc digest_get(struct span *rest, struct digest_entry *out);
/* Whether digest_envelope would take it. */
bool digest_brief_is_good(struct span brief);
/* The brief of a message as an envelope: id, times, flags, account, and "@domain" of each recipient; the rest is empty. */
MUST_CHECK enum rc digest_envelope(struct span brief, struct envelope *out);

/* end: of the records in the segment. Replaces an older one; not synced. */
MUST_CHECK enum rc digest_write(int dirfd, uint64_t generation, uint64_t stamp, uint64_t end,
    struct span entries, struct why *why);
/* All entries, checked, into *out (at buf_span). RC_BAD: there is none, or not of this segment, or damaged. */
MUST_CHECK enum rc digest_read(int dirfd, uint64_t generation, uint64_t stamp, uint64_t *end,
    struct buf *out, struct why *why);

/* Makes the digest of a whole segment file: blocks. RC_BAD: it is damaged, and gets none. */
MUST_CHECK enum rc digest_make(
    int dirfd, int fd, uint64_t generation, uint64_t stamp, uint64_t size, struct why *why);

/* On a worker, for the next complete segment that has none; when it is done, the next. */
void digest_next(struct spool *spool);
/* At a clean end, for those that still have none. Blocks. */
void digest_finish(struct spool *spool);

#endif
