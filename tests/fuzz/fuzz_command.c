/* fuzz/fuzz_command.c - what is accepted is one clean path inside the line; what is refused has a reply. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "util/buf.h"
#include "wire/command.h"

static void
check_inside(struct span line, struct span part)
{
	if (part.len > 0)
		MUST(part.p >= line.p && part.p + part.len <= line.p + line.len);
}

static void
check_why(enum rc rc, const struct why *why)
{
	MUST(rc == RC_OK || rc == RC_BAD);
	MUST((rc == RC_BAD) == (why->code == 500 || why->code == 501 || why->code == 555));
	MUST((rc == RC_BAD) == (why->text[0] != '\0'));
}

static void
check_path(struct span line, const struct path *path)
{
	struct buf again = BUF_EMPTY;
	struct rcpt_command rcpt;

	if (path->whole.len == 0)
		return;
	check_inside(line, path->whole);
	MUST(path->local.p == path->whole.p && path->local.len > 0 && path->domain.len > 0);
	MUST(path->domain.p == path->local.p + path->local.len + 1);
	MUST(path->local.len + 1 + path->domain.len == path->whole.len);
	MUST(path->local.len <= 64 && path->domain.len <= 255 && path->whole.len <= 254);
	MUST(path->local.p[path->local.len] == '@');
	MUST(span_find(path->domain, '@') == path->domain.len);
	for (size_t i = 0; i < path->whole.len; i++)
		MUST(path->whole.p[i] >= ' ' && path->whole.p[i] <= '~');
	/* What we send for it is one RCPT with this very path. */
	buf_addf(&again, "TO:<%.*s>", SPAN_ARG(path->whole));
	MUST(command_parse_rcpt(buf_span(&again), &rcpt, NULL) == RC_OK);
	MUST(span_eq(rcpt.to.whole, path->whole) && span_eq(rcpt.to.local, path->local));
	buf_free(&again);
}

static void
run_mail(struct span arg)
{
	struct why why = WHY_EMPTY;
	struct mail_command mail;
	enum rc rc = command_parse_mail(arg, &mail, &why);

	check_why(rc, &why);
	if (rc != RC_OK)
		return;
	check_path(arg, &mail.from);
	check_inside(arg, mail.envid);
	check_inside(arg, mail.auth);
	MUST(mail.size >= -1);
	MUST(xtext_check(mail.envid) == RC_OK && xtext_check(mail.auth) == RC_OK);
}

static void
run_rcpt(struct span arg)
{
	struct why why = WHY_EMPTY;
	struct rcpt_command rcpt;
	enum rc rc = command_parse_rcpt(arg, &rcpt, &why);

	check_why(rc, &why);
	if (rc != RC_OK)
		return;
	MUST(rcpt.to.whole.len > 0);
	check_path(arg, &rcpt.to);
	check_inside(arg, rcpt.orcpt);
	MUST((rcpt.notify & NOTIFY_NEVER) == 0 || rcpt.notify == NOTIFY_NEVER);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = span_make((const char *)data, size);
	struct why why = WHY_EMPTY;
	struct command command;
	enum rc rc = command_parse(line, &command, &why);

	check_why(rc, &why);
	check_inside(line, command.name);
	check_inside(line, command.arg);
	run_mail(command.arg);
	run_rcpt(command.arg);
	run_mail(line);
	run_rcpt(line);
	MUST(xtext_check(line) == RC_BAD || span_find(line, ' ') == size);
	return 0;
}
