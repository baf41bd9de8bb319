/* Unit tests of bounce/bounce.c: when a report is made, and what a mail reader sees in it (Python's). */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/config/config_test.h"
#include "bounce/bounce.h"
#include "wire/command.h"

static struct config *config;

/* A message from jo@example.com to two recipients, with this text. */
static struct message *
original(const char *header, const char *body)
{
	struct message *m = message_new();
	char *copy[2] = { span_dup(span_of(header)), span_dup(span_of(body)) };

	assert_non_null(m);
	m->pieces = calloc(2, sizeof *m->pieces);
	assert_non_null(m->pieces);
	for (size_t i = 0; i < 2; i++) {
		assert_rc(message_own(m, copy[i]), RC_OK);
		m->pieces[i] = span_of(copy[i]);
		m->size += m->pieces[i].len;
	}
	m->piece_count = 2;
	m->accepted_ms = 1728000000000;
	assert_rc(message_set(&m->sender, SPAN_LIT("jo@example.com")), RC_OK);
	assert_rc(message_set(&m->account, SPAN_LIT("acct")), RC_OK);
	assert_rc(message_add_recipient(
		      m, SPAN_LIT("b@example.net"), SPAN_LIT("rfc822;B@example.net"), 0),
	    RC_OK);
	assert_rc(message_add_recipient(m, SPAN_LIT("c@example.org"), SPAN_EMPTY, 0), RC_OK);
	return m;
}

#define HEADER "From: jo@example.com\r\nSubject: hi\r\n\r\n"

static void
set_failed(struct outcome *outcome, const char *status, bool remote, const char *text)
{
	*outcome = (struct outcome){ .kind = OUTCOME_NONE };
	if (remote)
		outcome_from_reply(outcome, STAGE_RCPT, 550, status, text);
	else
		outcome_set(outcome, OUTCOME_FAILED, 550, status, text);
}

/* The report on both recipients, or NULL; `rc` has to be what comes of it. */
static struct message *
report(const struct message *m, enum rc rc)
{
	struct outcome outcomes[2];
	const struct bounce_recipient failed[] = { { 0, &outcomes[0], "mx.example.net" },
		{ 1, &outcomes[1], "" } };
	struct message *out = NULL;
	struct why why = WHY_EMPTY;

	set_failed(&outcomes[0], "5.1.1", true, "5.1.1 user \x1b[2J%s unknown\r\nX-Evil: 1");
	set_failed(&outcomes[1], "4.4.7", false, "Message expired");
	assert_rc(bounce_make(config, m, failed, 2, &out, &why), rc);
	assert_true((out != NULL) == (rc == RC_OK));
	return out;
}

/* What Python's parser finds: type, headers, the fields of the report, and the size of what came back. */
static const char script[] =
    "import email,sys\n"
    "m=email.message_from_bytes(sys.stdin.buffer.read())\n"
    "assert not m.defects, m.defects\n"
    "print(m.get_content_type(), m.get_param('report-type'), m['To'], m['From'], "
    "m['Auto-Submitted'], m['X-Evil'])\n"
    "parts=m.get_payload()\n"
    "print([p.get_content_type() for p in parts])\n"
    "for g in parts[1].get_payload():\n"
    "    print(sorted((k.lower(),v) for k,v in g.items() if k.lower() not in "
    "('arrival-date','last-attempt-date')))\n"
    "b=parts[2].get_payload()\n"
    "print(len(b) if isinstance(b,str) else (b[0]['Subject'], len(b[0].get_payload())))\n";

static void
check_python(const struct message *m, const char *want)
{
	char in[] = "/tmp/postrider-bounce-XXXXXX", command[sizeof in + sizeof script + 64],
	     got[4000];
	int fd = mkstemp(in);
	FILE *pipe;
	size_t len;

	assert_true(fd >= 0);
	for (size_t i = 0; i < m->piece_count; i++)
		assert_int_equal(
		    write(fd, m->pieces[i].p, m->pieces[i].len), (ssize_t)m->pieces[i].len);
	(void)close(fd);
	(void)snprintf(command, sizeof command, "python3 -c \"%s\" <%s 2>&1", script, in);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(got, 1, sizeof got - 1, pipe);
	got[len] = '\0';
	(void)pclose(pipe);
	(void)unlink(in);
	assert_string_equal(got, want);
}

static bool
have_python(void)
{
	return system("python3 -c 'import email' 2>/dev/null") == 0;
}

#define WANT \
	"multipart/report delivery-status jo@example.com MAILER-DAEMON@mail.example auto-replied " \
	"None\n" \
	"['text/plain', 'message/delivery-status', 'message/rfc822']\n" \
	"[('reporting-mta', 'dns; mx.example.com')]\n" \
	"[('action', 'failed'), ('diagnostic-code', 'smtp; 550 5.1.1 user ?[2J%s unknown X-Evil: " \
	"1'), ('final-recipient', 'rfc822; b@example.net'), ('original-recipient', " \
	"'rfc822;B@example.net'), ('remote-mta', 'dns; mx.example.net'), ('status', '5.1.1')]\n" \
	"[('action', 'failed'), ('diagnostic-code', 'smtp; 550 4.4.7 Message expired'), " \
	"('final-recipient', 'rfc822; c@example.org'), ('status', '4.4.7')]\n" \
	"('hi', 6)\n"

static void
test_report(void **state)
{
	struct message *m = original(HEADER, "body\r\n"), *r = report(m, RC_OK);
	size_t size = 0;

	(void)state;
	assert_true(r->notice);
	assert_string_equal(r->sender, "");
	assert_string_equal(r->return_path, "");
	assert_string_equal(r->account, "acct");
	assert_int_equal(r->recipient_count, 1);
	assert_string_equal(r->recipients[0].address, "jo@example.com");
	assert_false(r->has_8bit);
	for (size_t i = 0; i < r->piece_count; i++) {
		size += r->pieces[i].len;
		/* As it goes on the wire: CR LF lines, 7 bit. */
		for (size_t k = 0; k < r->pieces[i].len; k++) {
			assert_true(r->pieces[i].p[k] > 0);
			if (r->pieces[i].p[k] == '\n')
				assert_true(k > 0 && r->pieces[i].p[k - 1] == '\r');
		}
	}
	assert_int_equal(r->size, size);
	if (have_python())
		check_python(r, WANT);
	message_unref(r);
	message_unref(m);
}

static void
test_no_report(void **state)
{
	struct message *m = original(HEADER, "body\r\n");

	(void)state;
	m->notice = true; /* a report on a report */
	assert_null(report(m, RC_DENY));
	m->notice = false;
	assert_rc(message_set(&m->sender, SPAN_EMPTY), RC_OK); /* the null sender */
	assert_null(report(m, RC_DENY));
	assert_rc(message_set(&m->sender, SPAN_LIT("jo@example.com")), RC_OK);
	m->recipients[0].notify = NOTIFY_NEVER;
	m->recipients[1].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	assert_null(report(m, RC_DENY));
	m->recipients[1].notify = NOTIFY_FAILURE;
	message_unref(report(m, RC_OK));
	message_unref(m);
}

static bool
holds(const struct message *m, const char *text)
{
	for (size_t i = 0; i < m->piece_count; i++)
		if (memmem(m->pieces[i].p, m->pieces[i].len, text, strlen(text)) != NULL)
			return true;
	return false;
}

/* Only those who want one are in it. */
static void
test_notify(void **state)
{
	struct message *m = original(HEADER, "body\r\n"), *r;

	(void)state;
	m->recipients[0].notify = NOTIFY_NEVER;
	r = report(m, RC_OK);
	assert_false(holds(r, "b@example.net"));
	assert_true(holds(r, "Final-Recipient: rfc822; c@example.org\r\n"));
	message_unref(r);
	message_unref(m);
}

/* The text comes back whole when it is small and was not asked to stay away; else its header. */
static void
test_what_comes_back(void **state)
{
	static char large[60 * 1024 + 1];
	struct message *m = original(HEADER, "the body\r\n"), *r = report(m, RC_OK);

	(void)state;
	assert_true(holds(r, "Content-Type: message/rfc822\r\n"));
	assert_true(holds(r, "Subject: hi\r\n\r\nthe body\r\n"));
	message_unref(r);
	m->ret = DSN_RET_HDRS;
	r = report(m, RC_OK);
	assert_true(holds(r, "text/rfc822-headers"));
	assert_true(holds(r, "Subject: hi\r\n"));
	assert_false(holds(r, "the body"));
	message_unref(r);
	message_unref(m);
	for (size_t i = 0; i < sizeof large - 1; i += 64)
		(void)snprintf(large + i, 65, "%062zu\r\n", i);
	m = original(HEADER, large);
	r = report(m, RC_OK);
	assert_true(holds(r, "text/rfc822-headers"));
	assert_true(r->size < 5000);
	message_unref(r);
	message_unref(m);
}

/* A small message whose body is in a file: its body is not at hand, so it must not look as if it had none. */
static void
test_body_in_file(void **state)
{
	struct message *m = original(HEADER, ""), *r;

	(void)state;
	m->file_fd = dup(STDERR_FILENO);
	m->file_size = 10000;
	m->size += m->file_size;
	r = report(m, RC_OK);
	assert_true(holds(r, "text/rfc822-headers"));
	assert_false(holds(r, "message/rfc822\r\n"));
	message_unref(r);
	message_unref(m);
}

static int
set_up(void **state)
{
	(void)state;
	config = must_parse("hostname = \"mx.example.com\"; provider_domain = \"mail.example\";");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	config_unref(config);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_no_report),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_what_comes_back),
		cmocka_unit_test(test_body_in_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
