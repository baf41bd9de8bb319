/* spool/inspect.h - a look at a spool directory from outside, by the code that the daemon reads it with.
 *
 * Nothing is made, changed, removed or locked. When a daemon has the spool, what is seen is of the moment: records that
 * are being written may be missing. Needs no loop; blocks. */
#ifndef SPOOL_INSPECT_H
#define SPOOL_INSPECT_H

#include "spool/spool.h"

struct inspection;

struct inspect_finding {
	char file[64];	   /* "0000000000000001.seg", "large/0000000000000001.body" */
	uint64_t from, to; /* the bytes; to == from: the file as a whole */
	char text[128];
	bool damage; /* false: what a crash leaves, and the daemon's next start puts right */
};

struct inspect_message {
	struct spool_entry entry; /* first: see inspect.c */
	struct message_id id;
	int64_t accepted_ms;
	char *account;
	unsigned recipients;
	char *state; /* state_size bytes of the last state record, or NULL */
	size_t state_size;
};

struct inspect_totals {
	uint64_t segments, segment_bytes, used_bytes, live_bytes, free_files, bad_files, digests;
	uint64_t records_of_messages, messages, large_files, large_bytes;
	bool in_use; /* a daemon holds the spool */
};

/* everything: every record and every digest is read and compared, and large messages are looked for; else digests are
 * believed as the daemon's start does. RC_DENY: of a newer version. */
MUST_CHECK enum rc inspect_open(
    const char *directory, bool everything, struct inspection **out, struct why *why);
void inspect_close(struct inspection *inspection);

const struct inspect_totals *inspect_totals(const struct inspection *inspection);
const struct inspect_finding *inspect_findings(const struct inspection *inspection, size_t *count);
/* The i-th message that is not over, in the order of acceptance; NULL behind the last. */
const struct inspect_message *inspect_message(const struct inspection *inspection, size_t i);
/* One reference in *out. */
MUST_CHECK enum rc inspect_read(const struct inspection *inspection,
    const struct inspect_message *message, struct message **out, struct why *why);

#endif
