/* wire/classify.c - the classes of failures, and the rules that tell them apart.
 * In:   a reply with its place in the dialogue, or the status that we gave a cause of our own.
 * Out:  the class of the first rule that holds.
 * Always true: the same reply has the same class; the last rule of each kind holds for everything. What a reply says
 * goes before its status, and the status before its code: hosts get the words right more often than the numbers.
 * Addresses in the text are not looked at, so that <spamhaus@example.com> is no blocklist.
 *
 * tests/unit/wire/test_classify.c has a reply for each rule, and postrider-bounces(5) has all of them; both fail when a rule
 * is missing there. */
#include "config.h"

#include "wire/classify.h"

#include <string.h>

#include "util/rc.h"
#include "util/span.h"

static const struct failure_info classes[FAILURE_CLASSES] = {
	/* clang-format off */
	[FAILURE_NONE] = { "none", "", "", "", "0.0" },
	[FAILURE_MAILBOX_UNKNOWN] = { "mailbox-unknown", "Permanent", "NoEmail", "General", "1.1" },
	[FAILURE_MAILBOX_DISABLED] = { "mailbox-disabled", "Permanent", "General", "General", "2.1" },
	[FAILURE_MAILBOX_FULL] = { "mailbox-full", "Transient", "MailboxFull", "MailboxFull", "2.2" },
	[FAILURE_BAD_DOMAIN] = { "bad-domain", "Permanent", "NoEmail", "General", "1.2" },
	[FAILURE_LOOP] = { "loop", "Permanent", "General", "General", "4.6" },
	[FAILURE_RELAY_DENIED] = { "relay-denied", "Permanent", "General", "General", "7.1" },
	[FAILURE_SENDER_REFUSED] = { "sender-refused", "Transient", "General", "General", "1.0" },
	[FAILURE_RECIPIENT_LIMIT] = { "recipient-limit", "Transient", "General", "General", "5.3" },
	[FAILURE_RATE_LIMITED] = { "rate-limited", "Transient", "General", "IPFailure", "7.0" },
	[FAILURE_GREYLISTED] = { "greylisted", "Transient", "General", "General", "7.1" },
	[FAILURE_REPUTATION] = { "reputation", "Transient", "General", "IPFailure", "7.1" },
	[FAILURE_AUTH_POLICY] = { "auth-policy", "Transient", "ContentRejected", "General", "7.0" },
	[FAILURE_SPAM_CONTENT] = { "spam-content", "Transient", "ContentRejected", "SpamDetected", "7.1" },
	[FAILURE_ATTACHMENT] = { "attachment", "Transient", "AttachmentRejected", "General", "7.0" },
	[FAILURE_CONTENT] = { "content", "Transient", "ContentRejected", "General", "6.0" },
	[FAILURE_TOO_LARGE] = { "message-too-large", "Transient", "MessageTooLarge", "General", "3.4" },
	[FAILURE_POLICY] = { "policy", "Transient", "ContentRejected", "General", "7.1" },
	[FAILURE_TLS] = { "tls", "Transient", "General", "TransientCommunicationFailure", "7.0" },
	[FAILURE_LOGIN] = { "login", "Transient", "General", "InternalFailure", "7.0" },
	[FAILURE_DNS] = { "dns", "Transient", "General", "TransientCommunicationFailure", "4.3" },
	[FAILURE_CONNECTION] = { "connection", "Transient", "General", "TransientCommunicationFailure", "4.1" },
	[FAILURE_PROTOCOL] = { "protocol", "Transient", "General", "TransientCommunicationFailure", "5.0" },
	[FAILURE_REMOTE_SYSTEM] = { "remote-system", "Transient", "General", "RecipientServerError", "0.0" },
	[FAILURE_LOCAL] = { "local", "Transient", "General", "InternalFailure", "3.0" },
	[FAILURE_EXPIRED] = { "expired", "Transient", "General", "General", "4.7" },
	[FAILURE_CUSTOM_TIMEOUT] = { "custom-timeout", "Transient", "CustomTimeoutExceeded", "General", "4.7" },
	[FAILURE_SUPPRESSED] = { "suppressed", "Permanent", "Suppressed", "General", "1.1" },
	[FAILURE_ON_ACCOUNT_LIST] = { "on-account-list", "Permanent", "OnAccountSuppressionList", "General", "1.1" },
	[FAILURE_SIMULATED] = { "simulated", "Permanent", "General", "General", "1.1" },
	[FAILURE_OTHER] = { "other", "Permanent", "General", "General", "0.0" },
	[FAILURE_UNDETERMINED] = { "undetermined", "Undetermined", "Undetermined", "Undetermined", "0.0" },
	/* clang-format on */
};

const struct failure_info *
failure_info(enum failure_class failure)
{
	return &classes[failure < FAILURE_CLASSES ? failure : FAILURE_UNDETERMINED];
}

/* ------------------------------------------------------------------ rules --------------------- */

enum {
	LOCAL = 1 << SMTP_STAGES, /* no reply */
	HELLO = 1 << STAGE_HELLO,
	TLS = 1 << STAGE_TLS,
	AUTH = 1 << STAGE_AUTH,
	MAIL = 1 << STAGE_MAIL,
	RCPT = 1 << STAGE_RCPT,
	DATA = 1 << STAGE_DATA,
	REPLY = LOCAL - 1
};

static const char NO_WORDS[] = "(no words)";

/* Empty: whatever it is. */
static const struct rule {
	unsigned where;
	const char *codes;  /* beginnings of codes: "552", "50" */
	const char *status; /* "x.7.1": of any class; "x.7.*", "x.7.60*": and anything more */
	const char *text;   /* in lower case, one of them, with "|" between */
	enum failure_class failure;
	bool later; /* a 5xx is not for good */
} rules[] = {
	/* clang-format off */
	/* Causes of our own. */
	{ LOCAL, "", "x.1.2 x.1.10 x.4.4", "", FAILURE_BAD_DOMAIN, false },
	{ LOCAL, "", "x.3.4", "", FAILURE_TOO_LARGE, false },
	{ LOCAL, "", "x.4.1 x.4.2", "", FAILURE_CONNECTION, false },
	{ LOCAL, "", "x.4.3", "", FAILURE_DNS, false },
	{ LOCAL, "", "x.4.6", "", FAILURE_LOOP, false },
	{ LOCAL, "", "x.4.7", "", FAILURE_EXPIRED, false },
	{ LOCAL, "", "x.5.*", "", FAILURE_PROTOCOL, false },
	{ LOCAL, "", "x.6.*", "", FAILURE_CONTENT, false },
	{ LOCAL, "", "x.7.4 x.7.8 x.7.11", "", FAILURE_LOGIN, false },
	{ LOCAL, "", "x.7.*", "", FAILURE_TLS, false },
	{ LOCAL, "", "", "", FAILURE_LOCAL, false },

	/* What we lack. */
	{ AUTH, "", "", "", FAILURE_LOGIN, false },
	{ TLS, "", "", "", FAILURE_TLS, false },
	{ REPLY, "530", "x.7.10", "", FAILURE_TLS, false },
	{ REPLY, "", "", "must issue a starttls|tls is required|tls required|requires tls|over a tls connection", FAILURE_TLS, false },
	{ REPLY, "530", "", "", FAILURE_LOGIN, false },
	{ REPLY, "", "x.7.57", "", FAILURE_LOGIN, false },
	{ REPLY, "", "", "authentication required|authentication is required|must authenticate", FAILURE_LOGIN, false },

	/* Who we say we are. Mail that does not prove it is slowed down, too. */
	{ REPLY, "", "x.7.25", "", FAILURE_REPUTATION, false },
	{ REPLY, "", "", "ptr record|reverse dns|reverse hostname", FAILURE_REPUTATION, false },
	{ REPLY, "", "x.7.20 x.7.21 x.7.22 x.7.23 x.7.24 x.7.26 x.7.27 x.7.32 x.7.40 x.7.509 x.7.515", "", FAILURE_AUTH_POLICY, false },
	{ REPLY, "", "x.7.9", "policy reasons", FAILURE_AUTH_POLICY, false },
	{ REPLY, "", "", "dmarc|dkim|spf check|spf fail|failed spf|spf validation|spf record|sender policy framework|unauthenticated", FAILURE_AUTH_POLICY, false },

	/* Too much, too fast. Some say 5xx to what ends with the hour. */
	{ REPLY, "", "x.7.508", "", FAILURE_RATE_LIMITED, true },
	{ REPLY, "", "", "frequency limited|too many connections|too many concurrent|exceeded permitted limits", FAILURE_RATE_LIMITED, true },
	{ REPLY, "", "x.7.28 x.7.500 x.7.650 x.7.651 x.7.652 x.7.653 x.7.654", "", FAILURE_RATE_LIMITED, false },
	{ REPLY, "", "", "[tss0|[tss1|temporarily deferred due to", FAILURE_RATE_LIMITED, false },
	{ REPLY, "", "", "unusual rate|rate limit|rate-limit|ratelimit|sending limit|throttled|throttling|at a rate that|too quickly|too many messages", FAILURE_RATE_LIMITED, false },
	{ REPLY, "4", "", "try again later, closing connection", FAILURE_RATE_LIMITED, false },
	{ REPLY, "", "", "greylist|grey-list|graylist|gray-list|postgrey", FAILURE_GREYLISTED, true },
	{ REPLY, "451", "", "internal resources are temporarily unavailable", FAILURE_GREYLISTED, false },
	{ RCPT, "", "", "too many recipients", FAILURE_RECIPIENT_LIMIT, true },

	/* What is thought of us, and of what we send. */
	{ REPLY, "", "x.7.501 x.7.502 x.7.503 x.7.511 x.7.60* x.7.61* x.7.62* x.7.63* x.7.64*", "", FAILURE_REPUTATION, false },
	{ REPLY, "", "", "[ts0|[bl2|permanently deferred", FAILURE_REPUTATION, false },
	{ REPLY, "", "", "reputation|spamhaus|spamcop|blocklist|block list|blacklist|black list|denylist|dnsbl|blocked using|banned send|ipcheck.proofpoint.com", FAILURE_REPUTATION, false },
	{ REPLY, "", "", "[cs01]|[hm07]|[hm08]|[ph01]", FAILURE_SPAM_CONTENT, false },
	{ REPLY, "", "", "unsolicited|phishing|is spam|as spam|be spam|like spam|spam detected|spam content|spam message|spam score|mail content denied", FAILURE_SPAM_CONTENT, false },
	{ REPLY, "", "", "attachment type|attachment not allowed|blocked attachment|prohibited attachment|illegal attachment|virus found|virus detected|contains a virus|malware|infected|potential security issue", FAILURE_ATTACHMENT, false },

	/* The mailbox. Whether it is full or gone, hosts say with every code there is. */
	{ REPLY, "", "", "over quota|overquota|quota exceeded|exceeded quota|exceeds quota|mailbox full|mailbox is full|mailbox size limit|inbox is full|out of storage|account is full", FAILURE_MAILBOX_FULL, false },
	{ RCPT, "", "", "exceeded storage allocation", FAILURE_MAILBOX_FULL, false },
	{ REPLY, "", "", "message too large|message is too large|message too big|message size exceeds|maximum message size|size limit", FAILURE_TOO_LARGE, false },
	{ REPLY, "", "", "sender address|sender domain|domain of sender|sender rejected|sender denied|sender verify|invalid sender|bad sender", FAILURE_SENDER_REFUSED, false },
	{ REPLY, "", "", "relay access denied|relaying denied|unable to relay|not permitted to relay|relay not permitted|relaying not", FAILURE_RELAY_DENIED, false },
	{ REPLY, "", "x.7.64", "", FAILURE_RELAY_DENIED, false },
	{ REPLY, "", "", "account disabled|account is disabled|account has been disabled|mailbox disabled|mailbox is disabled|is inactive|account inactive|account suspended|been suspended|is suspended|account closed|no longer active|reach is disabled", FAILURE_MAILBOX_DISABLED, false },
	{ REPLY, "", "", "mailbox unavailable or access denied", FAILURE_POLICY, false },
	{ REPLY, "", "", "user unknown|unknown user|recipient unknown|unknown recipient|mailbox unknown|unknown mailbox|address unknown|no such user|no such mailbox|no such recipient|no such address|no mailbox here", FAILURE_MAILBOX_UNKNOWN, false },
	{ REPLY, "", "", "user not found|mailbox not found|recipient not found|recipientnotfound|address not found|user does not exist|mailbox does not exist|recipient does not exist|account does not exist|address does not exist|reach does not exist|user doesn't have|user not exist|#5.1.0 address rejected", FAILURE_MAILBOX_UNKNOWN, false },
	{ RCPT, "5", "", "mailbox unavailable", FAILURE_MAILBOX_UNKNOWN, false },
	{ RCPT, "5", "x.4.1", "access denied", FAILURE_MAILBOX_UNKNOWN, false },
	{ REPLY, "", "", "domain not found|no such domain|unknown domain|domain does not exist", FAILURE_BAD_DOMAIN, false },

	/* RFC 3463 and its registry. */
	{ REPLY, "", "x.1.1 x.1.3 x.1.4 x.1.6", "", FAILURE_MAILBOX_UNKNOWN, false },
	{ RCPT, "", "x.1.0", "", FAILURE_MAILBOX_UNKNOWN, false },
	{ REPLY, "", "x.1.2 x.1.10", "", FAILURE_BAD_DOMAIN, false },
	{ REPLY, "", "x.1.7 x.1.8 x.1.9", "", FAILURE_SENDER_REFUSED, false },
	{ REPLY, "", "x.2.1", "", FAILURE_MAILBOX_DISABLED, false },
	{ REPLY, "", "x.2.2", "", FAILURE_MAILBOX_FULL, false },
	{ REPLY, "", "x.2.3 x.3.4", "", FAILURE_TOO_LARGE, false },
	{ REPLY, "", "x.4.6", "", FAILURE_LOOP, false },
	{ REPLY, "", "x.3.* x.4.*", "", FAILURE_REMOTE_SYSTEM, false },
	{ RCPT, "", "x.5.3", "", FAILURE_RECIPIENT_LIMIT, true },
	{ REPLY, "", "x.5.*", "", FAILURE_PROTOCOL, false },
	{ REPLY, "", "x.6.*", "", FAILURE_CONTENT, false },
	{ REPLY, "", "x.7.*", "", FAILURE_POLICY, false },

	/* Nothing but a code. */
	{ RCPT, "552", "", "", FAILURE_RECIPIENT_LIMIT, true }, /* RFC 5321 section 4.5.3.1.10 */
	{ DATA, "552", "", "", FAILURE_TOO_LARGE, false },
	{ REPLY, "50 555", "", "", FAILURE_PROTOCOL, false },
	{ HELLO, "5", "", "", FAILURE_REPUTATION, false },
	{ REPLY, "5", "", NO_WORDS, FAILURE_UNDETERMINED, false },
	{ MAIL, "5", "", "", FAILURE_SENDER_REFUSED, false },
	{ DATA, "5", "", "", FAILURE_CONTENT, false },
	{ REPLY, "4", "", "", FAILURE_REMOTE_SYSTEM, false },
	{ REPLY, "", "", "", FAILURE_OTHER, false },
	/* clang-format on */
};

size_t
classify_rule_count(void)
{
	return ARRAY_LEN(rules);
}

/* ------------------------------------------------------------------ matching ------------------ */

enum {
	TEXT_MAX = 1024
};

struct words {
	char text[TEXT_MAX];
	size_t len;
	bool any; /* has a letter */
};

static bool
is_break(char c)
{
	return c == ' ' || c == '<' || c == '>' || c == ',' || c == ';' || c == '(' || c == ')';
}

/* Brackets go with the address between them, and what stood around it is one blank apart. */
static void
add_break(struct words *out, char c)
{
	bool blank = c == ' ' || c == '<' || c == '>';

	if (out->len < TEXT_MAX && !(blank && out->len > 0 && out->text[out->len - 1] == ' '))
		out->text[out->len++] = blank ? ' ' : c;
}

/* In lower case, without addresses, and without the status that Gmail and others say on each line: the words of a text
 * in several lines stand together then. */
static void
take_words(const struct refusal *refusal, struct words *out)
{
	struct span rest = span_of(refusal->text), status = span_of(refusal->status);

	out->len = 0;
	out->any = false;
	while (rest.len > 0) {
		size_t len = 0;
		struct span word;

		while (len < rest.len && !is_break(rest.p[len]))
			len++;
		word = span_first(rest, len);
		if (word.len > 0 && span_find(word, '@') == word.len &&
		    !(status.len > 0 && span_eq(word, status)))
			for (size_t i = 0; i < word.len && out->len < TEXT_MAX; i++) {
				out->text[out->len++] = ascii_lower(word.p[i]);
				out->any |= ascii_is_alpha(word.p[i]);
			}
		if (len == rest.len)
			break;
		add_break(out, rest.p[len]);
		rest = span_skip(rest, len + 1);
	}
}

static bool
has_one_of(const struct words *words, const char *phrases)
{
	struct span rest = span_of(phrases), phrase;

	while (span_next(&rest, '|', &phrase))
		if (words->len > 0 && memmem(words->text, words->len, phrase.p, phrase.len) != NULL)
			return true;
	return false;
}

static bool
has_text(const struct words *words, const char *text)
{
	if (text == NO_WORDS)
		return !words->any;
	return text[0] == '\0' || has_one_of(words, text);
}

/* "x.7.60*" and "5.7.606": the class is not compared. */
static bool
status_matches(struct span pattern, struct span status)
{
	pattern = span_skip(pattern, 1);
	status = span_skip(status, 1);
	if (pattern.len > 0 && pattern.p[pattern.len - 1] == '*')
		return status.len >= pattern.len &&
		       span_starts(status, span_first(pattern, pattern.len - 1));
	return span_eq(pattern, status);
}

static bool
has_status(struct span status, const char *patterns)
{
	struct span rest = span_of(patterns), pattern;

	if (rest.len == 0)
		return true;
	while (span_next(&rest, ' ', &pattern))
		if (status_matches(pattern, status))
			return true;
	return false;
}

static bool
has_code(int code, const char *beginnings)
{
	char digits[3] = { (char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10),
		(char)('0' + code % 10) };
	struct span rest = span_of(beginnings), beginning;

	if (rest.len == 0)
		return true;
	while (span_next(&rest, ' ', &beginning))
		if (span_starts(span_make(digits, sizeof digits), beginning))
			return true;
	return false;
}

struct classified
classify(const struct refusal *refusal)
{
	unsigned where = refusal->remote ? 1U << refusal->stage : (unsigned)LOCAL;
	struct span status = span_of(refusal->status);
	struct words words;
	size_t i = 0;

	take_words(refusal, &words);
	while (i + 1 < ARRAY_LEN(rules) && /* the last holds for everything */
	       ((rules[i].where & where) == 0 || !has_code(refusal->code, rules[i].codes) ||
		   !has_status(status, rules[i].status) || !has_text(&words, rules[i].text)))
		i++;
	return (struct classified){ rules[i].failure, rules[i].later, i };
}
