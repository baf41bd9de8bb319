/* Unit tests of wire/classify.c and wire/outcome.c: replies as hosts give them, and what is made of them. */
#include "config.h"

#include "unit/test.h"
#include "wire/outcome.h"
#include "wire/reply.h"

#include <stdio.h>

static const struct {
	enum smtp_stage stage;
	const char *reply; /* without the last CR LF */
	const char *want;  /* kind, status, class */
} replies[] = {
	/* clang-format off */
	/* What we lack. */
	{ STAGE_AUTH, "535 5.7.8 Authentication credentials invalid", "deferred 4.7.8 login" },
	{ STAGE_AUTH, "454 4.7.0 Temporary authentication failure", "deferred 4.7.0 login" },
	{ STAGE_TLS, "454 4.7.0 TLS not available due to local problem", "deferred 4.7.0 tls" },
	{ STAGE_MAIL, "530 5.7.10 Encryption needed", "bounced 5.7.10 tls" },
	{ STAGE_MAIL, "530 5.7.0 Must issue a STARTTLS command first", "bounced 5.7.0 tls" },
	{ STAGE_DATA, "421-4.7.29 This mail has been rate limited because it was not sent over a TLS\r\n421 4.7.29 connection. Gmail requires it.", "deferred 4.7.29 tls" },
	{ STAGE_MAIL, "530 Log in first", "bounced 5.7.0 login" },
	{ STAGE_MAIL, "535 5.7.57 Client not authenticated to send mail", "bounced 5.7.57 login" },
	{ STAGE_MAIL, "550 5.7.1 Authentication Required", "bounced 5.7.1 login" },

	/* Gmail */
	{ STAGE_DATA, "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating\r\n421 4.7.28 from your IP address. x1-20020a.123 - gsmtp", "deferred 4.7.28 rate-limited" },
	{ STAGE_DATA, "550-5.7.28 [192.0.2.1 15] Our system has detected an unusual rate of\r\n550-5.7.28 unsolicited mail originating from your IP address. To protect our\r\n550 5.7.28 users from spam, mail sent from your IP address has been blocked.", "bounced 5.7.28 rate-limited" },
	{ STAGE_HELLO, "421-4.7.0 [192.0.2.1 15] Try again later, closing connection. (EHLO)\r\n421 4.7.0 gsmtp", "deferred 4.7.0 rate-limited" },
	{ STAGE_DATA, "421-4.7.0 [192.0.2.1 19] Our system has detected that this message is\r\n421-4.7.0 suspicious due to the very low reputation of the sending IP\r\n421 4.7.0 address.", "deferred 4.7.0 reputation" },
	{ STAGE_DATA, "550-5.7.1 [192.0.2.1 12] Our system has detected that this message is\r\n550-5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail,\r\n550 5.7.1 this message has been blocked.", "bounced 5.7.1 spam-content" },
	{ STAGE_DATA, "550-5.7.26 Your email has been blocked because the sender is unauthenticated.\r\n550 5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.", "bounced 5.7.26 auth-policy" },
	{ STAGE_DATA, "421-4.7.27 Your email has been rate limited because SPF authentication didn't\r\n421 4.7.27 pass for this message.", "deferred 4.7.27 auth-policy" },
	{ STAGE_DATA, "421-4.7.30 Your email has been rate limited because DKIM authentication\r\n421 4.7.30 didn't pass for this message.", "deferred 4.7.30 auth-policy" },
	{ STAGE_HELLO, "550-5.7.25 [192.0.2.1] The IP address sending this message does not have a\r\n550 5.7.25 PTR record setup.", "deferred 4.7.25 reputation" },
	{ STAGE_RCPT, "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n550 5.1.1 double-checking the recipient's email address for typos", "bounced 5.1.1 mailbox-unknown" },
	{ STAGE_RCPT, "550 5.2.1 The email account that you tried to reach is disabled.", "bounced 5.2.1 mailbox-disabled" },
	{ STAGE_RCPT, "452-4.2.2 The recipient's inbox is out of storage space. Please direct the\r\n452 4.2.2 recipient to", "deferred 4.2.2 mailbox-full" },
	{ STAGE_RCPT, "552-5.2.2 The email account that you tried to reach is over quota. Please direct\r\n552 5.2.2 the recipient to", "bounced 5.2.2 mailbox-full" },
	{ STAGE_RCPT, "450-4.2.1 The user you are trying to contact is receiving mail at a rate that\r\n450 4.2.1 prevents additional messages from being delivered.", "deferred 4.2.1 rate-limited" },
	{ STAGE_DATA, "552-5.7.0 This message was blocked because its content presents a potential\r\n552 5.7.0 security issue.", "bounced 5.7.0 attachment" },
	{ STAGE_DATA, "552 5.3.4 Your message exceeded Google's message size limits.", "bounced 5.3.4 message-too-large" },

	/* Outlook and Exchange Online */
	{ STAGE_HELLO, "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.", "deferred 4.7.650 rate-limited" },
	{ STAGE_MAIL, "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77714)", "deferred 4.7.500 rate-limited" },
	{ STAGE_RCPT, "550 5.7.508 Access denied, [192.0.2.1] has exceeded permitted limits within IPv4 range", "deferred 4.7.508 rate-limited" },
	{ STAGE_RCPT, "550 5.7.606 Access denied, banned sending IP [192.0.2.1].", "bounced 5.7.606 reputation" },
	{ STAGE_RCPT, "550 5.7.511 Access denied, banned sender.", "bounced 5.7.511 reputation" },
	{ STAGE_MAIL, "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Part of their network is on our block list (S3140).", "bounced 5.7.1 reputation" },
	{ STAGE_DATA, "550 5.7.515 Access denied, sending domain example.com doesn't meet the required authentication level.", "bounced 5.7.515 auth-policy" },
	{ STAGE_RCPT, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", "bounced 5.5.0 mailbox-unknown" },
	{ STAGE_RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "bounced 5.1.10 mailbox-unknown" },
	{ STAGE_RCPT, "550 5.4.1 Recipient address rejected: Access denied. [x.prod.protection.outlook.com]", "bounced 5.4.1 mailbox-unknown" },
	{ STAGE_RCPT, "550 5.7.64 TenantAttribution", "bounced 5.7.64 relay-denied" },

	/* Yahoo */
	{ STAGE_MAIL, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1", "deferred 4.7.0 rate-limited" },
	{ STAGE_MAIL, "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.", "deferred 4.7.1 reputation" },
	{ STAGE_HELLO, "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list", "deferred 4.7.1 reputation" },
	{ STAGE_DATA, "554 5.7.9 Message not accepted for policy reasons.", "bounced 5.7.9 auth-policy" },
	{ STAGE_DATA, "554 delivery error: dd This user doesn't have a yahoo.com account (b@yahoo.com) [0]", "bounced 5.1.1 mailbox-unknown" },
	{ STAGE_DATA, "554 delivery error: dd Sorry, your message to b@yahoo.com cannot be delivered. This mailbox is disabled (554.30).", "bounced 5.2.1 mailbox-disabled" },
	{ STAGE_DATA, "554 Message not allowed - [PH01] Email not accepted for policy reasons.", "bounced 5.7.1 spam-content" },

	/* iCloud */
	{ STAGE_DATA, "550 5.7.1 [CS01] Message rejected due to local policy.", "bounced 5.7.1 spam-content" },
	{ STAGE_RCPT, "552 5.2.2 <b@icloud.com>: user is over quota", "bounced 5.2.2 mailbox-full" },

	/* QQ, T-Online, Proofpoint, Mimecast, Barracuda */
	{ STAGE_HELLO, "550 Connection frequency limited", "deferred 4.7.0 rate-limited" },
	{ STAGE_DATA, "550 Mail content denied.", "bounced 5.7.1 spam-content" },
	{ STAGE_RCPT, "550 Mailbox unavailable or access denied", "bounced 5.7.1 policy" },
	{ STAGE_HELLO, "554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help", "deferred 4.7.1 reputation" },
	{ STAGE_HELLO, "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1", "deferred 4.7.1 reputation" },
	{ STAGE_RCPT, "451 Internal resources are temporarily unavailable - https://community.mimecast.com/", "deferred 4.7.1 greylisted" },
	{ STAGE_RCPT, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "bounced 5.7.1 reputation" },

	/* Anybody */
	{ STAGE_RCPT, "450 4.2.0 <b@example.net>: Recipient address rejected: Greylisted, see http://postgrey.example/", "deferred 4.2.0 greylisted" },
	{ STAGE_RCPT, "550 5.7.1 Greylisted, come back in 5 minutes", "deferred 4.7.1 greylisted" },
	{ STAGE_RCPT, "421 4.7.0 Too many connections from your host", "deferred 4.7.0 rate-limited" },
	{ STAGE_DATA, "450 4.7.1 Throttled", "deferred 4.7.1 rate-limited" },
	{ STAGE_RCPT, "550 5.5.3 Too many recipients", "deferred 4.5.3 recipient-limit" },
	{ STAGE_RCPT, "450 4.7.1 Client host rejected: cannot find your reverse hostname", "deferred 4.7.1 reputation" },
	{ STAGE_DATA, "550 Rejected by the DMARC policy of example.com", "bounced 5.7.0 auth-policy" },
	{ STAGE_DATA, "550 This message contains malware", "bounced 5.7.0 attachment" },
	{ STAGE_RCPT, "552 Requested mail action aborted: exceeded storage allocation", "bounced 5.2.2 mailbox-full" },
	{ STAGE_DATA, "550 Message too large", "bounced 5.3.4 message-too-large" },
	{ STAGE_RCPT, "450 4.1.8 <jo@example.com>: Sender address rejected: Domain not found", "deferred 4.1.8 sender-refused" },
	{ STAGE_RCPT, "554 5.7.1 <b@example.net>: Relay access denied", "bounced 5.7.1 relay-denied" },
	{ STAGE_RCPT, "550 No such user here", "bounced 5.1.1 mailbox-unknown" },
	{ STAGE_RCPT, "450 4.7.1 <b@example.net>: Recipient address rejected: unverified address: User unknown", "deferred 4.7.1 mailbox-unknown" },
	{ STAGE_RCPT, "550 #5.1.0 Address rejected.", "bounced 5.1.1 mailbox-unknown" },
	{ STAGE_RCPT, "550 5.1.2 <b@example.net>: Recipient address rejected: Domain not found", "bounced 5.1.2 bad-domain" },

	/* What names say is not what the host says; Postfix says "Recipient address rejected" of everything. */
	{ STAGE_RCPT, "550 <spamhaus@dmarc.example>: what", "bounced 5.0.0 other" },
	{ STAGE_RCPT, "550 User <b@example.net> unknown", "bounced 5.1.1 mailbox-unknown" },
	{ STAGE_RCPT, "554 5.7.1 <b@example.net>: Recipient address rejected: Access denied", "bounced 5.7.1 policy" },
	{ STAGE_DATA, "550 Requested action not taken: mailbox unavailable", "bounced 5.6.0 content" },
	{ STAGE_RCPT, "450 Requested mail action not taken: mailbox unavailable", "deferred 4.0.0 remote-system" },
	{ STAGE_DATA, "451 4.3.0 the antivirus service is not available", "deferred 4.3.0 remote-system" },

	/* The status alone. */
	{ STAGE_RCPT, "550 5.1.1 no", "bounced 5.1.1 mailbox-unknown" },
	{ STAGE_RCPT, "550 5.1.0 no", "bounced 5.1.0 mailbox-unknown" },
	{ STAGE_RCPT, "556 5.1.10 no", "bounced 5.1.10 bad-domain" },
	{ STAGE_MAIL, "550 5.1.7 no", "bounced 5.1.7 sender-refused" },
	{ STAGE_MAIL, "550 5.1.0 no", "bounced 5.1.0 sender-refused" },
	{ STAGE_RCPT, "550 5.2.1 no", "bounced 5.2.1 mailbox-disabled" },
	{ STAGE_RCPT, "550 5.2.2 no", "bounced 5.2.2 mailbox-full" },
	{ STAGE_DATA, "550 5.2.3 no", "bounced 5.2.3 message-too-large" },
	{ STAGE_RCPT, "554 5.4.6 no", "bounced 5.4.6 loop" },
	{ STAGE_MAIL, "452 4.3.1 no", "deferred 4.3.1 remote-system" },
	{ STAGE_RCPT, "451 4.4.3 no", "deferred 4.4.3 remote-system" },
	{ STAGE_RCPT, "452 4.5.3 no", "deferred 4.5.3 recipient-limit" },
	{ STAGE_DATA, "554 5.5.1 no", "bounced 5.5.1 protocol" },
	{ STAGE_DATA, "554 5.6.0 no", "bounced 5.6.0 content" },
	{ STAGE_DATA, "554 5.7.1 no", "bounced 5.7.1 policy" },

	/* The code alone. */
	{ STAGE_RCPT, "552 too many", "deferred 4.5.3 recipient-limit" },
	{ STAGE_DATA, "552 no", "bounced 5.3.4 message-too-large" },
	{ STAGE_MAIL, "501 no", "bounced 5.5.0 protocol" },
	{ STAGE_MAIL, "555 no", "bounced 5.5.0 protocol" },
	{ STAGE_HELLO, "554 no", "deferred 4.7.1 reputation" },
	{ STAGE_MAIL, "550 no", "bounced 5.1.0 sender-refused" },
	{ STAGE_DATA, "554 no", "bounced 5.6.0 content" },
	{ STAGE_RCPT, "550", "bounced 5.0.0 undetermined" },
	{ STAGE_RCPT, "550 5.0.0", "bounced 5.0.0 undetermined" },
	{ STAGE_DATA, "550 (#)", "bounced 5.0.0 undetermined" },
	{ STAGE_RCPT, "451", "deferred 4.0.0 remote-system" },
	{ STAGE_RCPT, "421 bye", "deferred 4.0.0 remote-system" },
	{ STAGE_RCPT, "550 no", "bounced 5.0.0 other" },
	{ STAGE_RCPT, "550 5.2.4 no", "bounced 5.2.4 other" },
	/* clang-format on */
};

static const struct {
	const char *status, *class;
} causes[] = {
	{ "5.1.2", "bad-domain" },
	{ "5.1.10", "bad-domain" },
	{ "5.4.4", "bad-domain" },
	{ "5.3.4", "message-too-large" },
	{ "4.4.1", "connection" },
	{ "4.4.2", "connection" },
	{ "4.4.3", "dns" },
	{ "5.4.6", "loop" },
	{ "4.4.7", "expired" },
	{ "4.5.0", "protocol" },
	{ "5.6.3", "content" },
	{ "4.7.4", "login" },
	{ "4.7.11", "login" },
	{ "4.7.0", "tls" },
	{ "4.7.5", "tls" },
	{ "4.7.10", "tls" },
	{ "4.3.0", "local" },
	{ "4.3.2", "local" },
};

static struct reply
parse(const char *text)
{
	struct reply_parser parser;
	size_t used;

	reply_parser_init(&parser);
	if (reply_feed(&parser, span_of(text), &used, NULL, NULL) == RC_MORE)
		assert_rc(reply_feed(&parser, SPAN_LIT("\r\n"), &used, NULL, NULL), RC_OK);
	return parser.reply;
}

static void
describe(const struct outcome *outcome, char *out, size_t size)
{
	(void)snprintf(out, size, "%s %s %s", outcome_kind_name(outcome->kind), outcome->status,
	    failure_info(outcome->failure)->word);
}

static bool used_rules[200];

static void
note_rule(const struct refusal *refusal)
{
	assert_true(classify_rule_count() <= ARRAY_LEN(used_rules));
	used_rules[classify(refusal).rule] = true;
}

static void
test_replies(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct reply reply = parse(replies[i].reply);
		struct outcome outcome = { .kind = OUTCOME_NONE };
		bool of_host = replies[i].stage <= STAGE_AUTH;
		char got[100];

		note_rule(&(struct refusal){
		    true, replies[i].stage, reply.code, reply.status, reply.text });
		if (of_host)
			outcome_of_host(
			    &outcome, replies[i].stage, reply.code, reply.status, reply.text);
		else
			outcome_from_reply(
			    &outcome, replies[i].stage, reply.code, reply.status, reply.text);
		assert_true(outcome.remote);
		assert_int_equal(outcome.code, reply.code);
		describe(&outcome, got, sizeof got);
		if (strcmp(got, replies[i].want) != 0) {
			wrong++;
			print_error("%s\n    %s, not %s\n", replies[i].reply, got, replies[i].want);
		}
	}
	assert_int_equal(wrong, 0);
}

static void
test_causes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
		struct outcome outcome = { .kind = OUTCOME_NONE };

		note_rule(&(struct refusal){ false, STAGE_RCPT, 421, causes[i].status,
		    "spamhaus says: user unknown, over quota" });
		outcome_set(&outcome, OUTCOME_DEFERRED, 421, causes[i].status, "text");
		assert_string_equal(failure_info(outcome.failure)->word, causes[i].class);
		assert_string_equal(outcome.status, causes[i].status);
		assert_false(outcome.remote);
	}
}

/* After those above. */
static void
test_each_rule_has_an_example(void **state)
{
	int missing = 0;

	(void)state;
	for (size_t i = 0; i < classify_rule_count(); i++)
		if (!used_rules[i]) {
			missing++;
			print_error("no reply of this test comes to rule %zu\n", i + 1);
		}
	assert_int_equal(missing, 0);
}

static void
test_delivered(void **state)
{
	struct outcome outcome = { .kind = OUTCOME_NONE };

	(void)state;
	outcome_from_reply(&outcome, STAGE_DATA, 250, "", "user unknown, but never mind");
	assert_int_equal(outcome.kind, OUTCOME_DELIVERED);
	assert_int_equal(outcome.failure, FAILURE_NONE);
	assert_string_equal(outcome.status, "2.0.0");
	/* The first word counts. */
	outcome_from_reply(&outcome, STAGE_DATA, 550, "5.1.1", "no");
	outcome_of_host(&outcome, STAGE_DATA, 550, "5.1.1", "no");
	outcome_set(&outcome, OUTCOME_FAILED, 550, "5.1.1", "no");
	assert_int_equal(outcome.kind, OUTCOME_DELIVERED);
}

/* ------------------------------------------------------------------ the end ------------------- */

static void
check_expired(const char *reply, int64_t max_age_ms, bool own_end, const char *text,
    const char *word, const char *type, const char *subtype)
{
	struct reply r = parse(reply);
	struct outcome outcome = { .kind = OUTCOME_NONE };
	const struct failure_info *info;

	outcome_from_reply(&outcome, STAGE_RCPT, r.code, r.status, r.text);
	assert_int_equal(outcome.kind, OUTCOME_DEFERRED);
	outcome_expire(&outcome, max_age_ms, own_end);
	assert_int_equal(outcome.kind, OUTCOME_FAILED);
	assert_string_equal(outcome.status, "4.4.7");
	assert_int_equal(outcome.code, 550);
	assert_false(outcome.remote);
	assert_string_equal(outcome.text, text);
	info = failure_info(outcome.failure);
	assert_string_equal(info->word, word);
	assert_string_equal(info->bounce_type, type);
	assert_string_equal(info->bounce_subtype, subtype);
}

static void
test_expired(void **state)
{
	(void)state;
	check_expired("451 4.7.1 greylisted", 840 * 60000, false,
	    "Message expired: unable to deliver in 840 minutes.<451 4.7.1 greylisted>", "expired",
	    "Transient", "General");
	check_expired("452 4.2.2 full", 840 * 60000, false,
	    "Message expired: unable to deliver in 840 minutes.<452 4.2.2 full>", "mailbox-full",
	    "Transient", "MailboxFull");
	check_expired("452 4.2.2 full", 300000, true,
	    "Message expired: unable to deliver in 5 minutes.<452 4.2.2 full>", "custom-timeout",
	    "Transient", "CustomTimeoutExceeded");
	check_expired("451 no", 90000, true,
	    "Message expired: unable to deliver in 90 seconds.<451 4.0.0 no>", "custom-timeout",
	    "Transient", "CustomTimeoutExceeded");
}

static void
check_texts(
    bool remote, const char *status, const char *text, const char *log, const char *diagnostic)
{
	struct outcome outcome = { .kind = OUTCOME_NONE };
	char got[OUTCOME_TEXT_MAX];

	if (remote)
		outcome_from_reply(&outcome, STAGE_RCPT, 550, status, text);
	else
		outcome_set(&outcome, OUTCOME_FAILED, 550, status, text);
	outcome_format(&outcome, got, sizeof got);
	assert_string_equal(got, log);
	outcome_diagnostic(&outcome, got, sizeof got);
	assert_string_equal(got, diagnostic);
}

/* The log has the status that we gave it; the report says what the host said. */
static void
test_texts(void **state)
{
	(void)state;
	check_texts(true, "5.1.1", "5.1.1 gone", "550 5.1.1 gone", "550 5.1.1 gone");
	check_texts(true, "", "no such user", "550 5.1.1 no such user", "550 no such user");
	check_texts(true, "", "", "550 5.0.0 ", "550");
	check_texts(
	    true, "5.7.1", "5.7.1 greylisted", "550 5.7.1 greylisted", "550 5.7.1 greylisted");
	check_texts(false, "5.4.4", "no host", "550 5.4.4 no host", "550 5.4.4 no host");
}

/* Every class has all of its words, and no two the same. */
static void
test_classes(void **state)
{
	(void)state;
	for (int i = 1; i < FAILURE_CLASSES; i++) {
		const struct failure_info *info = failure_info((enum failure_class)i);

		assert_non_null(info->word);
		assert_true(info->bounce_type[0] != '\0' && info->bounce_subtype[0] != '\0');
		assert_true(info->delay_type[0] != '\0' && strchr(info->detail, '.') != NULL);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			    info->word, failure_info((enum failure_class)k)->word);
	}
	assert_ptr_equal(failure_info(FAILURE_CLASSES), failure_info(FAILURE_UNDETERMINED));
}

/* Texts at the limits of what a reply may be: nothing is read behind the end. */
static void
test_long_texts(void **state)
{
	static const char fill[] = " <.@>,;()";
	char text[3000];

	(void)state;
	for (size_t len = 0; len < sizeof text; len += 37)
		for (size_t k = 0; k < sizeof fill; k++) {
			struct refusal refusal = { true, STAGE_RCPT, 550, "5.9.9", text };

			memset(text, fill[k], len);
			text[len] = '\0';
			assert_int_equal(classify(&refusal).failure, FAILURE_UNDETERMINED);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_each_rule_has_an_example),
		cmocka_unit_test(test_delivered),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
