/* mail/sevenbit.h - makes a message 7-bit, so that hosts without 8BITMIME take it (RFC 6152 section 3, RFC 2045). Pure.
 *
 * Two passes over the same bytes, so that large messages need not be in memory: sevenbit_scan looks at the structure and
 * makes a plan, sevenbit_apply writes the message by it. A part with octets above 127 becomes quoted-printable when it is
 * text, unless it is mostly such octets, and base64 otherwise; its Content-Transfer-Encoding says so, and that of parts
 * around it becomes 7bit. All else stays as it is, to the octet:
 * - multipart/signed, and what it holds: its signature is over the octets;
 * - parts that are encoded already, or in a way that nobody knows;
 * - message/ types that must not be encoded; message/rfc822 is gone into;
 * - octets above 127 in headers, and before the first and behind the last part.
 *
 * Where readers could see different structures nothing is converted at all (plan.doubt): repeated fields, lines that are
 * nearly a boundary, line ends other than CR LF, headers that are none, nesting without end. */
#ifndef MAIL_SEVENBIT_H
#define MAIL_SEVENBIT_H

#include "mail/mime.h"
#include "mail/transfer.h"

enum {
	SEVENBIT_DEPTH_MAX = 32,
	SEVENBIT_PARTS_MAX = 1000,
	SEVENBIT_BOUNDARY_MAX = 200, /* RFC 2046 has 70 */
	SEVENBIT_FIELD_MAX = 64 * 1024
};

struct sevenbit_edit {
	uint64_t at, end; /* of the message's bytes */
	const char *text; /* stands there instead; NULL: the bytes, encoded */
	bool base64;
	bool at_eof; /* no boundary follows */
	size_t order;
};

struct sevenbit_plan {
	struct sevenbit_edit *edits; /* by place, none overlaps another */
	size_t count, cap;
	bool remains;	   /* octets above 127 stay: 8BITMIME is needed all the same */
	const char *doubt; /* why nothing is converted, or NULL */
};
void sevenbit_plan_free(struct sevenbit_plan *plan);

/* An entity that is open: the message, a part, a message in a part. */
struct sevenbit_level {
	enum {
		SEVENBIT_HEADER, /* being read */
		SEVENBIT_LEAF,
		SEVENBIT_OPAQUE, /* a leaf that stays as it is */
		SEVENBIT_MULTIPART,
		SEVENBIT_MESSAGE
	} kind;
	bool is_message; /* its header is that of a message, where MIME-Version belongs */
	bool is_digest;
	bool has_version, has_type, has_encoding;
	enum {
		SEVENBIT_7BIT, /* or none */
		SEVENBIT_8BIT, /* or binary */
		SEVENBIT_ENCODED
	} encoding;
	bool remains, changed;
	bool over;		      /* a multipart whose last boundary has come */
	uint64_t field_at, field_end; /* Content-Transfer-Encoding */
	uint64_t header_end, content_at;
	uint64_t octets_8bit; /* in its content, but for that of entities within */
	enum sevenbit_type {
		SEVENBIT_TYPE_TEXT,
		SEVENBIT_TYPE_OTHER,
		SEVENBIT_TYPE_MULTIPART,
		SEVENBIT_TYPE_SIGNED,
		SEVENBIT_TYPE_MESSAGE, /* message/rfc822 */
		SEVENBIT_TYPE_FIXED    /* must not be encoded */
	} type;
	size_t boundary_len;
	char boundary[SEVENBIT_BOUNDARY_MAX];
};

struct sevenbit_scan {
	struct sevenbit_plan *plan;
	struct sevenbit_level levels[SEVENBIT_DEPTH_MAX]; /* outermost first */
	size_t depth, parts;
	uint64_t at, line_at; /* bytes seen; where the line under way began */
	bool cr;	      /* the last byte was CR */
	uint64_t line_8bit;
	struct buf line;      /* of a header: all of it; else its beginning */
	bool line_ends_blank; /* what is not kept of it is only blanks */
	struct buf field;     /* the field under way, with folding */
	uint64_t field_at;
	struct mime_field parsed;
};

/* What is fed begins with the first byte of the header. `plan` (all zero) is filled; in any case sevenbit_scan_free
 * and sevenbit_plan_free follow. RC_LATER: out of memory. */
void sevenbit_scan_begin(struct sevenbit_scan *scan, struct sevenbit_plan *plan);
MUST_CHECK enum rc sevenbit_scan_feed(struct sevenbit_scan *scan, struct span in);
/* There is no more. The plan is complete; without edits there is nothing to convert. */
MUST_CHECK enum rc sevenbit_scan_end(struct sevenbit_scan *scan);
void sevenbit_scan_free(struct sevenbit_scan *scan);

/* The second pass, over the same bytes. */
struct sevenbit_apply {
	const struct sevenbit_plan *plan; /* borrowed */
	size_t next;
	uint64_t at;
	bool begun; /* the edit at hand */
	struct qp_encoder qp;
	struct base64_encoder base64;
};
void sevenbit_apply_begin(struct sevenbit_apply *apply, const struct sevenbit_plan *plan);
/* Appends to `out` what becomes of these bytes. The header's bytes become the header, when they are fed apart from the
 * rest. */
void sevenbit_apply_feed(struct sevenbit_apply *apply, struct span in, struct buf *out);
void sevenbit_apply_end(struct sevenbit_apply *apply, struct buf *out);

#endif
