/* mail/transfer.c - see transfer.h.
 * Always true: the same octets give the same text however they are cut. */
#include "config.h"

#include "mail/transfer.h"

/* ------------------------------------------------------------------ quoted-printable ---------- */

void
qp_encoder_init(struct qp_encoder *encoder)
{
	*encoder = (struct qp_encoder){ .column = 0 };
}

/* Room for `len` and for the '=' of a soft line break behind it. What stood in the middle of a line must not become a
 * boundary by standing at the beginning of one. */
static void
qp_put(struct qp_encoder *encoder, const char *text, size_t len, struct buf *out)
{
	if (encoder->column + len > TRANSFER_LINE - 1) {
		buf_add(out, "=\r\n", 3);
		encoder->column = 0;
		if (text[0] == '-') {
			text = "=2D";
			len = 3;
		}
	}
	buf_add(out, text, len);
	encoder->column += len;
}

static void
qp_put_hex(struct qp_encoder *encoder, char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char octet = (unsigned char)c;
	char text[3] = { '=', digits[octet >> 4], digits[octet & 15] };

	qp_put(encoder, text, sizeof text, out);
}

/* at_end: of a line, where it must not stand as it is. */
static void
qp_put_blank(struct qp_encoder *encoder, bool at_end, struct buf *out)
{
	if (encoder->blank == '\0')
		return;
	if (at_end)
		qp_put_hex(encoder, encoder->blank, out);
	else
		qp_put(encoder, &encoder->blank, 1, out);
	encoder->blank = '\0';
}

static void
qp_put_octet(struct qp_encoder *encoder, char c, struct buf *out)
{
	if (encoder->cr && c == '\n') {
		encoder->cr = false;
		qp_put_blank(encoder, true, out);
		buf_add(out, "\r\n", 2);
		encoder->column = 0;
		return;
	}
	if (encoder->cr) {
		encoder->cr = false;
		qp_put_blank(encoder, false, out);
		qp_put_hex(encoder, '\r', out);
	}
	if (c == '\r') {
		encoder->cr = true;
		return;
	}
	qp_put_blank(encoder, false, out);
	if (ascii_is_blank(c))
		encoder->blank = c;
	else if (c > ' ' && c <= '~' && c != '=')
		qp_put(encoder, &c, 1, out);
	else
		qp_put_hex(encoder, c, out);
}

void
qp_encode(struct qp_encoder *encoder, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++)
		qp_put_octet(encoder, in.p[i], out);
}

void
qp_encode_end(struct qp_encoder *encoder, struct buf *out)
{
	qp_put_blank(encoder, !encoder->cr, out);
	if (encoder->cr)
		qp_put_hex(encoder, '\r', out);
	encoder->cr = false;
}

/* ------------------------------------------------------------------ base64 -------------------- */

void
base64_encoder_init(struct base64_encoder *encoder)
{
	*encoder = (struct base64_encoder){ .column = 0 };
}

/* What is held: one to three octets. */
static void
base64_put(struct base64_encoder *encoder, struct buf *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *held = encoder->held;
	size_t len = encoder->held_len;
	unsigned bits = (unsigned)held[0] << 16 | (len > 1 ? (unsigned)held[1] << 8 : 0) |
			(len > 2 ? held[2] : 0U);
	char text[4] = { digits[bits >> 18], digits[bits >> 12 & 63],
		len > 1 ? digits[bits >> 6 & 63] : '=', len > 2 ? digits[bits & 63] : '=' };

	if (encoder->column == TRANSFER_LINE) {
		buf_add(out, "\r\n", 2);
		encoder->column = 0;
	}
	buf_add(out, text, sizeof text);
	encoder->column += sizeof text;
	encoder->held_len = 0;
}

void
base64_encode(struct base64_encoder *encoder, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		encoder->held[encoder->held_len++] = (unsigned char)in.p[i];
		if (encoder->held_len == sizeof encoder->held)
			base64_put(encoder, out);
	}
}

void
base64_encode_end(struct base64_encoder *encoder, struct buf *out)
{
	if (encoder->held_len > 0)
		base64_put(encoder, out);
}
