/* mail/rewrite.h - edits a header as a list of pieces: the bytes of the message are never moved.
 *
 * The result is a list of spans over the received block and over added text, in order; the body follows
 * untouched. Later edits see earlier ones only through the order of pieces. */
#ifndef MAIL_REWRITE_H
#define MAIL_REWRITE_H

#include "mail/header.h"
#include "util/buf.h"

struct rewrite {
	const struct header *header;
	bool *dropped;		   /* per field */
	struct span *replaced;	   /* per field: new text with CR LF, or p == NULL */
	struct span *front, *back; /* added before the first, behind the last field */
	size_t front_count, back_count, front_cap, back_cap;
	char **texts; /* owned added texts */
	size_t text_count, text_cap;
	bool failed; /* out of memory; rewrite_pieces tells */
};

MUST_CHECK enum rc rewrite_init(struct rewrite *rewrite, const struct header *header);
void rewrite_free(struct rewrite *rewrite);

void rewrite_drop(struct rewrite *rewrite, size_t field);
/* text: a whole field with CR LF at the end, copied. */
void rewrite_replace(struct rewrite *rewrite, size_t field, struct span text);
void rewrite_add_front(struct rewrite *rewrite, struct span text); /* the last added comes first */
void rewrite_add_back(struct rewrite *rewrite, struct span text);

/* The new header block in order, without the empty line. *pieces is owned by the caller (free) and
 * borrows from header and rewrite. Adjacent untouched fields are one piece. */
MUST_CHECK enum rc rewrite_pieces(
    const struct rewrite *rewrite, struct span **pieces, size_t *count);

#endif
