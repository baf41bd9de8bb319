/* mail/address.c - finds the mailboxes of an address list and checks each one.
 * In:   a field value, with folding and comments, or one bare address.
 * Out:  mailboxes borrowed from the value, one call each; or why it is none, in SES's words.
 * Always true: one pass over the value and one over each address, no recursion (a group holds no group,
 * and comments are counted); what is accepted as an address holds no blank, comment or control byte.
 *
 * The display name is only skipped over, so it may hold what people write there ("jo@work <jo@example.com>",
 * "J. Doe"). The address itself is strict: of the obsolete forms of RFC 5322 section 4.4 none is taken. */
#include "config.h"

#include "mail/address.h"

#include <arpa/inet.h>

enum {
	LOCAL_MAX = 64,
	DOMAIN_MAX = 253,
	LABEL_MAX = 63
};

/* --- what an address is made of ---------------------------------------------------------------- */

static bool
is_atext(char c)
{
	static const char others[] = "!#$%&'*+-/=?^_`{|}~";

	return ascii_is_alnum(c) || memchr(others, c, sizeof others - 1) != NULL;
}

static bool
is_control_or_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

/* The length of the quoted string that leads `text`, with both quotes; 0 when it is not closed. */
static size_t
quoted_len(struct span text)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.p[i] == '"')
			return i + 1;
		if (text.p[i] == '\\')
			i++;
	}
	return 0;
}

/* RFC 5321 section 4.1.2: printable ASCII and blanks, without tabs. Empty quotes name nobody. */
static bool
quoted_ok(struct span quoted)
{
	if (quoted.len < 3 || quoted_len(quoted) != quoted.len)
		return false;
	for (size_t i = 0; i < quoted.len; i++)
		if ((unsigned char)quoted.p[i] < ' ' || (unsigned char)quoted.p[i] > '~')
			return false;
	return true;
}

bool
address_local_ok(struct span local)
{
	if (local.len == 0 || local.len > LOCAL_MAX)
		return false;
	if (local.p[0] == '"')
		return quoted_ok(local);
	for (size_t i = 0; i < local.len; i++)
		if (!is_atext(local.p[i]) && local.p[i] != '.')
			return false;
	return true;
}

static bool
label_ok(struct span label, bool underscore)
{
	if (label.len == 0 || label.len > LABEL_MAX)
		return false;
	if (label.p[0] == '-' || label.p[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' &&
		    !(underscore && label.p[i] == '_'))
			return false;
	return true;
}

bool
address_domain_ok(struct span domain, bool underscore)
{
	struct span label;

	if (domain.len > DOMAIN_MAX)
		return false;
	while (span_next(&domain, '.', &label))
		if (!label_ok(label, underscore))
			return false;
	return true;
}

bool
address_literal_ok(struct span domain)
{
	static const char hex[] = "0123456789abcdefABCDEF:.";
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	struct span inner;
	int family = AF_INET;

	if (domain.len < 2 || domain.p[0] != '[' || domain.p[domain.len - 1] != ']')
		return false;
	inner = span_make(domain.p + 1, domain.len - 2);
	if (span_istarts(inner, SPAN_LIT("IPv6:"))) {
		inner = span_skip(inner, 5);
		family = AF_INET6;
	}
	/* inet_pton would stop at a NUL, and call what stands before it an address. */
	for (size_t i = 0; i < inner.len; i++)
		if (memchr(hex, inner.p[i], sizeof hex - 1) == NULL)
			return false;
	return span_copy(inner, text, sizeof text) && inet_pton(family, text, &address) == 1;
}

/* --- local@domain, and what is wrong with it --------------------------------------------------- */

static const char *
dot_atom_fault(struct span local)
{
	if (local.p[0] == '.')
		return "Local address starts with dot";
	for (size_t i = 0; i < local.len; i++) {
		if (is_control_or_blank(local.p[i]))
			return "Local address contains control or whitespace";
		if (local.p[i] == '.' && local.len - i > 1 && local.p[i + 1] == '.')
			return "Local address contains dot-dot";
		if (local.p[i] != '.' && !is_atext(local.p[i]))
			return "Local address contains illegal character";
	}
	return local.p[local.len - 1] == '.' ? "Local address ends with dot" : NULL;
}

static const char *
local_fault(struct span local)
{
	if (local.len == 0)
		return "Missing local name";
	if (local.len > LOCAL_MAX)
		return "Local address is longer than 64 characters";
	if (local.p[0] != '"')
		return dot_atom_fault(local);
	return quoted_ok(local) ? NULL : "Local address contains illegal character";
}

static const char *
domain_fault(struct span domain)
{
	if (domain.len == 0)
		return "Missing domain";
	if (domain.p[0] == '[')
		return address_literal_ok(domain) ? NULL : "Invalid domain literal";
	if (domain.p[0] == '.')
		return "Domain starts with dot";
	for (size_t i = 0; i < domain.len; i++) {
		if (is_control_or_blank(domain.p[i]))
			return "Domain contains control or whitespace";
		if (domain.p[i] == '.' && domain.len - i > 1 && domain.p[i + 1] == '.')
			return "Domain contains dot-dot";
		if (!ascii_is_alnum(domain.p[i]) && domain.p[i] != '-' && domain.p[i] != '.')
			return "Domain contains illegal character";
	}
	if (domain.p[domain.len - 1] == '.')
		return "Domain ends with dot";
	return address_domain_ok(domain, false) ? NULL : "Invalid domain name";
}

/* Split at the @ behind the local part; returns what is wrong, or NULL. */
static const char *
split_address(struct span text, struct mailbox *out)
{
	size_t at;

	if (text.len == 0)
		return "Empty address";
	if (text.p[0] == '"') {
		at = quoted_len(text);
		if (at == 0)
			return "Missing '\"'";
		if (at < text.len && text.p[at] != '@')
			return "Quote not at end of local address";
	} else {
		at = span_find(text, '@');
	}
	if (at == text.len)
		return "Missing final '@domain'";
	out->local = span_first(text, at);
	out->domain = span_skip(text, at + 1);
	if (local_fault(out->local) != NULL)
		return local_fault(out->local);
	return domain_fault(out->domain);
}

static enum rc
refuse(struct why *why, const char *fault)
{
	return why_set(why, RC_BAD, 554, "Transaction failed: %s", fault);
}

enum rc
address_parse(struct span text, struct mailbox *out, struct why *why)
{
	const char *fault;

	*out = (struct mailbox){ text, SPAN_EMPTY, SPAN_EMPTY };
	fault = split_address(text, out);
	return fault == NULL ? RC_OK : why_set(why, RC_BAD, 0, "%s", fault);
}

/* --- address lists (RFC 5322 section 3.4) -------------------------------------------------------- */

/* The scan of one list. Places are offsets into `value`. */
struct list_scan {
	struct span value;
	size_t at;
	size_t begin, end; /* of the element, comments included; begin == SIZE_MAX: nothing yet */
	size_t addr, addr_end; /* of its address, or of all its words while there was no '<' */
	bool angle;	       /* '<...>' was read */
	bool in_group, any;    /* any: the list named a mailbox or a group */
	size_t count;
	void (*on_mailbox)(void *arg, const struct mailbox *box);
	void *arg;
	struct why *why;
};

static void
reset_element(struct list_scan *scan)
{
	scan->begin = scan->addr = SIZE_MAX;
	scan->end = scan->addr_end = 0;
	scan->angle = false;
}

/* Note that [at, to) belongs to the element; as a word of it unless it is a comment. Returns what is wrong. */
static const char *
add_part(struct list_scan *scan, size_t to, bool comment)
{
	if (scan->begin == SIZE_MAX)
		scan->begin = scan->at;
	scan->end = to;
	if (!comment) {
		if (scan->angle)
			return "Illegal text after address";
		if (scan->addr == SIZE_MAX)
			scan->addr = scan->at;
		scan->addr_end = to;
	}
	scan->at = to;
	return NULL;
}

/* A comment; nested ones are counted, so that depth costs nothing. */
static const char *
scan_comment(struct list_scan *scan)
{
	struct span value = scan->value;
	size_t depth = 0;

	for (size_t i = scan->at; i < value.len; i++) {
		if (value.p[i] == '\\')
			i++;
		else if (value.p[i] == '(')
			depth++;
		else if (value.p[i] == ')' && --depth == 0)
			return add_part(scan, i + 1, true);
	}
	return "Missing ')'";
}

static const char *
scan_quoted(struct list_scan *scan)
{
	size_t len = quoted_len(span_skip(scan->value, scan->at));

	return len == 0 ? "Missing '\"'" : add_part(scan, scan->at + len, false);
}

/* A domain literal: its colons are no group. */
static const char *
scan_literal(struct list_scan *scan)
{
	struct span rest = span_skip(scan->value, scan->at);
	size_t close = span_find(rest, ']');

	return close == rest.len ? "Missing ']'" : add_part(scan, scan->at + close + 1, false);
}

static const char *
scan_angle(struct list_scan *scan)
{
	struct span rest = span_skip(scan->value, scan->at), inner;
	size_t i = 1;

	if (scan->angle)
		return "Extra route-addr";
	while (i < rest.len && rest.p[i] != '>') {
		size_t quoted = rest.p[i] == '"' ? quoted_len(span_skip(rest, i)) : 1;

		if (quoted == 0)
			return "Missing '\"'";
		i += quoted;
	}
	if (i == rest.len)
		return "Missing '>'";
	(void)add_part(scan, scan->at + i + 1, true);
	inner = span_trim_lines(span_make(rest.p + 1, i - 1));
	scan->addr = (size_t)(inner.p - scan->value.p);
	scan->addr_end = scan->addr + inner.len;
	scan->angle = true;
	return NULL;
}

/* The element is over: check its address and hand it on. Nothing between two commas is no fault (obsolete
 * lists, RFC 5322 section 4.4), a comment alone is none either. */
static enum rc
end_element(struct list_scan *scan)
{
	struct mailbox box;
	const char *fault;

	if (scan->addr == SIZE_MAX) {
		reset_element(scan);
		return RC_OK;
	}
	if (++scan->count > ADDRESS_LIST_MAX)
		return refuse(scan->why, "Too many addresses");
	box.whole = span_make(scan->value.p + scan->begin, scan->end - scan->begin);
	fault =
	    split_address(span_make(scan->value.p + scan->addr, scan->addr_end - scan->addr), &box);
	if (fault != NULL)
		return refuse(scan->why, fault);
	scan->any = true;
	scan->on_mailbox(scan->arg, &box);
	reset_element(scan);
	return RC_OK;
}

static const char *
scan_colon(struct list_scan *scan)
{
	if (scan->in_group || scan->angle)
		return "Nested group";
	if (scan->addr == SIZE_MAX)
		return "Missing group name";
	scan->in_group = scan->any = true;
	scan->at++;
	reset_element(scan);
	return NULL;
}

/* What belongs to an element. Returns what is wrong, or NULL. */
static const char *
scan_part(struct list_scan *scan)
{
	unsigned char c = (unsigned char)scan->value.p[scan->at];

	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		scan->at++;
		return NULL;
	case '(':
		return scan_comment(scan);
	case '"':
		return scan_quoted(scan);
	case '[':
		return scan_literal(scan);
	case '<':
		return scan_angle(scan);
	case ':':
		return scan_colon(scan);
	case ')':
		return "Missing '('";
	case '>':
		return "Missing '<'";
	default:
		return add_part(scan, scan->at + 1, false);
	}
}

/* Folding is CR LF and a blank; any other control byte, and 8-bit, has no place in an address field. */
static bool
bytes_ok(struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c == '\r') {
			if (value.len - i < 3 || value.p[i + 1] != '\n' ||
			    !ascii_is_blank(value.p[i + 2]))
				return false;
			i++;
		} else if ((c < ' ' && c != '\t') || c >= 0x7f) {
			return false;
		}
	}
	return true;
}

enum rc
address_list_parse(struct span value, void (*on_mailbox)(void *arg, const struct mailbox *box),
    void *arg, struct why *why)
{
	struct list_scan scan = {
		.value = value, .on_mailbox = on_mailbox, .arg = arg, .why = why
	};
	const char *fault;
	enum rc rc;

	if (!bytes_ok(value))
		return refuse(why, "Illegal character in address");
	reset_element(&scan);
	while (scan.at < value.len) {
		char c = value.p[scan.at];

		if (c != ',' && c != ';') {
			fault = scan_part(&scan);
			if (fault != NULL)
				return refuse(why, fault);
			continue;
		}
		if (c == ';' && !scan.in_group)
			return refuse(why, "Illegal semicolon, not in group");
		rc = end_element(&scan);
		if (rc != RC_OK)
			return rc;
		scan.in_group = scan.in_group && c != ';';
		scan.at++;
	}
	if (scan.in_group)
		return refuse(why, "Missing ';'");
	rc = end_element(&scan);
	if (rc == RC_OK && !scan.any)
		return refuse(why, "Empty address");
	return rc;
}
