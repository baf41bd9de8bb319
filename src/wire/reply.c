/* wire/reply.c - reads one reply of another host, and what its EHLO answer offers.
 * In:   bytes as they come, in pieces of any size, from a host that may be hostile.
 * Out:  code, enhanced status code and the text made safe for logs, events and reports.
 * Always true: memory is what struct reply_parser has; a reply ends after REPLY_LINES_MAX lines or
 * REPLY_BYTES_MAX bytes at the latest; what is no reply is RC_BAD, never a permanent failure. */
#include "config.h"

#include "wire/reply.h"

void
reply_parser_init(struct reply_parser *parser)
{
	*parser = (struct reply_parser){ .lines = 0 };
}

/* Keep what fits of a line; the rest of it is dropped. */
static void
keep_line(struct reply_parser *parser, struct span part)
{
	size_t room = sizeof parser->line - parser->line_len;

	if (part.len > room)
		parser->cut_line = true;
	part = span_first(part, room);
	if (part.len > 0)
		memcpy(parser->line + parser->line_len, part.p, part.len);
	parser->line_len += part.len;
}

static struct span
drop_line_end(struct span text)
{
	while (
	    text.len > 0 && (text.p[text.len - 1] == '\r' || ascii_is_blank(text.p[text.len - 1])))
		text.len--;
	return text;
}

static void
add_text(struct reply_parser *parser, struct span text)
{
	char *out = parser->reply.text;
	size_t last = sizeof parser->reply.text - 1;

	text = span_trim(text);
	if (text.len > 0 && parser->text_len > 0 && parser->text_len < last)
		out[parser->text_len++] = ' ';
	for (size_t i = 0; i < text.len && parser->text_len < last; i++) {
		bool plain = text.p[i] >= ' ' && text.p[i] <= '~';

		out[parser->text_len++] = plain ? text.p[i] : text.p[i] == '\t' ? ' ' : '?';
	}
	out[parser->text_len] = '\0';
}

/* Up to three digits off the front of *rest; false when there is none or a fourth. */
static bool
take_digits(struct span *rest)
{
	size_t n = 0;

	while (n < rest->len && ascii_is_digit(rest->p[n]))
		n++;
	*rest = span_skip(*rest, n);
	return n >= 1 && n <= 3;
}

static bool
take_dot(struct span *rest)
{
	if (rest->len == 0 || rest->p[0] != '.')
		return false;
	*rest = span_skip(*rest, 1);
	return true;
}

/* RFC 2034 section 4: the status code leads the text and has the class of the reply code. One that says
 * something else ("550 2.0.0") is no better than none. Nothing need stand behind it. */
static void
find_status(struct reply *reply, struct span text)
{
	struct span rest = text;
	size_t len;

	if (text.len == 0 || text.p[0] - '0' != reply->code / 100 || text.p[0] == '3')
		return;
	rest = span_skip(rest, 1);
	if (!take_dot(&rest) || !take_digits(&rest) || !take_dot(&rest) || !take_digits(&rest))
		return;
	if (rest.len > 0 && !ascii_is_blank(rest.p[0]))
		return;
	len = text.len - rest.len;
	(void)span_copy(span_first(text, len), reply->status, sizeof reply->status);
}

/* The code of a line, or 0 when it has none. */
static int
line_code(struct span line)
{
	int code = 0;

	if (line.len < 3)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (!ascii_is_digit(line.p[i]))
			return 0;
		code = code * 10 + (line.p[i] - '0');
	}
	return code >= 200 && code <= 599 ? code : 0;
}

/* A whole line is in: RC_OK when it was the last of the reply. */
static enum rc
end_line(struct reply_parser *parser, void (*on_line)(void *arg, struct span text), void *arg)
{
	struct span line = drop_line_end(span_make(parser->line, parser->line_len));
	struct reply *reply = &parser->reply;
	int code = line_code(line);
	struct span text = span_skip(line, 4);
	bool more = line.len > 3 && line.p[3] == '-';

	parser->line_len = 0;
	parser->cut_line = false;
	parser->lines++;
	if (code == 0 || (parser->lines > 1 && code != reply->code))
		return RC_BAD;
	if (line.len > 3 && line.p[3] != '-' && line.p[3] != ' ')
		return RC_BAD;
	reply->code = code;
	find_status(reply, text);
	add_text(parser, text);
	if (on_line != NULL)
		on_line(arg, text);
	if (!more)
		return RC_OK;
	return parser->lines >= REPLY_LINES_MAX ? RC_BAD : RC_MORE;
}

enum rc
reply_feed(struct reply_parser *parser, struct span in, size_t *used,
    void (*on_line)(void *arg, struct span text), void *arg)
{
	enum rc rc;

	*used = 0;
	while (*used < in.len) {
		struct span rest = span_skip(in, *used);
		size_t lf = span_find(rest, '\n');
		size_t take = lf < rest.len ? lf + 1 : lf;

		if (take > REPLY_BYTES_MAX - parser->bytes)
			return RC_BAD;
		parser->bytes += take;
		*used += take;
		keep_line(parser, span_first(rest, lf));
		if (lf == rest.len)
			break;
		rc = end_line(parser, on_line, arg);
		if (rc != RC_MORE)
			return rc;
	}
	return RC_MORE;
}

static void
offer_size(struct ehlo_offer *offer, struct span value)
{
	uint64_t size = 0;

	value = span_trim(value);
	/* RFC 1870 section 4: the number may be missing; one that is no size is as if nothing was said. */
	if (value.len > 0 && !span_uint(value, INT64_MAX, &size))
		return;
	offer->size_known = true;
	offer->size = size;
}

static void
offer_auth(struct ehlo_offer *offer, struct span mechanisms)
{
	struct span word;

	while (span_next(&mechanisms, ' ', &word)) {
		if (span_ieq(word, SPAN_LIT("PLAIN")))
			offer->auth_plain = true;
		else if (span_ieq(word, SPAN_LIT("LOGIN")))
			offer->auth_login = true;
	}
}

void
ehlo_offer_line(void *offer_arg, struct span text)
{
	struct ehlo_offer *offer = offer_arg;
	const struct {
		struct span keyword;
		bool *flag;
	} flags[] = {
		{ SPAN_LIT("PIPELINING"), &offer->pipelining },
		{ SPAN_LIT("8BITMIME"), &offer->eightbit },
		{ SPAN_LIT("STARTTLS"), &offer->starttls },
		{ SPAN_LIT("SMTPUTF8"), &offer->smtputf8 },
		{ SPAN_LIT("DSN"), &offer->dsn },
		{ SPAN_LIT("ENHANCEDSTATUSCODES"), &offer->enhanced },
	};
	struct span keyword, rest = text;

	if (offer->lines++ == 0)
		return; /* the host's name and greeting (RFC 5321 section 4.1.1.1) */
	(void)span_next(&rest, ' ', &keyword);
	if (rest.p == NULL)
		rest = SPAN_EMPTY;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (span_ieq(keyword, flags[i].keyword))
			*flags[i].flag = true;
	if (span_ieq(keyword, SPAN_LIT("SIZE")))
		offer_size(offer, rest);
	else if (span_ieq(keyword, SPAN_LIT("AUTH")))
		offer_auth(offer, rest);
	else if (span_istarts(keyword, SPAN_LIT("AUTH=")))
		offer_auth(offer, span_skip(text, 5)); /* older than RFC 2554, still met */
}

const char *
reply_default_status(int code)
{
	if (code >= 200 && code <= 299)
		return "2.0.0";
	return code >= 500 && code <= 599 ? "5.0.0" : "4.0.0";
}
