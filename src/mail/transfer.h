/* mail/transfer.h - writes quoted-printable and base64 (RFC 2045 sections 6.7, 6.8), fed in pieces of any size. Pure.
 *
 * No line of what is written is longer than 76 octets, and all of it is ASCII. Memory that is out shows in out->failed. */
#ifndef MAIL_TRANSFER_H
#define MAIL_TRANSFER_H

#include "util/buf.h"

enum {
	TRANSFER_LINE = 76
};

/* CR LF is a line end, and nothing else is: all other octets come back as they are. A line that is broken here goes on
 * with anything but '-', so that no boundary comes into being. */
struct qp_encoder {
	size_t column;
	char blank; /* held back: it may be the last of its line */
	bool cr;    /* held back: LF may follow */
};
void qp_encoder_init(struct qp_encoder *encoder);
void qp_encode(struct qp_encoder *encoder, struct span in, struct buf *out);
void qp_encode_end(struct qp_encoder *encoder, struct buf *out);

struct base64_encoder {
	size_t column;
	unsigned char held[3];
	size_t held_len;
};
void base64_encoder_init(struct base64_encoder *encoder);
void base64_encode(struct base64_encoder *encoder, struct span in, struct buf *out);
/* The last line has no line end. */
void base64_encode_end(struct base64_encoder *encoder, struct buf *out);

#endif
