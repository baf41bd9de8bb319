/* wire/command.c - turns one SMTP command line into a struct.
 * In:   the line without its CR LF.   Out: verb, path and parameters, borrowed from the line.
 * Always true: never reads past line.len; same bytes, same answer; allocates nothing; what is accepted is
 * exactly one path, in printable ASCII. */
#include "config.h"

#include "wire/command.h"

#include "mail/address.h"

enum {
	PATH_MAX_LEN = 256, /* with its brackets (RFC 5321 section 4.5.3.1.3) */
	PARAMETERS_MAX = 20,
	ENVID_MAX = 100, /* RFC 3461 section 4.4 */
	ORCPT_MAX = 500, /* RFC 3461 section 4.2 */
	ECHO_MAX = 400	 /* of the client's text in a reply */
};

static const struct {
	const char *name;
	enum verb verb;
} verbs[] = {
	{ "EHLO", VERB_EHLO },
	{ "HELO", VERB_HELO },
	{ "STARTTLS", VERB_STARTTLS },
	{ "AUTH", VERB_AUTH },
	{ "MAIL", VERB_MAIL },
	{ "RCPT", VERB_RCPT },
	{ "DATA", VERB_DATA },
	{ "RSET", VERB_RSET },
	{ "NOOP", VERB_NOOP },
	{ "QUIT", VERB_QUIT },
	{ "VRFY", VERB_VRFY },
	{ "EXPN", VERB_EXPN },
	{ "HELP", VERB_HELP },
	{ "ETRN", VERB_REFUSED },
	{ "TURN", VERB_REFUSED },
	{ "XCLIENT", VERB_REFUSED },
	{ "XFORWARD", VERB_REFUSED },
	{ "DEBUG", VERB_REFUSED },
	{ "WIZ", VERB_REFUSED },
	{ "BDAT", VERB_REFUSED },
	{ "SEND", VERB_REFUSED },
	{ "SOML", VERB_REFUSED },
	{ "SAML", VERB_REFUSED },
	{ "LHLO", VERB_REFUSED },
	{ "GET", VERB_FOREIGN },
	{ "POST", VERB_FOREIGN },
	{ "PUT", VERB_FOREIGN },
	{ "HEAD", VERB_FOREIGN },
	{ "DELETE", VERB_FOREIGN },
	{ "PATCH", VERB_FOREIGN },
	{ "OPTIONS", VERB_FOREIGN },
	{ "TRACE", VERB_FOREIGN },
	{ "CONNECT", VERB_FOREIGN },
	{ "PRI", VERB_FOREIGN },
};

/* TAB is let through: it separates words as a blank does. */
static bool
is_clean(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if ((c < 0x20 && c != '\t') || c >= 0x7f)
			return false;
	}
	return true;
}

/* A TLS handshake record (RFC 8446 section 5.1) or an SSL 2 hello where a command belongs. */
static bool
is_tls_hello(struct span line)
{
	if (line.len < 3)
		return false;
	if (line.p[0] == 0x16 && line.p[1] == 0x03)
		return true;
	return ((unsigned char)line.p[0] & 0x80) != 0 && line.p[2] == 0x01;
}

static size_t
find_blank(struct span text)
{
	size_t at = 0;

	while (at < text.len && !ascii_is_blank(text.p[at]))
		at++;
	return at;
}

static enum verb
find_verb(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (span_ieq(name, span_of(verbs[i].name)))
			return verbs[i].verb;
	return span_istarts(name, SPAN_LIT("HTTP/")) ? VERB_FOREIGN : VERB_UNKNOWN;
}

static enum rc
refuse_bytes(const struct command *command, struct why *why)
{
	switch (command->verb) {
	case VERB_MAIL:
		return why_set(why, RC_BAD, 501, "Invalid MAIL FROM address provided");
	case VERB_RCPT:
		return why_set(why, RC_BAD, 501, "Invalid RCPT TO address provided");
	case VERB_UNKNOWN:
		return why_set(why, RC_BAD, 500, "Error: bad syntax");
	default:
		return why_set(why, RC_BAD, 501, "Syntax error in parameters or arguments");
	}
}

enum rc
command_parse(struct span line, struct command *out, struct why *why)
{
	size_t end = find_blank(line);

	*out = (struct command){ .name = span_first(line, end) };
	out->arg = span_trim(span_skip(line, end));
	out->verb = is_tls_hello(line) ? VERB_FOREIGN : find_verb(out->name);
	/* Another protocol is told by its first bytes; the rest of such a line is never looked at. */
	if (out->verb != VERB_FOREIGN && !is_clean(line))
		return refuse_bytes(out, why);
	return RC_OK;
}

/* --- paths (RFC 5321 section 4.1.2) --------------------------------------------------------------- */

/* The length of the local part that leads `text`: up to the closing quote, or to what cannot be in one. A
 * quote that is never closed gives the whole text, which then is no local part. */
static size_t
local_len(struct span text)
{
	size_t at = 1;

	if (text.len == 0 || text.p[0] != '"') {
		for (at = 0; at < text.len; at++)
			if (text.p[at] == '@' || text.p[at] == '>' || ascii_is_blank(text.p[at]))
				break;
		return at;
	}
	while (at < text.len && text.p[at] != '"')
		at += text.p[at] == '\\' && text.len - at > 1 ? 2 : 1;
	return at < text.len ? at + 1 : at;
}

/* Take local@domain off the front of *rest. A source route is refused with the rest that is no mailbox:
 * its local part is empty. */
static bool
take_mailbox(struct span *rest, struct path *out)
{
	struct span text = *rest;
	size_t at = local_len(text), end;

	out->local = span_first(text, at);
	if (at == text.len || text.p[at] != '@' || !address_local_ok(out->local))
		return false;
	for (end = ++at; end < text.len; end++)
		if (text.p[end] == '>' || ascii_is_blank(text.p[end]))
			break;
	out->domain = span_first(span_skip(text, at), end - at);
	out->whole = span_first(text, end);
	*rest = span_skip(text, end);
	if (out->whole.len > PATH_MAX_LEN - 2)
		return false;
	return address_domain_ok(out->domain, false) || address_literal_ok(out->domain);
}

/* Take a path off the front of *rest; *rest then holds the parameters. Brackets may be missing, as SES
 * and its examples have it; the null path may not. */
static bool
take_path(struct span *rest, struct path *out)
{
	bool brackets = rest->len > 0 && rest->p[0] == '<';

	*out = (struct path){ SPAN_EMPTY, SPAN_EMPTY, SPAN_EMPTY };
	if (brackets)
		*rest = span_skip(*rest, 1);
	if (!(brackets && rest->len > 0 && rest->p[0] == '>') && !take_mailbox(rest, out))
		return false;
	if (brackets) {
		if (rest->len == 0 || rest->p[0] != '>')
			return false;
		*rest = span_skip(*rest, 1);
	}
	if (rest->len > 0 && !ascii_is_blank(rest->p[0]))
		return false;
	*rest = span_trim(*rest);
	return true;
}

/* --- parameters (RFC 5321 section 4.1.2, Mail-parameters) ------------------------------------------ */

static bool
is_keyword(struct span text)
{
	if (text.len == 0 || text.p[0] == '-')
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_alnum(text.p[i]) && text.p[i] != '-')
			return false;
	return true;
}

static bool
is_value(struct span text)
{
	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~' || text.p[i] == '=')
			return false;
	return true;
}

/* The value of a hexadecimal digit; -1 for others. RFC 3461 section 4 has upper case only. */
static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum rc
xtext_check(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.p[i] <= ' ' || text.p[i] > '~' || text.p[i] == '=')
			return RC_BAD;
		if (text.p[i] != '+')
			continue;
		if (text.len - i < 3)
			return RC_BAD;
		high = hex_value(text.p[i + 1]);
		low = hex_value(text.p[i + 2]);
		if (high < 0 || low < 0 || high < 2 || (high == 7 && low == 15))
			return RC_BAD;
		i += 2;
	}
	return RC_OK;
}

/* One row for each parameter; take gives false when the value breaks its grammar. */
struct parameter {
	const char *name;
	bool (*take)(void *command, struct span value);
};

static bool
take_size(void *command, struct span value)
{
	struct mail_command *mail = command;
	uint64_t size;

	if (!span_uint(value, INT64_MAX, &size))
		return false;
	mail->size = (int64_t)size;
	return true;
}

static bool
take_body(void *command, struct span value)
{
	struct mail_command *mail = command;

	mail->body_8bit = span_ieq(value, SPAN_LIT("8BITMIME"));
	return mail->body_8bit || span_ieq(value, SPAN_LIT("7BIT"));
}

static bool
take_ret(void *command, struct span value)
{
	struct mail_command *mail = command;

	if (span_ieq(value, SPAN_LIT("FULL")))
		mail->ret = DSN_RET_FULL;
	else if (span_ieq(value, SPAN_LIT("HDRS")))
		mail->ret = DSN_RET_HDRS;
	return mail->ret != DSN_RET_UNSET;
}

static bool
take_envid(void *command, struct span value)
{
	((struct mail_command *)command)->envid = value;
	return value.len <= ENVID_MAX && xtext_check(value) == RC_OK;
}

static bool
take_auth(void *command, struct span value)
{
	((struct mail_command *)command)->auth = value;
	return xtext_check(value) == RC_OK;
}

static bool
take_notify(void *command, struct span value)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "NEVER", NOTIFY_NEVER },
		{ "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY },
	};
	struct rcpt_command *rcpt = command;
	struct span word;

	while (span_next(&value, ',', &word)) {
		unsigned bit = 0;

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (span_ieq(word, span_of(words[i].word)))
				bit = words[i].bit;
		if (bit == 0)
			return false;
		rcpt->notify |= bit;
	}
	/* NEVER stands alone (RFC 3461 section 4.1). */
	return (rcpt->notify & NOTIFY_NEVER) == 0 || rcpt->notify == NOTIFY_NEVER;
}

/* addr-type ";" xtext (RFC 3461 section 4.2) */
static bool
take_orcpt(void *command, struct span value)
{
	size_t semicolon = span_find(value, ';');

	((struct rcpt_command *)command)->orcpt = value;
	if (value.len > ORCPT_MAX || semicolon == value.len)
		return false;
	return is_keyword(span_first(value, semicolon)) && value.len - semicolon > 1 &&
	       xtext_check(span_skip(value, semicolon + 1)) == RC_OK;
}

static const struct parameter mail_parameters[] = {
	{ "SIZE", take_size },
	{ "BODY", take_body },
	{ "RET", take_ret },
	{ "ENVID", take_envid },
	{ "AUTH", take_auth },
};

static const struct parameter rcpt_parameters[] = {
	{ "NOTIFY", take_notify },
	{ "ORCPT", take_orcpt },
};

/* MAIL or RCPT: what the shared code has to know about it. */
struct grammar {
	const char *keyword; /* "FROM:" */
	const char *name;    /* "MAIL FROM" */
	const struct parameter *parameters;
	size_t count;
};

static const struct grammar mail_grammar = { "FROM:", "MAIL FROM", mail_parameters,
	ARRAY_LEN(mail_parameters) };
static const struct grammar rcpt_grammar = { "TO:", "RCPT TO", rcpt_parameters,
	ARRAY_LEN(rcpt_parameters) };

static enum rc
bad_parameter(struct why *why)
{
	return why_set(why, RC_BAD, 501, "Syntax error in parameters or arguments");
}

/* Take one word, keyword or keyword=value; *seen has a bit for each row of the grammar. */
static enum rc
take_parameter(
    const struct grammar *grammar, struct span word, unsigned *seen, void *command, struct why *why)
{
	size_t equals = span_find(word, '=');
	struct span name = span_first(word, equals), value = span_skip(word, equals + 1);
	size_t row = 0;

	if (!is_keyword(name) || (equals < word.len && !is_value(value)))
		return bad_parameter(why);
	while (row < grammar->count && !span_ieq(name, span_of(grammar->parameters[row].name)))
		row++;
	if (row == grammar->count)
		return why_set(why, RC_BAD, 555, "%s parameters not recognized or not implemented",
		    grammar->name);
	if ((*seen & 1u << row) != 0 || value.len == 0)
		return bad_parameter(why);
	*seen |= 1u << row;
	return grammar->parameters[row].take(command, value) ? RC_OK : bad_parameter(why);
}

static enum rc
take_parameters(const struct grammar *grammar, struct span rest, void *command, struct why *why)
{
	unsigned seen = 0;
	size_t count = 0;
	enum rc rc;

	while (rest.len > 0) {
		struct span word = span_first(rest, find_blank(rest));

		if (++count > PARAMETERS_MAX)
			return why_set(why, RC_BAD, 501, "Too many parameters");
		rc = take_parameter(grammar, word, &seen, command, why);
		if (rc != RC_OK)
			return rc;
		rest = span_trim(span_skip(rest, word.len));
	}
	return RC_OK;
}

/* Everything behind the verb: the path goes to *path, parameters into *command. */
static enum rc
parse_command(const struct grammar *grammar, struct span arg, struct path *path, void *command,
    struct why *why)
{
	struct span rest = span_trim(span_skip(arg, strlen(grammar->keyword)));

	if (!is_clean(arg) || !take_path(&rest, path))
		return why_set(why, RC_BAD, 501, "Invalid %s address provided", grammar->name);
	return take_parameters(grammar, rest, command, why);
}

enum rc
command_parse_mail(struct span arg, struct mail_command *out, struct why *why)
{
	*out = (struct mail_command){ .size = -1, .envid = SPAN_EMPTY, .auth = SPAN_EMPTY };
	if (!span_istarts(arg, span_of(mail_grammar.keyword)))
		return why_set(why, RC_BAD, 501, "Syntax: MAIL FROM: <address>");
	return parse_command(&mail_grammar, arg, &out->from, out, why);
}

enum rc
command_parse_rcpt(struct span arg, struct rcpt_command *out, struct why *why)
{
	enum rc rc;

	*out = (struct rcpt_command){ .notify = 0, .orcpt = SPAN_EMPTY };
	if (!span_istarts(arg, span_of(rcpt_grammar.keyword))) {
		struct span told = span_first(arg, ECHO_MAX);

		return why_set(why, RC_BAD, 501,
		    "Syntax: RCPT TO: <address>  Error in parameters: \"%.*s\"", SPAN_ARG(told));
	}
	rc = parse_command(&rcpt_grammar, arg, &out->to, out, why);
	if (rc == RC_OK && out->to.whole.len == 0)
		return why_set(why, RC_BAD, 501, "Invalid RCPT TO address provided");
	return rc;
}
