/* Unit tests of filter/milter.c and filter/edits.c: what is said and what comes of the answers, whole and byte by byte. */
#include "config.h"

#include "filter/milter.h"
#include "unit/test.h"

#include <stdio.h>

#define HEADER "From: a@b\r\nSubject:  x\r\n y\r\nX-A: 1\r\nX-A: 2\r\n"

enum {

	NO_ANSWERS = 0x0ff080,
	LEADING_SPACE = 0x100000,
	SKIP = 0x400,
	MAX_BODY = 100
};

static const char *const recipients[] = { "r1@d", "r2@d" };
static const struct filter_envelope envelope = { .hostname = "mx",
	.daemon_name = "sub",
	.id = "ID",
	.client_name = "host",
	.client_address = "192.0.2.1",
	.auth_user = "KEY",
	.auth_type = "PLAIN",
	.sender = "s@b",
	.recipients = recipients,
	.recipient_count = 2 };

static void
packet(struct buf *out, char command, struct span data)
{
	size_t len = data.len + 1;

	for (int shift = 24; shift >= 0; shift -= 8)
		buf_add_char(out, (char)(len >> shift & 0xff));
	buf_add_char(out, command);
	buf_add_span(out, data);
}

static void
options(struct buf *out, uint32_t version, uint32_t protocol)
{
	const uint32_t values[] = { version, 0x1ff, protocol };
	char data[12];

	for (size_t i = 0; i < 12; i++)
		data[i] = (char)(values[i / 4] >> (24 - i % 4 * 8) & 0xff);
	packet(out, 'O', span_make(data, 12));
}

/* Packets as text: "L<X-A\0 1\0> ", NUL as '.', line ends as '/'. */
static void
show(struct span packets, struct buf *out)
{
	while (packets.len >= 5) {
		size_t len = (size_t)(unsigned char)packets.p[2] << 8 | (unsigned char)packets.p[3];

		buf_addf(out, "%c<", packets.p[4]);
		for (size_t i = 5; i < len + 4; i++)
			buf_add_char(out, packets.p[i] == '\0' ? '.'
					  : packets.p[i] == '\n' || packets.p[i] == '\r'
					      ? '/'
					      : packets.p[i]);
		buf_addf(out, ">\n");
		packets = span_skip(packets, len + 4);
	}
	assert_int_equal(packets.len, 0);
}

struct dialog {
	struct milter milter;
	struct buf said; /* shown */
	uint32_t version, protocol;
	struct span answers[MILTER_OVER + 1]; /* to the command of a state; p == NULL: continue */
	size_t piece;
	const char *body;
};

static void
hear(struct dialog *d, struct span in)
{
	struct buf out = BUF_EMPTY;

	for (size_t at = 0; at < in.len; at += d->piece)
		milter_feed(&d->milter, span_first(span_skip(in, at), d->piece), &out);
	show(buf_span(&out), &d->said);
	buf_free(&out);
}

static void
run(struct dialog *d)
{
	struct buf out = BUF_EMPTY, answer = BUF_EMPTY;
	struct span body = span_of(d->body != NULL ? d->body : "one\r\ntwo\r\n");

	assert_rc(milter_begin(&d->milter, &envelope, SPAN_LIT(HEADER), MAX_BODY, &out), RC_OK);
	buf_clear(&out);
	options(&answer, d->version, d->protocol);
	hear(d, buf_span(&answer));
	while (d->milter.state != MILTER_OVER) {
		enum milter_state state = d->milter.state;
		struct span given = d->answers[state];

		if (milter_wants_chunk(&d->milter)) {
			milter_chunk(&d->milter, span_first(body, 5), &out);
			body = span_skip(body, 5);
			show(buf_span(&out), &d->said);
			buf_clear(&out);
			continue;
		}
		assert_true(d->milter.waiting);
		buf_clear(&answer);
		packet(&answer, 'c', SPAN_EMPTY);
		hear(d, given.p != NULL ? given : buf_span(&answer));
		if (given.p != NULL && d->milter.state == state && d->milter.waiting)
			milter_closed(&d->milter, "lost");
	}
	buf_free(&out);
	buf_free(&answer);
}

static void
dialog_free(struct dialog *d)
{
	milter_free(&d->milter);
	buf_free(&d->said);
}

static void
check_said(uint32_t version, uint32_t protocol, const char *want)
{
	struct dialog d = { .version = version, .protocol = protocol, .piece = 1 };

	run(&d);
	assert_span(buf_span(&d.said), want);
	assert_int_equal(d.milter.result.verdict, FILTER_PASS);
	assert_null(d.milter.result.header);
	assert_null(d.milter.result.body);
	dialog_free(&d);
}

static void
test_what_is_said(void **state)
{
	(void)state;
	check_said(6, 0,
	    "D<Cj.mx.{daemon_name}.sub.v.postrider " VERSION
	    ".{client_addr}.192.0.2.1.{client_name}.[192.0.2.1].>\n"
	    "C<[192.0.2.1].4..192.0.2.1.>\nD<H>\nH<host.>\n"
	    "D<Mi.ID.{auth_type}.PLAIN.{auth_authen}.KEY.{mail_addr}.s@b.>\nM<<s@b>.>\n"
	    "D<Ri.ID.{rcpt_addr}.r1@d.>\nR<<r1@d>.>\nD<Ri.ID.{rcpt_addr}.r2@d.>\nR<<r2@d>.>\n"
	    "D<Ti.ID.>\nT<>\n"
	    "L<From.a@b.>\nL<Subject. x/ y.>\nL<X-A.1.>\nL<X-A.2.>\nD<Ni.ID.>\nN<>\n"
	    "B<one//>\nB<two//>\nD<Ei.ID.>\nE<>\n");
	/* nothing but the header, with its blanks, and no answers */
	check_said(6, 0x21f | LEADING_SPACE | NO_ANSWERS,
	    "L<From. a@b.>\nL<Subject.  x/ y.>\nL<X-A. 1.>\nL<X-A. 2.>\nD<Ni.ID.>\nN<>\n"
	    "D<Ei.ID.>\nE<>\n");
	check_said(6, 0x26f | NO_ANSWERS, "B<one//>\nB<two//>\nD<Ei.ID.>\nE<>\n");
	check_said(6, 0x27f, "D<Ei.ID.>\nE<>\n");
	check_said(2, 0x67,
	    "D<Ri.ID.{rcpt_addr}.r1@d.>\nR<<r1@d>.>\nD<Ri.ID.{rcpt_addr}.r2@d.>\n"
	    "R<<r2@d>.>\nB<one//>\nB<two//>\nD<Ei.ID.>\nE<>\n"); /* no DATA */
}

/* The name in HELO is what the client claims: no milter is to take it for that of its host, which nobody has looked up. */
static void
check_connect(const char *address, const char *want)
{
	struct filter_envelope from = envelope;
	struct milter milter;
	struct buf out = BUF_EMPTY, answer = BUF_EMPTY, said = BUF_EMPTY;

	from.client_address = address;
	from.client_name = "localhost";
	assert_rc(milter_begin(&milter, &from, SPAN_LIT(HEADER), MAX_BODY, &out), RC_OK);
	buf_clear(&out);
	options(&answer, 6, 0);
	milter_feed(&milter, buf_span(&answer), &out);
	show(buf_span(&out), &said);
	assert_span(span_skip(buf_span(&said), span_find(buf_span(&said), '\n') + 1), want);
	assert_null(memmem(buf_span(&said).p, buf_len(&said), "localhost", 9));
	buf_free(&out);
	buf_free(&answer);
	buf_free(&said);
	milter_free(&milter);
}

static void
test_connect(void **state)
{
	(void)state;
	check_connect("192.0.2.1", "C<[192.0.2.1].4..192.0.2.1.>\n");
	check_connect("2001:db8::1", "C<[IPv6:2001:db8::1].6..2001:db8::1.>\n");
	check_connect("", "C<unknown.U>\n");
}

struct row {
	enum milter_state at;
	struct span answer; /* packets, in the notation of packets(): "C\0data;..." */
	enum filter_verdict verdict;
	int code;
	const char *text;
};

/* One packet for each of the parts: the first byte is the command. */
static void
packets(const struct span *parts, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++)
		packet(out, parts[i].p[0], span_skip(parts[i], 1));
}

static void
test_verdicts(void **state)
{
	static const struct row rows[] = {
		{ MILTER_CONNECT, SPAN_LIT("a"), FILTER_PASS, 0, "" },
		{ MILTER_RCPT, SPAN_LIT("a"), FILTER_PASS, 0, "" },
		{ MILTER_END, SPAN_LIT("a"), FILTER_PASS, 0, "" },
		{ MILTER_BODY, SPAN_LIT("s"), FILTER_PASS, 0, "" },
		{ MILTER_EOH, SPAN_LIT("s"), FILTER_FAILED, 0, "skips what is no body" },
		{ MILTER_MAIL, SPAN_LIT("r"), FILTER_REFUSE, 554,
		    "Message rejected: refused by a content filter." },
		{ MILTER_FIELDS, SPAN_LIT("t"), FILTER_REFUSE, 451, "Temporary service failure" },
		{ MILTER_DATA, SPAN_LIT("d"), FILTER_DROP, 0, "discarded" },
		{ MILTER_END, SPAN_LIT("y550 5.7.1 no\0"), FILTER_REFUSE, 550, "5.7.1 no" },
		{ MILTER_END, SPAN_LIT("y451-4.7.1 one\r\n451 4.7.1 two\r\n\0"), FILTER_REFUSE, 451,
		    "4.7.1 one 4.7.1 two" },
		{ MILTER_END, SPAN_LIT("y421 4.7.0 go\0"), FILTER_REFUSE, 451, "4.7.0 go" },
		{ MILTER_END, SPAN_LIT("y550 a\1\xff\rb\0"), FILTER_REFUSE, 550, "a???b" },
		{ MILTER_END, SPAN_LIT("y550 5.7.1 not DOMAIN\\user\0"), FILTER_REFUSE, 550,
		    "5.7.1 not DOMAIN\\user" },
		{ MILTER_END, SPAN_LIT("y554\0"), FILTER_REFUSE, 554,
		    "Message rejected: refused by a content filter." },
		{ MILTER_END, SPAN_LIT("y454 \0"), FILTER_REFUSE, 451,
		    "Temporary service failure" },
		{ MILTER_END, SPAN_LIT("y250 ok\0"), FILTER_FAILED, 0,
		    "reply without a code of 4xx or 5xx" },
		{ MILTER_END, SPAN_LIT("y\0"), FILTER_FAILED, 0,
		    "reply without a code of 4xx or 5xx" },
		{ MILTER_HELO, SPAN_LIT("f"), FILTER_FAILED, 0, "wants the connection closed" },
		{ MILTER_END, SPAN_LIT("+<x@y>\0"), FILTER_FAILED, 0,
		    "asks for a change that was not offered" },
		{ MILTER_END, SPAN_LIT("e<x@y>\0"), FILTER_FAILED, 0,
		    "asks for a change that was not offered" },
		{ MILTER_EOH, SPAN_LIT("hX\0y\0"), FILTER_FAILED, 0,
		    "changes the message before its end" },
		{ MILTER_END, SPAN_LIT("Z"), FILTER_FAILED, 0, "answer of an unknown kind" },
		{ MILTER_END, SPAN_LIT("O"), FILTER_FAILED, 0, "answer of an unknown kind" },
		{ MILTER_END, SPAN_LIT("hX\0y"), FILTER_FAILED, 0,
		    "change of a header field that makes no sense" },
		{ MILTER_END, SPAN_LIT("m\0\0\0"), FILTER_FAILED, 0,
		    "change of a header field that makes no sense" },
		{ MILTER_END, SPAN_LIT("p"), FILTER_FAILED, 0, "lost" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece < 1001; piece += 999) {
			struct dialog d = { .version = 6, .protocol = SKIP, .piece = piece };
			struct buf answer = BUF_EMPTY;

			packets(&rows[i].answer, 1, &answer);
			d.answers[rows[i].at] = buf_span(&answer);
			run(&d);
			assert_string_equal(d.milter.result.text, rows[i].text);
			assert_int_equal(d.milter.result.verdict, rows[i].verdict);
			assert_int_equal(d.milter.result.code, rows[i].code);
			dialog_free(&d);
			buf_free(&answer);
		}
}

#define PARTS(...) \
	{ \
		__VA_ARGS__ \
	}

static void
test_changes(void **state)
{
	static const struct {
		uint32_t protocol;
		struct span parts[4];
		const char *header; /* NULL: as it was */
		const char *body;
		const char *failed;
	} rows[] = {
		{ 0, PARTS(SPAN_LIT("hX-B\0new\0"), SPAN_LIT("c")), HEADER "X-B: new\r\n", NULL,
		    NULL },
		{ LEADING_SPACE, PARTS(SPAN_LIT("hX-B\0\tnew\n more\0"), SPAN_LIT("a")),
		    HEADER "X-B:\tnew\r\n more\r\n", NULL, NULL },
		{ 0, PARTS(SPAN_LIT("i\0\0\0\0X-B\0a\r\n b\0"), SPAN_LIT("p"), SPAN_LIT("c")),
		    "X-B: a\r\n b\r\n" HEADER, NULL, NULL },
		{ 0, PARTS(SPAN_LIT("i\0\0\0\1X-B\0a\0"), SPAN_LIT("c")),
		    "From: a@b\r\nX-B: a\r\nSubject:  x\r\n y\r\nX-A: 1\r\nX-A: 2\r\n", NULL,
		    NULL },
		{ 0, PARTS(SPAN_LIT("i\xff\xff\xff\xffX-B\0a\0"), SPAN_LIT("c")),
		    HEADER "X-B: a\r\n", NULL, NULL },
		{ 0, PARTS(SPAN_LIT("m\0\0\0\2x-a\0neu\0"), SPAN_LIT("c")),
		    "From: a@b\r\nSubject:  x\r\n y\r\nX-A: 1\r\nx-a: neu\r\n", NULL, NULL },
		{ 0, PARTS(SPAN_LIT("m\0\0\0\1X-A\0\0"), SPAN_LIT("c")),
		    "From: a@b\r\nSubject:  x\r\n y\r\nX-A: 2\r\n", NULL, NULL },
		{ 0,
		    PARTS(
			SPAN_LIT("m\0\0\0\2X-A\0\0"), SPAN_LIT("m\0\0\0\1X-A\0\0"), SPAN_LIT("c")),
		    "From: a@b\r\nSubject:  x\r\n y\r\n", NULL, NULL },
		{ 0, PARTS(SPAN_LIT("m\0\0\0\3X-A\0new\0"), SPAN_LIT("c")), HEADER "X-A: new\r\n",
		    NULL, NULL },
		{ 0, PARTS(SPAN_LIT("m\0\0\0\3X-A\0\0"), SPAN_LIT("c")), NULL, NULL, NULL },
		{ 0, PARTS(SPAN_LIT("bnew"), SPAN_LIT("b body\r\nx"), SPAN_LIT("c")), NULL,
		    "new body\r\nx\r\n", NULL },
		{ 0, PARTS(SPAN_LIT("b"), SPAN_LIT("c")), NULL, "", NULL },
		/* what must not stand in a message */
		{ 0, PARTS(SPAN_LIT("hX-B\0a\nBcc: x\0"), SPAN_LIT("c")), NULL, NULL,
		    "header field with an illegal value" },
		{ 0, PARTS(SPAN_LIT("hX-B\0a\r\n\r\nx\0"), SPAN_LIT("c")), NULL, NULL,
		    "header field with an illegal value" },
		{ 0, PARTS(SPAN_LIT("hX-B\0a\rb\0"), SPAN_LIT("c")), NULL, NULL,
		    "header field with an illegal value" },
		{ 0, PARTS(SPAN_LIT("hX-B\0a\n\0"), SPAN_LIT("c")), NULL, NULL,
		    "header field with an illegal value" },
		{ 0, PARTS(SPAN_LIT("hX B\0a\0"), SPAN_LIT("c")), NULL, NULL,
		    "header field with an illegal name" },
		{ 0, PARTS(SPAN_LIT("hX:\0a\0"), SPAN_LIT("c")), NULL, NULL,
		    "header field with an illegal name" },
		{ 0, PARTS(SPAN_LIT("h\0a\0"), SPAN_LIT("c")), NULL, NULL,
		    "header field with an illegal name" },
		{ 0, PARTS(SPAN_LIT("m\0\0\0\1From\0\0"), SPAN_LIT("c")), NULL, NULL,
		    "new header has no From" },
		{ 0, PARTS(SPAN_LIT("m\0\0\0\1From\0\xff\0"), SPAN_LIT("c")), NULL, NULL,
		    "new header is none" },
		/* which of two would count is a matter of taste; signatures may be several */
		{ 0, PARTS(SPAN_LIT("hfrom\0x@y\0"), SPAN_LIT("c")), NULL, NULL,
		    "new header has a field twice that may stand once" },
		{ 0,
		    PARTS(SPAN_LIT("i\0\0\0\0Content-Type\0a/b\0"),
			SPAN_LIT("hContent-type\0a/b\0"), SPAN_LIT("c")),
		    NULL, NULL, "new header has a field twice that may stand once" },
		{ 0,
		    PARTS(SPAN_LIT("hDKIM-Signature\0a\0"), SPAN_LIT("hDKIM-Signature\0b\0"),
			SPAN_LIT("hTo\0a@b\0"), SPAN_LIT("a")),
		    HEADER "DKIM-Signature: a\r\nDKIM-Signature: b\r\nTo: a@b\r\n", NULL, NULL },
		{ 0, PARTS(SPAN_LIT("ba\nb"), SPAN_LIT("c")), NULL, NULL,
		    "new body has lines that no message may have" },
		{ 0, PARTS(SPAN_LIT("ba\rb\r\n"), SPAN_LIT("c")), NULL, NULL,
		    "new body has lines that no message may have" },
		{ 0, PARTS(SPAN_LIT("ba\0b\r\n"), SPAN_LIT("c")), NULL, NULL,
		    "new body has lines that no message may have" },
		{ 0,
		    PARTS(SPAN_LIT("b0123456789012345678901234567890123456789012345678901234567890"
				   "1234567890123456789012345678901234567890"),
			SPAN_LIT("c")),
		    NULL, NULL, "new body is larger than a message may be" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece < 1001; piece += 999) {
			struct dialog d = {
				.version = 6, .protocol = rows[i].protocol, .piece = piece
			};
			struct buf answer = BUF_EMPTY;
			size_t count = 0;

			while (count < 4 && rows[i].parts[count].p != NULL)
				count++;
			packets(rows[i].parts, count, &answer);
			d.answers[MILTER_END] = buf_span(&answer);
			run(&d);
			assert_string_equal(
			    d.milter.result.text, rows[i].failed != NULL ? rows[i].failed : "");
			assert_int_equal(d.milter.result.verdict,
			    rows[i].failed != NULL ? FILTER_FAILED : FILTER_PASS);
			assert_int_equal(d.milter.result.header != NULL, rows[i].header != NULL);
			if (rows[i].header != NULL)
				assert_span(buf_span(d.milter.result.header), rows[i].header);
			assert_int_equal(d.milter.result.body != NULL, rows[i].body != NULL);
			if (rows[i].body != NULL)
				assert_span(buf_span(d.milter.result.body), rows[i].body);
			dialog_free(&d);
			buf_free(&answer);
		}
}

/* The same packet again and again, until it is too much; how often it was taken. */
static size_t
flood(struct span one, size_t most, const char *why)
{
	struct dialog d = { .version = 6, .protocol = 0x27f, .piece = 1000 };
	struct buf out = BUF_EMPTY, options_packet = BUF_EMPTY, again = BUF_EMPTY;
	size_t count = 0;

	assert_rc(milter_begin(&d.milter, &envelope, SPAN_LIT(HEADER), MAX_BODY, &out), RC_OK);
	options(&options_packet, d.version, d.protocol);
	milter_feed(&d.milter, buf_span(&options_packet), &out);
	assert_int_equal(d.milter.state, MILTER_END);
	packet(&again, one.p[0], span_skip(one, 1));
	for (; d.milter.state != MILTER_OVER && count <= most; count++)
		milter_feed(&d.milter, buf_span(&again), &out);
	assert_int_equal(d.milter.state, MILTER_OVER);
	assert_int_equal(d.milter.result.verdict, FILTER_FAILED);
	assert_string_equal(d.milter.result.text, why);
	buf_free(&out);
	buf_free(&options_packet);
	buf_free(&again);
	dialog_free(&d);
	return count - 1;
}

/* What a milter makes the daemon hold, and do, ends long before its time does. */
static void
test_floods(void **state)
{
	static char long_field[50000];
	size_t taken;

	(void)state;
	assert_in_range(flood(SPAN_LIT("hX\0y\0"), HEADER_COUNT_MAX, "too many header fields"),
	    HEADER_COUNT_MAX - 10, HEADER_COUNT_MAX);
	memset(long_field, 'x', sizeof long_field);
	memcpy(long_field, "hX\0", 3);
	for (size_t i = 500; i < sizeof long_field; i += 500)
		memcpy(long_field + i, "\n ", 2);
	long_field[sizeof long_field - 1] = '\0';
	taken = flood(span_make(long_field, sizeof long_field), 100, "header is too long");
	assert_in_range(taken * sizeof long_field, HEADER_BLOCK_MAX - 60000, HEADER_BLOCK_MAX);
	/* in place of one another */
	assert_in_range(
	    flood(SPAN_LIT("m\0\0\0\1X-A\0y\0"), 10000, "too many changes"), 1000, 5000);
	assert_in_range(flood(SPAN_LIT("m\0\0\0\1X-B\0\0"), 10000, "too many changes"), 1000, 5000);
}

/* What makes room counts, too: a long field, changed to another, over and over. */
static void
test_long_field_changed(void **state)
{
	struct edits edits;
	static char value[60000];
	struct span text = { value, sizeof value };

	(void)state;
	memset(value, 'x', sizeof value);
	for (size_t i = 500; i < sizeof value; i += 500)
		memcpy(value + i, "\n ", 2);
	assert_rc(edits_init(&edits, SPAN_LIT(HEADER)), RC_OK);
	for (int i = 0; i < 100; i++) {
		assert_rc(edits_change(&edits, SPAN_LIT("X-A"), 1, &text, NULL), RC_OK);
		assert_rc(edits_change(&edits, SPAN_LIT("X-C"), 1, &text, NULL), RC_OK);
		assert_rc(edits_change(&edits, SPAN_LIT("X-C"), 1, NULL, NULL), RC_OK);
	}
	edits_free(&edits);
}

static void
test_quarantine_is_a_refusal(void **state)
{
	static const struct span parts[] = { SPAN_LIT("qreason\0"), SPAN_LIT("a") };
	struct dialog d = { .version = 6, .piece = 1 };
	struct buf answer = BUF_EMPTY;

	(void)state;
	packets(parts, 2, &answer);
	d.answers[MILTER_END] = buf_span(&answer);
	run(&d);
	assert_int_equal(d.milter.result.verdict, FILTER_REFUSE);
	assert_string_equal(
	    d.milter.result.text, "Message rejected: held back by a content filter.");
	dialog_free(&d);
	buf_free(&answer);
}

static void
check_begin(struct span in, const char *why)
{
	struct milter milter;
	struct buf out = BUF_EMPTY;

	assert_rc(milter_begin(&milter, &envelope, SPAN_LIT(HEADER), MAX_BODY, &out), RC_OK);
	assert_int_equal(buf_len(&out), 17);
	assert_memory_equal(buf_span(&out).p, "\0\0\0\rO\0\0\0\6\0\0\0\x33\0\x1f\xf7\xff", 17);
	milter_feed(&milter, in, &out);
	assert_int_equal(milter.result.verdict, FILTER_FAILED);
	assert_string_equal(milter.result.text, why);
	milter_free(&milter);
	buf_free(&out);
}

static void
test_bad_beginnings(void **state)
{
	(void)state;
	check_begin(SPAN_LIT("\0\0\0\0"), "packet of an impossible size");
	check_begin(SPAN_LIT("HTTP/1.1 400 Bad Request\r\n"), "packet of an impossible size");
	check_begin(SPAN_LIT("\0\0\0\1c"), "does not begin with options");
	check_begin(SPAN_LIT("\0\0\0\5O\0\0\0\6"), "options are too short");
	check_begin(SPAN_LIT("\0\0\0\rO\0\0\0\1\0\0\0\0\0\0\0\0"),
	    "speaks another version of the protocol");
	check_begin(SPAN_LIT("\0\0\0\rO\0\0\0\7\0\0\0\0\0\0\0\0"),
	    "speaks another version of the protocol");
	/* an answer to a chunk that it does not answer */
	check_begin(SPAN_LIT("\0\0\0\rO\0\0\0\6\0\0\0\0\0\x0f\xf0\xef\0\0\0\1c"),
	    "answers what it was not asked");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_said),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_long_field_changed),
		cmocka_unit_test(test_quarantine_is_a_refusal),
		cmocka_unit_test(test_bad_beginnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
