/* mail/attachment.h - finds the file names of a message's attachments, fed with the body piece by piece. Pure.
 *
 * Follows multiparts and attached messages (RFC 2045, 2046). What lies inside of an encoding is not looked at: an archive,
 * a message in base64, uuencoded text. Memory is bounded by the limits below, time is linear in the size. */
#ifndef MAIL_ATTACHMENT_H
#define MAIL_ATTACHMENT_H

#include "mail/header.h"
#include "mail/mime.h"

enum {
	ATTACHMENT_BOUNDARIES_MAX = 100, /* of multiparts that are open at once */
	ATTACHMENT_BOUNDARY_LEN = 200	 /* RFC 2046 has 70; of longer ones the beginning counts */
};

/* One name, decoded. The first answer that is not RC_OK ends the scan and is what the call under way returns. A name may
 * come more than once, and in every form that some mail reader would make of it. */
typedef enum rc attachment_name(void *arg, struct span name, struct why *why);

enum attachment_state {
	ATTACHMENT_BODY,  /* text, up to a line that begins with '-' */
	ATTACHMENT_LINE,  /* such a line, which may be a delimiter */
	ATTACHMENT_REST,  /* of a line behind which a header begins or goes on */
	ATTACHMENT_FIELD, /* the header of a part */
	ATTACHMENT_OVER	  /* nothing can follow */
};

struct attachment_boundary {
	unsigned level; /* of nesting, from 1 */
	size_t len;
	char text[ATTACHMENT_BOUNDARY_LEN];
};

struct attachment_scan {
	attachment_name *on_name;
	void *arg;
	enum attachment_state state;
	char before;				/* in BODY: the byte before the next one */
	struct attachment_boundary *boundaries; /* outermost first */
	size_t boundary_count;
	unsigned level;
	bool is_multipart, is_message; /* what the header under way has said */

	char line[2 + ATTACHMENT_BOUNDARY_LEN];
	size_t line_len;
	bool line_in_header; /* it began where a field might have */

	struct buf field;
	bool at_line; /* the next byte is the first of a line of the header */
	bool blank;   /* the line under way is empty so far */
	enum {
		FIELD_UNKNOWN,
		FIELD_WANTED,
		FIELD_OTHER
	} interest;
	struct mime_field parsed;
};

/* Reads the message's own header; what is fed then begins with the first byte of the body. In any case attachment_free
 * follows. RC_BAD: a name that on_name does not want, or a structure that cannot be followed (why: 554). */
MUST_CHECK enum rc attachment_begin(struct attachment_scan *scan, const struct header *header,
    attachment_name *on_name, void *arg, struct why *why);
/* False: there are no names in the body, whatever it is; it need not be fed. */
bool attachment_in_body(const struct attachment_scan *scan);
MUST_CHECK enum rc attachment_feed(
    struct attachment_scan *scan, struct span piece, struct why *why);
/* There is no more. */
MUST_CHECK enum rc attachment_end(struct attachment_scan *scan, struct why *why);
void attachment_free(struct attachment_scan *scan);

/* The name ends in "." and one of these (compared without case), as Windows reads it: blanks and dots at the end, and
 * what is behind a NUL, do not count. */
bool attachment_has_extension(struct span name, char *const *extensions, size_t count);

#endif
