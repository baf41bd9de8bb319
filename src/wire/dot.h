/* wire/dot.h - the end of data and dot-stuffing (RFC 5321 section 4.5.2), both ways.
 *
 * CR LF . CR LF is the only end. Bare CR, bare LF and NUL in the content are noted with their offset and
 * the message is read to its true end, so that the session stays in step; the caller refuses it then. */
#ifndef WIRE_DOT_H
#define WIRE_DOT_H

#include "util/buf.h"

enum dot_fault {
	DOT_FAULT_NONE,
	DOT_FAULT_BARE_CR,
	DOT_FAULT_BARE_LF,
	DOT_FAULT_NUL
};

struct dot_decoder {
	int state;	       /* private */
	enum dot_fault fault;  /* the first one seen */
	uint64_t fault_at;     /* its offset in the decoded content */
	uint64_t size;	       /* decoded bytes so far */
	uint64_t longest_line; /* without CR LF, so far */
	uint64_t line;	       /* private: length of the line under way */
	bool has_8bit;	       /* an octet above 127 was seen */
};

void dot_decoder_init(struct dot_decoder *decoder);

/* Decode from `in` and give the content to `out` as slices that borrow from `in` (so a plain body is
 * never copied byte by byte): at most `max` slices, *count of them used; *used is what was taken of `in`.
 * RC_OK: the end of data was read (bytes behind it are not taken). RC_MORE: feed more (or call again when
 * *used < in.len: the slices were full). Runs at memchr speed over long lines. */
MUST_CHECK enum rc dot_decode(struct dot_decoder *decoder, struct span in, struct span *out,
    size_t max, size_t *count, size_t *used);

/* The other way: content that ends in CR LF, in pieces of any size. State: at the start of a line? */
struct dot_encoder {
	bool line_start;
};

void dot_encoder_init(struct dot_encoder *encoder);

/* Append the stuffed form of `in` to `out`. The end of data itself (".\r\n") is added by the caller. */
void dot_encode(struct dot_encoder *encoder, struct span in, struct buf *out);

/* Whether any line of the content starts with a dot; false means it can be sent as it is. `line_start`
 * says whether `in` begins a line. */
bool dot_needs_stuffing(struct span in, bool line_start);

#endif
