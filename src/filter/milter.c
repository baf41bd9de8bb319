/* filter/milter.c - asks a milter about one message.
 *
 * The table `steps` is the order of commands, which of them a milter may do without (SMFIP_NO*), and which it does not answer
 * (SMFIP_NR_*). Always true: there is one answer for one command; changes come between the end of the message and the answer
 * to it, and nowhere else; memory is bounded by the limits of a header, max_body, and one packet. */
#include "config.h"

#include "filter/milter.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/log.h"

enum {
	OUR_VERSION = 6,
	OLDEST_VERSION = 2,
	ACTIONS =
	    0x01 | 0x02 | 0x10 | 0x20, /* add fields, change body, change fields, quarantine */
	PROTOCOL = 0x1ff7ff,	       /* all of version 6 but refused recipients */
	PROTOCOL_SKIP = 0x400,
	PROTOCOL_LEADING_SPACE = 0x100000,
	CHANGES_MAX = 4 * HEADER_COUNT_MAX, /* each costs a walk over the header */
	LINE_MAX_OCTETS = 998
};

/* ------------------------------------------------------------------ the end ------------------- */

/* text: printable. */
static void
end(struct milter *m, enum filter_verdict verdict, int code, struct span text)
{
	m->state = MILTER_OVER;
	m->waiting = false;
	m->result.verdict = verdict;
	m->result.code = code;
	(void)span_copy(
	    span_first(text, sizeof m->result.text - 1), m->result.text, sizeof m->result.text);
}

static void
fail(struct milter *m, const char *why)
{
	char safe[sizeof m->result.text];

	end(m, FILTER_FAILED, 0, span_of(log_safe(span_of(why), safe, sizeof safe)));
}

void
milter_closed(struct milter *m, const char *why)
{
	if (m->state != MILTER_OVER)
		fail(m, why);
}

void
milter_free(struct milter *m)
{
	buf_free(&m->in);
	buf_free(&m->body);
	buf_free(&m->header);
	edits_free(&m->edits);
}

/* ------------------------------------------------------------------ packets out --------------- */

static void
add_u32(uint32_t value, struct buf *out)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_add_char(out, (char)(value >> shift & 0xff));
}

static void
add_packet(char command, struct span data, struct buf *out)
{
	add_u32((uint32_t)data.len + 1, out);
	buf_add_char(out, command);
	buf_add_span(out, data);
}

static void
add_text(const char *text, struct buf *data)
{
	buf_add(data, text, strlen(text) + 1);
}

/* NAME, NUL, VALUE, NUL. */
static void
add_macro(const char *name, const char *value, struct buf *data)
{
	if (value[0] == '\0')
		return;
	add_text(name, data);
	add_text(value, data);
}

/* Sends what was put together, and forgets it. */
static void
send_data(struct milter *m, char command, struct buf *data, struct buf *out)
{
	if (data->failed)
		fail(m, "out of memory");
	else
		add_packet(command, buf_span(data), out);
	buf_free(data);
}

/* Macros that go with a command: command, then the pairs. */
static void
send_macros(struct milter *m, char command, struct buf *pairs, struct buf *out)
{
	struct buf data = BUF_EMPTY;

	buf_add_char(&data, command);
	buf_add_span(&data, buf_span(pairs));
	data.failed |= pairs->failed;
	buf_free(pairs);
	send_data(m, 'D', &data, out);
}

/* ------------------------------------------------------------------ commands ------------------ */

/* Nobody has looked up what the client's host is called, and what it says of itself in EHLO must not stand for that:
 * milters have lists of hosts that they trust. As sendmail says it then. */
static void
format_host(const char *address, char *out, size_t size)
{
	if (address[0] == '\0')
		(void)snprintf(out, size, "unknown");
	else
		(void)snprintf(
		    out, size, "[%s%s]", strchr(address, ':') != NULL ? "IPv6:" : "", address);
}

static void
send_connect(struct milter *m, struct buf *out)
{
	const struct filter_envelope *e = m->envelope;
	struct buf macros = BUF_EMPTY, data = BUF_EMPTY;
	char host[80];

	format_host(e->client_address, host, sizeof host);
	add_macro("j", e->hostname, &macros);
	add_macro("{daemon_name}", e->daemon_name, &macros);
	add_macro("v", "postrider " VERSION, &macros);
	add_macro("{client_addr}", e->client_address, &macros);
	add_macro("{client_name}", host, &macros);
	send_macros(m, 'C', &macros, out);
	add_text(host, &data);
	if (e->client_address[0] == '\0') {
		buf_add_char(&data, 'U');
	} else {
		buf_add_char(&data, strchr(e->client_address, ':') != NULL ? '6' : '4');
		buf_add(&data, "\0", 2); /* port 0: not known */
		add_text(e->client_address, &data);
	}
	send_data(m, 'C', &data, out);
}

static void
send_helo(struct milter *m, struct buf *out)
{
	struct buf macros = BUF_EMPTY, data = BUF_EMPTY;

	add_macro("{tls_version}", m->envelope->tls ? "TLS" : "", &macros);
	send_macros(m, 'H', &macros, out);
	add_text(m->envelope->client_name, &data);
	send_data(m, 'H', &data, out);
}

static void
send_mail(struct milter *m, struct buf *out)
{
	const struct filter_envelope *e = m->envelope;
	struct buf macros = BUF_EMPTY, data = BUF_EMPTY;

	add_macro("i", e->id, &macros);
	add_macro("{auth_type}", e->auth_type, &macros);
	add_macro("{auth_authen}", e->auth_user, &macros);
	add_macro("{mail_addr}", e->sender, &macros);
	send_macros(m, 'M', &macros, out);
	buf_addf(&data, "<%s>", e->sender);
	buf_add_char(&data, '\0');
	send_data(m, 'M', &data, out);
}

static void
send_rcpt(struct milter *m, struct buf *out)
{
	const char *recipient = m->envelope->recipients[m->item];
	struct buf macros = BUF_EMPTY, data = BUF_EMPTY;

	add_macro("i", m->envelope->id, &macros);
	add_macro("{rcpt_addr}", recipient, &macros);
	send_macros(m, 'R', &macros, out);
	buf_addf(&data, "<%s>", recipient);
	buf_add_char(&data, '\0');
	send_data(m, 'R', &data, out);
}

/* A command without data, with the id of the message. */
static void
send_bare(struct milter *m, char command, struct buf *out)
{
	struct buf macros = BUF_EMPTY;

	add_macro("i", m->envelope->id, &macros);
	send_macros(m, command, &macros, out);
	add_packet(command, SPAN_EMPTY, out);
}

static void
send_data_command(struct milter *m, struct buf *out)
{
	if (m->version >= 4) /* older ones do not know it */
		send_bare(m, 'T', out);
}

static void
send_field(struct milter *m, struct buf *out)
{
	const struct edit_field *field = &m->edits.fields[m->item];
	struct span value = edits_value(&m->edits, m->item), line;
	struct buf data = BUF_EMPTY;
	bool first = true;

	buf_add_span(&data, span_first(field->whole, field->name_len));
	buf_add_char(&data, '\0');
	if ((m->protocol & PROTOCOL_LEADING_SPACE) == 0 && value.len > 0 && value.p[0] == ' ')
		value = span_skip(value, 1);
	while (span_next(&value, '\n', &line)) { /* the lines of a value are separated by LF */
		if (!first)
			buf_add_char(&data, '\n');
		first = false;
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		buf_add_span(&data, line);
	}
	buf_add_char(&data, '\0');
	send_data(m, 'L', &data, out);
}

static void
send_eoh(struct milter *m, struct buf *out)
{
	send_bare(m, 'N', out);
}

static void
send_end(struct milter *m, struct buf *out)
{
	send_bare(m, 'E', out);
}

static const struct {
	uint32_t skipped;    /* the milter does without */
	uint32_t unanswered; /* it does not answer */
	void (*send)(struct milter *m, struct buf *out);
} steps[] = {
	[MILTER_CONNECT] = { 0x001, 0x01000, send_connect },
	[MILTER_HELO] = { 0x002, 0x02000, send_helo },
	[MILTER_MAIL] = { 0x004, 0x04000, send_mail },
	[MILTER_RCPT] = { 0x008, 0x08000, send_rcpt },
	[MILTER_DATA] = { 0x200, 0x10000, send_data_command },
	[MILTER_FIELDS] = { 0x020, 0x00080, send_field },
	[MILTER_EOH] = { 0x040, 0x40000, send_eoh },
	[MILTER_BODY] = { 0x010, 0x80000, NULL },
	[MILTER_END] = { 0, 0, send_end },
};

/* How often the command of this state is sent. */
static size_t
items(const struct milter *m)
{
	switch (m->state) {
	case MILTER_RCPT:
		return m->envelope->recipient_count;
	case MILTER_FIELDS:
		return m->edits.count;
	case MILTER_DATA:
		return m->version >= 4 ? 1 : 0;
	default:
		return 1;
	}
}

/* Sends commands up to one that has an answer, or to the body. */
static void
go_on(struct milter *m, struct buf *out)
{
	while (m->state != MILTER_OVER && !m->waiting) {
		if ((m->protocol & steps[m->state].skipped) != 0 || m->item == items(m)) {
			m->state++;
			m->item = 0;
			continue;
		}
		if (m->state == MILTER_BODY)
			return;
		steps[m->state].send(m, out);
		m->item++;
		if (m->state != MILTER_OVER)
			m->waiting = (m->protocol & steps[m->state].unanswered) == 0;
	}
}

bool
milter_wants_chunk(const struct milter *m)
{
	return m->state == MILTER_BODY && !m->waiting;
}

void
milter_chunk(struct milter *m, struct span bytes, struct buf *out)
{
	if (!milter_wants_chunk(m))
		return;
	if (bytes.len > 0) {
		add_packet('B', bytes, out);
		m->waiting = (m->protocol & steps[MILTER_BODY].unanswered) == 0;
	} else {
		m->item = 1;
		go_on(m, out);
	}
}

enum rc
milter_begin(struct milter *m, const struct filter_envelope *envelope, struct span header,
    size_t max_body, struct buf *out)
{
	struct buf data = BUF_EMPTY;
	enum rc rc;

	*m = (struct milter){
		.state = MILTER_OPTIONS, .envelope = envelope, .waiting = true, .max_body = max_body
	};
	rc = edits_init(&m->edits, header);
	add_u32(OUR_VERSION, &data);
	add_u32(ACTIONS, &data);
	add_u32(PROTOCOL, &data);
	send_data(m, 'O', &data, out);
	return rc;
}

/* ------------------------------------------------------------------ answers ------------------- */

static uint32_t
read_u32(struct span data)
{
	uint32_t value = 0;

	for (size_t i = 0; i < 4; i++)
		value = value << 8 | (unsigned char)data.p[i];
	return value;
}

static void
on_options(struct milter *m, struct span data, struct buf *out)
{
	if (data.len < 12) {
		fail(m, "options are too short");
		return;
	}
	m->version = read_u32(data);
	/* What it wants to do beyond the offer it may say (rspamd names all it can do); doing it is another matter. */
	m->protocol = read_u32(span_skip(data, 8)) & PROTOCOL;
	if (m->version < OLDEST_VERSION || m->version > OUR_VERSION) {
		fail(m, "speaks another version of the protocol");
		return;
	}
	m->state = MILTER_CONNECT;
	m->waiting = false;
	go_on(m, out);
}

/* "NAME\0VALUE\0", nothing behind. */
static bool
split_pair(struct span data, struct span *name, struct span *value)
{
	size_t nul = span_find(data, '\0');

	*name = span_first(data, nul);
	*value = span_skip(data, nul + 1);
	nul = span_find(*value, '\0');
	if (nul == value->len || nul + 1 != value->len)
		return false;
	*value = span_first(*value, nul);
	return true;
}

/* As the milter counts: without the blank behind the colon unless the two agreed on it. */
static enum rc
insert(struct milter *m, size_t at, struct span name, struct span value, struct why *why)
{
	struct buf text = BUF_EMPTY;
	enum rc rc;

	if ((m->protocol & PROTOCOL_LEADING_SPACE) == 0)
		buf_add_char(&text, ' ');
	buf_add_span(&text, value);
	rc = text.failed ? RC_LATER : edits_insert(&m->edits, at, name, buf_span(&text), why);
	buf_free(&text);
	return rc;
}

static enum rc
change(struct milter *m, size_t index, struct span name, struct span value, struct why *why)
{
	struct buf text = BUF_EMPTY;
	struct span whole;
	enum rc rc;

	if ((m->protocol & PROTOCOL_LEADING_SPACE) == 0)
		buf_add_char(&text, ' ');
	buf_add_span(&text, value);
	whole = buf_span(&text);
	rc = text.failed ? RC_LATER
			 : edits_change(&m->edits, name, index > 0 ? index : 1,
			       value.len > 0 ? &whole : NULL, why);
	buf_free(&text);
	return rc;
}

static void
on_field(struct milter *m, char command, struct span data)
{
	struct span name, value, pair = command == 'h' ? data : span_skip(data, 4);
	struct why why = WHY_EMPTY;
	enum rc rc;

	if ((command != 'h' && data.len < 4) || !split_pair(pair, &name, &value)) {
		fail(m, "change of a header field that makes no sense");
		return;
	}
	if (++m->changes > CHANGES_MAX) {
		fail(m, "too many changes");
		return;
	}
	if (command == 'h')
		rc = insert(m, m->edits.count, name, value, &why);
	else if (command == 'i')
		rc = insert(m, read_u32(data), name, value, &why);
	else
		rc = change(m, read_u32(data), name, value, &why);
	if (rc != RC_OK)
		fail(m, rc == RC_BAD ? why.text : "out of memory");
}

static void
on_body(struct milter *m, struct span data)
{
	if (data.len > m->max_body - buf_len(&m->body)) {
		fail(m, "new body is larger than a message may be");
		return;
	}
	m->replaces_body = true;
	buf_add_span(&m->body, data);
	if (m->body.failed)
		fail(m, "out of memory");
}

/* Lines as DATA takes them. The last one gets its end. */
static bool
body_ok(struct buf *body)
{
	struct span rest = buf_span(body);

	if (rest.len > 0 && rest.p[rest.len - 1] != '\n')
		buf_addf(body, "\r\n");
	rest = buf_span(body);
	while (rest.len > 0) {
		size_t lf = span_find(rest, '\n'), cr = span_find(span_first(rest, lf + 1), '\r');

		if (lf == rest.len || cr + 1 != lf || lf - 1 > LINE_MAX_OCTETS ||
		    span_find(span_first(rest, lf), '\0') < lf)
			return false;
		rest = span_skip(rest, lf + 1);
	}
	return !body->failed;
}

/* Of these a message has one (RFC 5322 section 3.6, RFC 2045 section 3), and so it was when it came. Of two, one program
 * reads the first and another the last. */
static bool
has_one_twice(const struct header *header)
{
	static const struct span names[] = { SPAN_LIT("From"), SPAN_LIT("Sender"),
		SPAN_LIT("Reply-To"), SPAN_LIT("Message-ID"), SPAN_LIT("In-Reply-To"),
		SPAN_LIT("References"), SPAN_LIT("Subject"), SPAN_LIT("Date"),
		SPAN_LIT("MIME-Version"), SPAN_LIT("Content-Type"),
		SPAN_LIT("Content-Transfer-Encoding") };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t count = 0;

		for (size_t k = 0; k < header->count; k++)
			count += span_ieq(header->fields[k].name, names[i]);
		if (count > 1)
			return true;
	}
	return false;
}

/* The milter lets the message pass, with the changes it has made. */
static void
pass(struct milter *m)
{
	struct header header;

	if (m->quarantined) {
		/* Nobody would look after a message that is kept here: its sender keeps it. */
		end(m, FILTER_REFUSE, 554,
		    SPAN_LIT("Message rejected: held back by a content filter."));
		return;
	}
	if (m->replaces_body && !body_ok(&m->body)) {
		fail(m, "new body has lines that no message may have");
		return;
	}
	if (m->edits.changed) {
		edits_write(&m->edits, &m->header);
		if (m->header.failed || header_scan(buf_span(&m->header), &header, NULL) != RC_OK) {
			fail(m, "new header is none");
			return;
		}
		if (header_find(&header, SPAN_LIT("From")) == NULL)
			fail(m, "new header has no From");
		else if (has_one_twice(&header))
			fail(m, "new header has a field twice that may stand once");
		header_free(&header);
	}
	if (m->state == MILTER_OVER)
		return;
	end(m, FILTER_PASS, 0, SPAN_EMPTY);
	m->result.header = m->edits.changed ? &m->header : NULL;
	m->result.body = m->replaces_body ? &m->body : NULL;
}

static void
on_refusal(struct milter *m, bool temporary)
{
	if (temporary)
		end(m, FILTER_REFUSE, 451, SPAN_LIT("Temporary service failure"));
	else
		end(m, FILTER_REFUSE, 554,
		    SPAN_LIT("Message rejected: refused by a content filter."));
}

/* "550 5.7.1 text", perhaps "550-one CR LF 550 two": one line of it all. */
static void
on_reply_code(struct milter *m, struct span data)
{
	char text[400];
	size_t len = 0;
	uint64_t code = 0;
	struct span line;

	data = span_first(data, span_find(data, '\0'));
	if (data.len < 3 || !span_uint(span_first(data, 3), 599, &code) || code < 400) {
		fail(m, "reply without a code of 4xx or 5xx");
		return;
	}
	while (span_next(&data, '\n', &line)) {
		line = span_trim_lines(span_skip(line, 4));
		for (size_t i = 0; i < line.len && len < sizeof text - 1; i++)
			text[len++] = line.p[i] >= ' ' && line.p[i] < 0x7f ? line.p[i] : '?';
		if (len < sizeof text - 1 && data.p != NULL && data.len > 0)
			text[len++] = ' ';
	}
	if (span_trim(span_make(text, len)).len == 0) {
		on_refusal(m, code < 500);
		return;
	}
	if (code == 421) /* would end the session, which is not the milter's */
		code = 451;
	end(m, FILTER_REFUSE, (int)code, span_trim(span_make(text, len)));
}

static void
on_continue(struct milter *m, struct buf *out)
{
	if (m->state == MILTER_END) {
		pass(m);
		return;
	}
	m->waiting = false;
	go_on(m, out);
}

static void
on_skip(struct milter *m, struct buf *out)
{
	if (m->state != MILTER_BODY || (m->protocol & PROTOCOL_SKIP) == 0) {
		fail(m, "skips what is no body");
		return;
	}
	m->waiting = false;
	m->item = 1;
	go_on(m, out);
}

static void
on_verdict(struct milter *m, char command, struct span data, struct buf *out)
{
	switch (command) {
	case 'c':
		on_continue(m, out);
		break;
	case 'a':
		pass(m);
		break;
	case 's':
		on_skip(m, out);
		break;
	case 'r':
	case 't':
		on_refusal(m, command == 't');
		break;
	case 'd':
		end(m, FILTER_DROP, 0, SPAN_LIT("discarded"));
		break;
	case 'y':
		on_reply_code(m, data);
		break;
	case 'f':
	case '4':
		fail(m, "wants the connection closed");
		break;
	case '+':
	case '-':
	case '2':
	case 'e':
		fail(m, "asks for a change that was not offered");
		break;
	default:
		fail(m, "answer of an unknown kind");
	}
}

static bool
is_change(char command)
{
	return command == 'h' || command == 'i' || command == 'm' || command == 'b' ||
	       command == 'q';
}

static void
on_packet(struct milter *m, char command, struct span data, struct buf *out)
{
	if (m->state == MILTER_OPTIONS) {
		if (command == 'O')
			on_options(m, data, out);
		else
			fail(m, "does not begin with options");
	} else if (command == 'p') {
		return; /* it is at work: that it spoke is all that matters */
	} else if (!m->waiting) {
		fail(m, "answers what it was not asked");
	} else if (!is_change(command)) {
		on_verdict(m, command, data, out);
	} else if (m->state != MILTER_END) {
		fail(m, "changes the message before its end");
	} else if (command == 'b') {
		on_body(m, data);
	} else if (command == 'q') {
		m->quarantined = true;
	} else {
		on_field(m, command, data);
	}
}

void
milter_feed(struct milter *m, struct span in, struct buf *out)
{
	buf_add_span(&m->in, in);
	if (m->in.failed)
		fail(m, "out of memory");
	while (m->state != MILTER_OVER && buf_len(&m->in) >= 4) {
		struct span all = buf_span(&m->in);
		size_t len = read_u32(all);

		if (len == 0 || len > MILTER_PACKET_MAX) {
			fail(m, "packet of an impossible size");
			return;
		}
		if (all.len - 4 < len)
			return;
		on_packet(m, all.p[4], span_make(all.p + 5, len - 1), out);
		buf_consume(&m->in, 4 + len);
	}
}
