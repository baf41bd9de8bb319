/* Unit tests of event/event.c: the lines as log readers made for Postfix want them. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit/test.h"
#include "event/event.h"

static const struct message_id ID = { 0x010001930000abcd,
	{ 1, 1, 1, 1, 1, 1, 0x41, 1, 0x81, 1, 1, 1, 1, 1, 1, 1 } };
#define ID_TEXT "010001930000abcd-01010101-0101-4101-8101-010101010101-000000"

/* ------------------------------------------------------------------ what was logged ----------- */

static int kept_stderr = -1, log_fd = -1;

static void
catch_log(void)
{
	log_fd = memfd_create("log", MFD_CLOEXEC);
	kept_stderr = dup(STDERR_FILENO);
	assert_true(log_fd >= 0 && kept_stderr >= 0);
	assert_true(dup2(log_fd, STDERR_FILENO) >= 0);
}

/* The lines without date, host and process id: "smtp: text". */
static void
check_log(const char *want)
{
	char raw[16384], *line, *rest = raw, got[16384] = "";
	ssize_t len;

	assert_true(dup2(kept_stderr, STDERR_FILENO) >= 0);
	len = pread(log_fd, raw, sizeof raw - 1, 0);
	assert_true(len >= 0);
	raw[len] = '\0';
	(void)close(log_fd);
	(void)close(kept_stderr);
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		char *component = strstr(line, " postrider/"), *pid, *colon;

		assert_non_null(component);
		component += strlen(" postrider/");
		pid = strchr(component, '[');
		assert_non_null(pid);
		colon = strstr(pid, "]: ");
		assert_non_null(colon);
		*pid = '\0';
		(void)strncat(got, component, sizeof got - strlen(got) - 1);
		(void)strncat(got, colon + 1, sizeof got - strlen(got) - 1);
		(void)strncat(got, "\n", sizeof got - strlen(got) - 1);
	}
	assert_string_equal(got, want);
}

/* ------------------------------------------------------------------ accepted ------------------ */

static struct event_send
sent(void)
{
	return (struct event_send){ .sequence = 0x1a2b3c,
		.id = &ID,
		.listener = "submission",
		.client = "app[192.0.2.1]",
		.account = "acct",
		.credential = "AKIAEXAMPLE",
		.mechanism = "PLAIN",
		.sender = "a@example.com",
		.configuration_set = "",
		.original_message_id = "",
		.size = 1234,
		.recipients = 2 };
}

static void
test_send(void **state)
{
	const struct event_tag tags[] = { { "campaign", "spring" }, { "x", "a\nb" } };
	struct event_send e = sent();
	uint64_t before = event_count(EVENT_SEND);

	(void)state;
	catch_log();
	event_send(&e);
	check_log("submission/smtpd: 00001A2B3C: client=app[192.0.2.1], sasl_method=PLAIN, "
		  "sasl_username=AKIAEXAMPLE\n"
		  "cleanup: 00001A2B3C: message-id=<" ID_TEXT ">\n"
		  "qmgr: 00001A2B3C: from=<a@example.com>, size=1234, nrcpt=2 (queue active), "
		  "account=acct\n");
	assert_int_equal(event_count(EVENT_SEND), before + 1);
	e.configuration_set = "set1";
	e.original_message_id = "<old\x01\xffid@client>";
	e.tags = tags;
	e.tag_count = 2;
	e.sender = "";
	catch_log();
	event_send(&e);
	check_log("submission/smtpd: 00001A2B3C: client=app[192.0.2.1], sasl_method=PLAIN, "
		  "sasl_username=AKIAEXAMPLE\n"
		  "cleanup: 00001A2B3C: message-id=<" ID_TEXT
		  ">, original-message-id=<old\\x01\\xffid@client>\n"
		  "qmgr: 00001A2B3C: from=<>, size=1234, nrcpt=2 (queue active), account=acct, "
		  "configuration-set=set1, tags=campaign=spring;x=a\\x0ab\n");
}

static void
test_reject(void **state)
{
	const struct event_reject e = { "submission", "app[192.0.2.1]", "acct", "a\r\n@example.com",
		"554 Message rejected: no" };

	(void)state;
	catch_log();
	event_reject(&e);
	check_log(
	    "submission/smtpd: NOQUEUE: reject: END-OF-MESSAGE from app[192.0.2.1]: 554 Message "
	    "rejected: no; from=<a\\x0d\\x0a@example.com> account=acct proto=ESMTP\n");
}

static void
test_others(void **state)
{
	char id[EVENT_QUEUE_ID_LEN];

	(void)state;
	catch_log();
	event_removed(UINT64_MAX, &ID);
	event_auth_failed(
	    "submissions", "x[192.0.2.9]", "LOGIN", SPAN_LIT("us\0er\x1b[2J"), "wrong password");
	check_log(
	    "qmgr: FFFFFFFFFFFFFFFF: removed\n"
	    "submissions/smtpd: warning: x[192.0.2.9]: SASL LOGIN authentication failed: "
	    "authentication failure, sasl_username=us\\x00er\\x1b[2J, reason=wrong password\n");
	event_queue_id(1, id);
	assert_string_equal(id, "0000000001");
	assert_string_equal(event_name(EVENT_SEND), "Send");
	assert_string_equal(event_name(EVENT_DELAY), "DeliveryDelay");
}

/* ------------------------------------------------------------------ one recipient ------------- */

static struct event_recipient
delivered(void)
{
	return (struct event_recipient){ .kind = EVENT_DELIVERY,
		.sequence = 1,
		.id = &ID,
		.recipient = "b@example.net",
		.account = "acct",
		.host = "mx.example.net",
		.address = "192.0.2.25",
		.port = 25,
		.tls_version = "",
		.status = "2.0.0",
		.reply = "250 2.0.0 ok",
		.queued_us = 12000,
		.waited_us = 1000,
		.setup_us = 1230000,
		.transmit_us = 25000000 };
}

static void
test_recipient(void **state)
{
	struct event_recipient e = delivered();
	uint64_t before = event_count(EVENT_BOUNCE);
	uint64_t unknown_before = event_class_count(EVENT_BOUNCE, FAILURE_MAILBOX_UNKNOWN);

	(void)state;
	catch_log();
	event_recipient(&e);
	e.tls_version = "TLSv1.3";
	event_recipient(&e);
	e.kind = EVENT_BOUNCE;
	e.failure = FAILURE_MAILBOX_UNKNOWN;
	e.status = "5.1.1";
	e.reply = "550 5.1.1 unknown %s \x1b[2J\r\nfake: line";
	event_recipient(&e);
	e = delivered();
	e.kind = EVENT_DELAY;
	e.host = e.address = "";
	e.failure = FAILURE_CONNECTION;
	e.status = "4.4.1";
	e.reply = "421 4.4.1 no host could be reached";
	event_recipient(&e);
	check_log("smtp: 0000000001: to=<b@example.net>, relay=mx.example.net[192.0.2.25]:25, "
		  "delay=26, delays=0.01/0/1.2/25, dsn=2.0.0, status=sent (250 2.0.0 ok)\n"
		  "smtp: 0000000001: to=<b@example.net>, relay=mx.example.net[192.0.2.25]:25, "
		  "delay=26, delays=0.01/0/1.2/25, dsn=2.0.0, status=sent (250 2.0.0 ok), "
		  "tls=TLSv1.3\n"
		  "smtp: 0000000001: to=<b@example.net>, relay=mx.example.net[192.0.2.25]:25, "
		  "delay=26, delays=0.01/0/1.2/25, dsn=5.1.1, status=bounced (550 5.1.1 unknown %s "
		  "\\x1b[2J\\x0d\\x0afake: line), tls=TLSv1.3, class=mailbox-unknown, "
		  "bounce-type=Permanent/NoEmail\n"
		  "smtp: 0000000001: to=<b@example.net>, relay=none, delay=26, "
		  "delays=0.01/0/1.2/25, dsn=4.4.1, status=deferred (421 4.4.1 no host could be "
		  "reached), class=connection, delay-type=TransientCommunicationFailure\n");
	assert_int_equal(event_count(EVENT_BOUNCE), before + 1);
	assert_int_equal(
	    event_class_count(EVENT_BOUNCE, FAILURE_MAILBOX_UNKNOWN), unknown_before + 1);
	assert_int_equal(event_class_count(EVENT_DELAY, FAILURE_MAILBOX_UNKNOWN), 0);
}

/* Times below nothing come of clocks that were set: they are shown as 0. */
static void
test_delays(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} times[] = {
		{ -5, "0" },
		{ 0, "0" },
		{ 4999, "0" },
		{ 5000, "0.01" },
		{ 120000, "0.12" },
		{ 1000000, "1.0" },
		{ 9940000, "9.9" },
		{ 92000000, "92" },
		{ INT64_C(50400000000), "50400" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct event_recipient e = delivered();
		char want[300];

		e.queued_us = times[i].us;
		e.waited_us = e.setup_us = e.transmit_us = 0;
		(void)snprintf(want, sizeof want,
		    "smtp: 0000000001: to=<b@example.net>, relay=mx.example.net[192.0.2.25]:25, "
		    "delay=%s, delays=%s/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 ok)\n",
		    times[i].text, times[i].text);
		catch_log();
		event_recipient(&e);
		check_log(want);
	}
}

static void
check_hidden(enum config_log_recipients how, const char *recipient, const char *shown)
{
	struct event_recipient e = delivered();
	char want[600];

	e.recipient = recipient;
	e.queued_us = e.waited_us = e.setup_us = e.transmit_us = 0;
	(void)snprintf(want, sizeof want,
	    "smtp: 0000000001: to=<%s>, relay=mx.example.net[192.0.2.25]:25, "
	    "delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 ok)\n",
	    shown);
	event_configure(how, SPAN_LIT("key"));
	catch_log();
	event_recipient(&e);
	check_log(want);
	event_configure(LOG_RECIPIENTS_FULL, SPAN_EMPTY);
}

static void
test_hiding(void **state)
{
	(void)state;
	check_hidden(LOG_RECIPIENTS_FULL, "jo@example.net", "jo@example.net");
	check_hidden(LOG_RECIPIENTS_FULL, "j\to@example.net", "j\\x09o@example.net");
	check_hidden(LOG_RECIPIENTS_DOMAIN, "jo@example.net", "*@example.net");
	check_hidden(LOG_RECIPIENTS_DOMAIN, "\"a@b\"@example.net", "*@example.net");
	check_hidden(LOG_RECIPIENTS_DOMAIN, "nobody", "*");
	/* printf jo@example.net | openssl dgst -sha256 -hmac key: the same address is the same in every line */
	check_hidden(LOG_RECIPIENTS_HASH, "jo@example.net", "9287e403872bf77a@example.net");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_send),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_recipient),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_hiding),
	};

	log_open(LOG_SINK_STDERR, LOG_LEVEL_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
