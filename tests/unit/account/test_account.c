/* Unit tests of account/: rates, the rolling quota, and the file that keeps it. The clocks are the test's. */
#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/config/config_test.h"
#include "account/account.h"
#include "account/usage.h"
#include "util/clock.h"
#include "util/fsutil.h"
#include "util/log.h"

#define RATE_TEXT  "Throttling failure: Maximum sending rate exceeded."
#define QUOTA_TEXT "Throttling failure: Daily message quota exceeded."

enum {
	SECOND = 1000000
};
#define START_US (INT64_C(1728082800) * SECOND)
#define MIB	 (UINT64_C(1024) * 1024)

static int64_t mono_us, wall_us;

static int64_t
read_mono(void)
{
	return mono_us;
}

static int64_t
read_wall(void)
{
	return wall_us;
}

static const struct clock_source clocks = { read_mono, read_wall };

static void
pass(int64_t us)
{
	mono_us += us;
	wall_us += us;
}

/* ------------------------------------------------------------------ a world ------------------- */

struct world {
	char directory[64], file[80];
	struct loop *loop;
	struct worker_pool *workers;
	struct accounts *accounts;
	struct config *config;
};

static void
open_accounts(struct world *w)
{
	struct why why = WHY_EMPTY;

	assert_rc(accounts_new(w->loop, w->workers, w->directory, &w->accounts, &why), RC_OK);
	assert_rc(accounts_configure(w->accounts, w->config, &why), RC_OK);
}

static void
start(struct world *w)
{
	open_accounts(w);
	accounts_replayed(w->accounts);
}

static void
configure(struct world *w, const char *text)
{
	struct why why = WHY_EMPTY;
	struct config *config = must_parse(text);

	assert_rc(accounts_configure(w->accounts, config, &why), RC_OK);
	config_unref(w->config);
	w->config = config;
}

static void
restart(struct world *w)
{
	accounts_free(w->accounts);
	start(w);
}

static void
begin(struct world *w, const char *text)
{
	struct why why = WHY_EMPTY;

	mono_us = 5 * SECOND;
	wall_us = START_US;
	(void)snprintf(w->directory, sizeof w->directory, "/tmp/postrider-account-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	(void)snprintf(w->file, sizeof w->file, "%s/usage", w->directory);
	w->loop = loop_new_manual("test");
	w->workers = worker_pool_new(0, 1, &why);
	w->config = must_parse(text);
	start(w);
}

static void
end(struct world *w)
{
	accounts_free(w->accounts);
	worker_pool_free(w->workers);
	loop_free(w->loop);
	config_unref(w->config);
	assert_int_equal(unlink(w->file), 0);
	assert_int_equal(rmdir(w->directory), 0);
}

static void
write_file(const struct world *w, const char *text)
{
	FILE *file = fopen(w->file, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
flush(struct world *w)
{
	pass(2 * SECOND);
	while (loop_step(w->loop) > 0)
		continue;
}

static int64_t
sent(const struct world *w, const char *name)
{
	struct account_usage usage;

	account_usage(account_find(w->accounts, name), &usage);
	return usage.sent_24h;
}

static struct account_charge *
take(const struct world *w, const char *name, unsigned recipients)
{
	struct why why = WHY_EMPTY;
	struct account_charge *charge;

	assert_rc(
	    account_take(account_find(w->accounts, name), recipients, recipients, &charge, &why),
	    RC_OK);
	assert_int_equal(account_charge_ms(charge), clock_wall_ms());
	return charge;
}

/* Of a message that is stored at once, or (`text`) refused. */
static void
check_take(const struct world *w, const char *name, unsigned recipients, const char *text)
{
	struct why why = WHY_EMPTY;
	struct account_charge *charge;
	enum rc rc =
	    account_take(account_find(w->accounts, name), recipients, recipients, &charge, &why);

	assert_string_equal(why.text, text);
	assert_int_equal(why.code, text[0] == '\0' ? 0 : 454);
	assert_rc(rc, text[0] == '\0' ? RC_OK : RC_LATER);
	if (rc == RC_OK)
		account_keep(charge);
	else
		assert_null(charge);
}

/* ------------------------------------------------------------------ rate ---------------------- */

static void
test_rate(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "accounts = ({ name = \"a\"; send_rate = 10.0; }, { name = \"b\"; });");
	/* Three seconds' worth at once, all or nothing. */
	check_take(&w, "a", 20, "");
	check_take(&w, "a", 11, RATE_TEXT);
	check_take(&w, "a", 10, "");
	check_take(&w, "a", 1, RATE_TEXT);
	pass(SECOND / 10);
	check_take(&w, "a", 1, "");
	check_take(&w, "a", 1, RATE_TEXT);
	pass(3600 * (int64_t)SECOND); /* no more than the burst piles up */
	check_take(&w, "a", 30, "");
	check_take(&w, "a", 1, RATE_TEXT);
	/* What was refused was not counted; others have rates of their own. */
	assert_int_equal(sent(&w, "a"), 61);
	for (int i = 0; i < 100; i++)
		check_take(&w, "b", 50, "");
	end(&w);
}

/* An account of one a second may send one message to fifty, and pays for it. */
/* Bytes of large texts: a second's worth at once, then each waits for its turn. */
static void
test_pace(void **state)
{
	struct world w;
	struct account *a, *b;

	(void)state;
	begin(&w,
	    "smtp = { large_rate = \"40M\"; }; accounts = ({ name = \"a\"; }, { name = \"b\"; });");
	a = account_find(w.accounts, "a");
	b = account_find(w.accounts, "b");
	assert_int_equal(account_pace_ms(a, 20 * MIB), 0);
	assert_int_equal(account_pace_ms(a, 20 * MIB), 0);
	assert_int_equal(account_pace_ms(a, 20 * MIB), 501); /* rounded up */
	assert_int_equal(account_pace_ms(a, 40 * MIB), 1501);
	assert_int_equal(account_pace_ms(b, 40 * MIB), 0);
	pass(SECOND);
	assert_int_equal(account_pace_ms(b, 40 * MIB), 0);
	/* More than five minutes of waiting is refused, and does not make the others wait. */
	configure(&w, "smtp = { large_rate = \"100K\"; }; accounts = ({ name = \"a\"; }, { name = "
		      "\"b\"; });");
	assert_int_equal(account_pace_ms(b, 40 * MIB), 1001);
	assert_int_equal(account_pace_ms(b, 40 * MIB), -1);
	assert_int_equal(account_pace_ms(b, 40 * MIB), -1);
	pass(411 * (int64_t)SECOND);
	assert_int_equal(account_pace_ms(b, 40 * MIB), 0);
	configure(&w,
	    "smtp = { large_rate = \"0\"; }; accounts = ({ name = \"a\"; }, { name = \"b\"; });");
	assert_int_equal(account_pace_ms(b, 1000 * MIB), 0);
	end(&w);
}

static void
test_rate_debt(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "accounts = ({ name = \"a\"; send_rate = 1.0; });");
	check_take(&w, "a", 50, "");
	pass(49 * SECOND);
	check_take(&w, "a", 3, RATE_TEXT);
	pass(SECOND);
	check_take(&w, "a", 3, "");
	check_take(&w, "a", 1, RATE_TEXT);
	end(&w);
}

static void
test_rate_changes(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "accounts = ({ name = \"a\"; send_rate = 1.0; send_burst = 5.0; });");
	check_take(&w, "a", 5, "");
	check_take(&w, "a", 1, RATE_TEXT);
	/* A reload is no refill, a higher rate counts at once. */
	configure(&w, "accounts = ({ name = \"a\"; send_rate = 100.0; send_burst = 5.0; });");
	check_take(&w, "a", 1, RATE_TEXT);
	pass(SECOND / 100);
	check_take(&w, "a", 1, "");
	configure(&w, "accounts = ({ name = \"a\"; });");
	check_take(&w, "a", 1000, "");
	end(&w);
}

static void
test_refund(void **state)
{
	struct world w;
	struct account_charge *charge;

	(void)state;
	begin(&w,
	    "accounts = ({ name = \"a\"; send_rate = 1.0; send_burst = 10.0; quota_24h = 30; });");
	charge = take(&w, "a", 10);
	account_refund(charge);
	assert_int_equal(sent(&w, "a"), 0);
	charge = take(&w, "a", 10);
	check_take(&w, "a", 1, RATE_TEXT);
	pass(5 * SECOND);
	account_refund(charge); /* never over the burst */
	assert_int_equal(sent(&w, "a"), 0);
	check_take(&w, "a", 10, "");
	check_take(&w, "a", 1, RATE_TEXT);
	end(&w);
}

/* The minute has passed between the count and the refund. */
static void
test_refund_later(void **state)
{
	struct world w;
	struct account_charge *charge;

	(void)state;
	begin(&w, "accounts = ({ name = \"a\"; quota_24h = 30; });");
	charge = take(&w, "a", 20);
	pass(90 * SECOND);
	check_take(&w, "a", 5, "");
	account_refund(charge);
	assert_int_equal(sent(&w, "a"), 5);
	check_take(&w, "a", 25, "");
	check_take(&w, "a", 1, QUOTA_TEXT);
	/* What is left is of the later minutes. */
	pass((24 * 3600 - 60) * (int64_t)SECOND);
	assert_int_equal(sent(&w, "a"), 30);
	pass(60 * SECOND);
	assert_int_equal(sent(&w, "a"), 0);
	/* A refund after its day has nothing to give back. */
	charge = take(&w, "a", 20);
	pass(25 * 3600 * (int64_t)SECOND);
	check_take(&w, "a", 7, "");
	account_refund(charge);
	assert_int_equal(sent(&w, "a"), 7);
	end(&w);
}

/* ------------------------------------------------------------------ quota --------------------- */

static void
test_quota(void **state)
{
	struct world w;

	(void)state;
	begin(&w,
	    "accounts = ({ name = \"a\"; quota_24h = 100; }, { name = \"b\"; quota_24h = 1; });");
	check_take(&w, "a", 60, "");
	pass(12 * 3600 * (int64_t)SECOND);
	check_take(&w, "a", 41, QUOTA_TEXT);
	check_take(&w, "a", 40, "");
	check_take(&w, "a", 1, QUOTA_TEXT);
	check_take(&w, "b", 1, "");
	/* The first sixty come back when they are 24 hours old, the rest later. */
	pass((12 * 3600 - 1) * (int64_t)SECOND);
	check_take(&w, "a", 1, QUOTA_TEXT);
	pass(SECOND);
	assert_int_equal(sent(&w, "a"), 40);
	check_take(&w, "a", 61, QUOTA_TEXT);
	check_take(&w, "a", 60, "");
	pass(12 * 3600 * (int64_t)SECOND);
	assert_int_equal(sent(&w, "a"), 60);
	pass(24 * 3600 * (int64_t)SECOND);
	assert_int_equal(sent(&w, "a"), 0);
	end(&w);
}

static void
test_clock_moves(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "accounts = ({ name = \"a\"; quota_24h = 100; });");
	check_take(&w, "a", 60, "");
	wall_us -= 3600 * (int64_t)SECOND; /* back: nothing is forgotten */
	assert_int_equal(sent(&w, "a"), 60);
	check_take(&w, "a", 40, "");
	check_take(&w, "a", 1, QUOTA_TEXT);
	wall_us += 48 * 3600 * (int64_t)SECOND;
	check_take(&w, "a", 100, "");
	/* Years ahead, as a machine may start, and right again: no longer than a day. */
	wall_us += 50000 * 3600 * (int64_t)SECOND;
	check_take(&w, "a", 60, "");
	wall_us -= 50000 * 3600 * (int64_t)SECOND;
	check_take(&w, "a", 40, "");
	check_take(&w, "a", 1, QUOTA_TEXT);
	wall_us += 24 * 3600 * (int64_t)SECOND;
	check_take(&w, "a", 100, "");
	end(&w);
}

static void
test_may_send(void **state)
{
	struct world w;
	struct why why = WHY_EMPTY;

	(void)state;
	begin(&w, "accounts = ({ name = \"a\"; sending_enabled = false; }, "
		  "{ name = \"b\"; production = false; profile = \"relay\"; });");
	assert_rc(account_may_send(account_find(w.accounts, "a"), &why), RC_DENY);
	assert_int_equal(why.code, 554);
	assert_string_equal(why.text,
	    "Message rejected: Sending paused for this account. For more information, please check "
	    "the inbox of the email address associated with your AWS account.");
	assert_rc(account_may_send(account_find(w.accounts, "b"), &why), RC_OK);
	assert_false(account_settings(account_find(w.accounts, "b"))->production);
	assert_int_equal(account_settings(account_find(w.accounts, "b"))->profile, PROFILE_RELAY);
	assert_null(account_find(w.accounts, "c"));
	/* Gone from the configuration: it is kept, and may not send. */
	configure(&w, "accounts = ({ name = \"a\"; });");
	assert_rc(account_may_send(account_find(w.accounts, "b"), &why), RC_DENY);
	assert_rc(account_may_send(account_find(w.accounts, "a"), &why), RC_OK);
	assert_string_equal(account_name(accounts_next(w.accounts, NULL)), "a");
	assert_null(accounts_next(w.accounts, account_find(w.accounts, "a")));
	end(&w);
}

/* ------------------------------------------------------------------ the file ------------------ */

#define TWO "accounts = ({ name = \"a\"; quota_24h = 100; }, { name = \"b\"; quota_24h = 100; });"

static void
test_restart(void **state)
{
	struct world w;
	struct buf text = BUF_EMPTY;
	struct why why = WHY_EMPTY;
	struct stat st;

	(void)state;
	begin(&w, TWO);
	check_take(&w, "a", 10, "");
	check_take(&w, "b", 7, "");
	flush(&w);
	check_take(&w, "a", 5, "");
	pass(3600 * (int64_t)SECOND);
	check_take(&w, "a", 20, "");
	restart(&w); /* in good order: nothing is lost */
	assert_int_equal(sent(&w, "a"), 35);
	assert_int_equal(sent(&w, "b"), 7);
	check_take(&w, "a", 66, QUOTA_TEXT);
	restart(&w);
	assert_int_equal(sent(&w, "a"), 35);
	assert_int_equal(stat(w.file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* The window goes on rolling over restarts, and what is old leaves the file. */
	pass(23 * 3600 * (int64_t)SECOND);
	restart(&w);
	assert_int_equal(sent(&w, "a"), 20);
	pass(3600 * (int64_t)SECOND);
	restart(&w);
	assert_int_equal(sent(&w, "a"), 0);
	assert_rc(fsutil_read_file(w.file, 10000, &text, &why), RC_OK);
	assert_null(strstr(buf_cstr(&text), " a "));
	buf_free(&text);
	end(&w);
}

/* The next process, which replay has still to tell of messages; this one writes nothing any more. */
static void
crash(struct world *w)
{
	struct accounts *crashed = w->accounts;
	char kept[96];

	(void)snprintf(kept, sizeof kept, "%s/kept", w->directory);
	assert_int_equal(link(w->file, kept), 0);
	accounts_free(crashed); /* it writes a file of its own, by that name */
	assert_int_equal(unlink(w->file), 0);
	assert_int_equal(rename(kept, w->file), 0);
	open_accounts(w);
}

/* After a crash: what was flushed is in the file, the rest comes from the spool. */
static void
test_crash(void **state)
{
	struct world w;
	int64_t first_ms, last_ms;

	(void)state;
	begin(&w, TWO);
	first_ms = clock_wall_ms();
	check_take(&w, "a", 10, "");
	flush(&w);
	pass(SECOND);
	last_ms = clock_wall_ms();
	check_take(&w, "a", 5, "");
	crash(&w);
	assert_int_equal(sent(&w, "a"), 10);
	accounts_replay(w.accounts, "a", first_ms, 10); /* in the file already */
	assert_int_equal(sent(&w, "a"), 10);
	accounts_replay(w.accounts, "a", last_ms, 5);
	accounts_replay(w.accounts, "", clock_wall_ms(), 5); /* of no account: a report */
	accounts_replay(w.accounts, "new", clock_wall_ms(), 3);
	accounts_replay(w.accounts, "b", clock_wall_ms() - 25 * 3600 * 1000, 3);
	assert_int_equal(sent(&w, "a"), 15);
	assert_int_equal(sent(&w, "b"), 0);
	assert_int_equal(sent(&w, "new"), 3);
	/* And is kept from then on, and not counted again. */
	accounts_replayed(w.accounts);
	flush(&w);
	crash(&w);
	accounts_replay(w.accounts, "a", last_ms, 5);
	assert_int_equal(sent(&w, "a"), 15);
	assert_int_equal(sent(&w, "new"), 3);
	end(&w);
}

/* A message whose store fails after the next flush, and a crash then: it is not in the spool, and not in the file. */
static void
test_crash_after_refund(void **state)
{
	struct world w;
	struct account_charge *failed;
	int64_t kept_ms;

	(void)state;
	begin(&w, TWO);
	check_take(&w, "a", 10, "");
	pass(SECOND / 2);
	failed = take(&w, "a", 80);
	kept_ms = clock_wall_ms() + 1;
	pass(1000);
	check_take(&w, "a", 3, "");
	check_take(&w, "b", 4, "");
	flush(&w);
	account_refund(failed);
	crash(&w);
	assert_int_equal(sent(&w, "a"), 10);
	accounts_replay(w.accounts, "a", kept_ms, 3); /* were behind it, and wait in the spool */
	accounts_replay(w.accounts, "b", kept_ms, 4);
	accounts_replayed(w.accounts);
	assert_int_equal(sent(&w, "a"), 13);
	check_take(&w, "a", 87, "");
	check_take(&w, "a", 1, QUOTA_TEXT);
	flush(&w);
	crash(&w);
	assert_int_equal(sent(&w, "a"), 100);
	assert_int_equal(sent(&w, "b"), 4);
	end(&w);
}

/* The same with a flush after the refund, and an orderly stop. */
static void
test_refund_and_flush(void **state)
{
	struct world w;
	struct account_charge *failed;

	(void)state;
	begin(&w, TWO);
	failed = take(&w, "a", 80);
	flush(&w);
	account_refund(failed);
	check_take(&w, "a", 3, "");
	flush(&w);
	crash(&w);
	accounts_replayed(w.accounts);
	assert_int_equal(sent(&w, "a"), 3);
	restart(&w);
	assert_int_equal(sent(&w, "a"), 3);
	end(&w);
}

/* A crash while messages wait for their stores: only what the spool has counts. */
static void
test_crash_under_way(void **state)
{
	struct world w;
	struct account_charge *stored, *lost;
	int64_t stored_ms;

	(void)state;
	begin(&w, TWO);
	lost = take(&w, "a", 50);
	pass(1000);
	stored = take(&w, "a", 20);
	stored_ms = account_charge_ms(stored);
	flush(&w);
	account_keep(stored);
	pass(3600 * (int64_t)SECOND);
	flush(&w);
	(void)lost;
	crash(&w);
	assert_int_equal(sent(&w, "a"), 0);
	accounts_replay(w.accounts, "a", stored_ms, 20);
	assert_int_equal(sent(&w, "a"), 20);
	/* It is of its own minute. */
	pass(23 * 3600 * (int64_t)SECOND);
	assert_int_equal(sent(&w, "a"), 0);
	end(&w);
}

/* A crash, or an orderly stop, while replay tells of messages, and not in the order in which they came. */
static void
test_crash_in_replay(void **state)
{
	struct world w;
	int64_t first_ms, second_ms;

	(void)state;
	begin(&w, TWO);
	flush(&w);
	pass(SECOND);
	first_ms = clock_wall_ms();
	check_take(&w, "a", 10, "");
	pass(1000);
	second_ms = clock_wall_ms();
	check_take(&w, "a", 5, "");
	crash(&w);
	accounts_replay(w.accounts, "a", second_ms, 5);
	flush(&w);
	crash(&w);
	accounts_replay(w.accounts, "a", second_ms, 5);
	accounts_free(w.accounts);
	open_accounts(&w);
	assert_int_equal(sent(&w, "a"), 0);
	accounts_replay(w.accounts, "a", second_ms, 5);
	accounts_replay(w.accounts, "a", first_ms, 10);
	accounts_replayed(w.accounts);
	assert_int_equal(sent(&w, "a"), 15);
	restart(&w);
	assert_int_equal(sent(&w, "a"), 15);
	end(&w);
}

/* Two in one millisecond, a flush between them. */
static void
test_crash_same_time(void **state)
{
	struct world w;
	int64_t at_ms;

	(void)state;
	begin(&w, TWO);
	pass(SECOND);
	at_ms = clock_wall_ms();
	check_take(&w, "a", 10, "");
	while (loop_step(w.loop) > 0)
		continue;
	check_take(&w, "a", 5, "");
	crash(&w);
	accounts_replay(w.accounts, "a", at_ms, 10);
	accounts_replay(w.accounts, "a", at_ms, 5);
	assert_int_equal(sent(&w, "a"), 15);
	end(&w);
}

/* The clock was set back: no message counts twice. */
static void
test_crash_clock_back(void **state)
{
	struct world w;
	int64_t late_ms, early_ms;

	(void)state;
	begin(&w, TWO);
	late_ms = clock_wall_ms();
	check_take(&w, "a", 10, "");
	flush(&w);
	wall_us -= 3600 * (int64_t)SECOND;
	early_ms = clock_wall_ms();
	check_take(&w, "a", 5, "");
	flush(&w);
	crash(&w);
	accounts_replay(w.accounts, "a", late_ms, 10);
	accounts_replay(w.accounts, "a", early_ms, 5);
	assert_int_equal(sent(&w, "a"), 5); /* lines of the future do not count */
	/* A message of the future does not hold the window there. */
	accounts_replay(w.accounts, "b", late_ms + 3600 * 1000, 5);
	pass(24 * 3600 * (int64_t)SECOND);
	assert_int_equal(sent(&w, "b"), 0);
	end(&w);
}

/* Of a group that was cut nothing counts: it is in the spool. */
static void
test_cut_group(void **state)
{
	struct world w;
	struct buf text = BUF_EMPTY;
	struct why why = WHY_EMPTY;
	int64_t second_ms;
	size_t whole;

	(void)state;
	begin(&w, TWO);
	flush(&w);
	check_take(&w, "a", 10, "");
	flush(&w);
	assert_rc(fsutil_read_file(w.file, 10000, &text, &why), RC_OK);
	whole = buf_len(&text);
	pass(SECOND);
	second_ms = clock_wall_ms();
	check_take(&w, "a", 5, "");
	check_take(&w, "b", 7, "");
	flush(&w);
	buf_clear(&text);
	assert_rc(fsutil_read_file(w.file, 10000, &text, &why), RC_OK);
	accounts_free(w.accounts);
	for (size_t len = whole; len < buf_len(&text); len++) {
		assert_rc(fsutil_publish(
			      w.directory, "usage", span_first(buf_span(&text), len), 0600, &why),
		    RC_OK);
		open_accounts(&w);
		assert_int_equal(sent(&w, "a"), 10);
		accounts_replay(w.accounts, "a", second_ms, 5);
		accounts_replay(w.accounts, "b", second_ms, 7);
		assert_int_equal(sent(&w, "a"), 15);
		assert_int_equal(sent(&w, "b"), 7);
		accounts_free(w.accounts);
	}
	start(&w);
	buf_free(&text);
	end(&w);
}

/* A disk that is full for a while. The limit is on the file's size: a part of the group can be written. */
static void
test_write_fails(void **state)
{
	struct world w;
	struct rlimit limit = { 0, RLIM_INFINITY };
	struct stat st;

	(void)state;
	begin(&w, TWO);
	flush(&w);
	check_take(&w, "a", 10, "");
	flush(&w);
	assert_int_equal(stat(w.file, &st), 0);
	limit.rlim_cur = (rlim_t)st.st_size + 12;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	check_take(&w, "a", 5, "");
	flush(&w);
	check_take(&w, "b", 7, "");
	limit.rlim_cur = 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	flush(&w);
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	flush(&w);
	crash(&w);
	assert_int_equal(sent(&w, "a"), 15);
	assert_int_equal(sent(&w, "b"), 7);
	end(&w);
}

/* It does not grow for ever: what it says in many lines is said in one. */
static void
test_long_file(void **state)
{
	struct world w;
	struct stat st = { 0 };
	off_t longest = 0;
	int64_t counted;
	int rounds = 0;

	(void)state;
	begin(&w, "accounts = ({ name = \"a\"; });");
	for (; rounds < 400000 && st.st_size >= longest; rounds++) {
		longest = st.st_size;
		check_take(&w, "a", 1, "");
		flush(&w);
		assert_int_equal(stat(w.file, &st), 0);
	}
	assert_true(longest > 8 * 1024 * 1024 && longest < 9 * 1024 * 1024);
	assert_true(st.st_size < 100000);
	counted = sent(&w, "a");
	crash(&w);
	assert_int_equal(sent(&w, "a"), counted);
	end(&w);
}

static void
test_damage(void **state)
{
	struct world w;
	char text[600];
	int64_t minute = START_US / SECOND / 60;

	(void)state;
	begin(&w, TWO);
	accounts_free(w.accounts);
	(void)snprintf(text, sizeof text,
	    "%" PRId64 " a 10\n\n \n  \nrubbish\n%" PRId64 " a\n%" PRId64 " a x\n-5 a 3\n"
	    "%" PRId64 "  4\n99999999999999999999 a 1\n1 a 50\n%" PRId64 " a 99999999999\n"
	    "flushed x\nflushed\n\x01\xff\n%" PRId64 " b 5\n%" PRId64 " a 1\nflushed 1\n"
	    "%" PRId64 " a 20\nflushed 99",
	    minute, minute, minute, minute, minute, minute - 60, minute, minute);
	write_file(&w, text);
	start(&w);
	assert_int_equal(sent(&w, "a"), 11);
	assert_int_equal(sent(&w, "b"), 5);
	accounts_free(w.accounts);
	write_file(&w, "");
	start(&w);
	assert_int_equal(sent(&w, "a"), 0);
	accounts_free(w.accounts);
	assert_int_equal(unlink(w.file), 0);
	start(&w);
	assert_int_equal(sent(&w, "a"), 0);
	end(&w);
}

/* A line from a day to come (the clock was wrong once, or the file is damaged) would hold the window there for ever. */
static void
test_future(void **state)
{
	struct world w;
	char text[100];

	(void)state;
	begin(&w, TWO);
	accounts_free(w.accounts);
	(void)snprintf(
	    text, sizeof text, "%" PRId64 " a 90\nflushed 1\n", START_US / SECOND / 60 + 5000000);
	write_file(&w, text);
	start(&w);
	assert_int_equal(sent(&w, "a"), 0);
	for (int day = 0; day < 5; day++) {
		check_take(&w, "a", 100, "");
		pass(24 * 3600 * (int64_t)SECOND);
	}
	end(&w);
}

static void
test_usage_ring(void **state)
{
	struct usage usage = { 0, 0, { 0 } };

	(void)state;
	for (int64_t m = 1000; m < 1000 + 3 * USAGE_MINUTES; m++) {
		usage_add(&usage, m, 2);
		assert_int_equal(
		    usage_sum(&usage, m), 2 * (m - 999 < USAGE_MINUTES ? m - 999 : USAGE_MINUTES));
	}
	usage_remove(&usage, usage.minute, 1);
	usage_remove(&usage, usage.minute - USAGE_MINUTES, 1);
	usage_remove(&usage, usage.minute + 1, 1);
	assert_int_equal(usage_sum(&usage, usage.minute), 2 * USAGE_MINUTES - 1);
	usage_add(&usage, usage.minute - 10, 5); /* late, but in the window */
	assert_int_equal(usage_sum(&usage, usage.minute), 2 * USAGE_MINUTES + 4);
	assert_int_equal(usage_sum(&usage, usage.minute + USAGE_MINUTES), 0);
}

/* A clock that was years ahead and is right again: what was sent counts for a day from now, not for years. */
static void
test_usage_ring_set_back(void **state)
{
	enum {
		NOW = 29000000,
		YEAR = 365 * 1440
	};
	struct usage usage = { 0, 0, { 0 } };

	(void)state;
	usage_add(&usage, NOW, 3);
	usage_add(&usage, NOW + 10, 4); /* set back by minutes: in its own minute */
	usage_add(&usage, NOW + 5, 2);
	assert_int_equal(usage_sum(&usage, NOW + 5), 9);
	assert_int_equal(usage_sum(&usage, NOW + USAGE_MINUTES + 4), 6);
	usage_add(&usage, NOW + 10 * YEAR, 7);
	assert_int_equal(usage_sum(&usage, NOW + 10 * YEAR), 7);
	assert_int_equal(usage_sum(&usage, NOW), 7); /* nothing is forgotten */
	usage_add(&usage, NOW + 1, 2);
	assert_int_equal(usage_sum(&usage, NOW + 1), 9);
	usage_remove(&usage, NOW + 1, 1);
	assert_int_equal(usage_sum(&usage, NOW + USAGE_MINUTES - 1), 8);
	assert_int_equal(usage_sum(&usage, NOW + USAGE_MINUTES), 1);
	assert_int_equal(usage_sum(&usage, NOW + USAGE_MINUTES + 1), 0);
}

/* As a damaged file may have it: it counts for a day, too. */
static void
test_usage_ring_is_full(void **state)
{
	struct usage usage = { 0, 0, { 0 } };

	(void)state;
	for (int i = 0; i < 3; i++)
		usage_add(&usage, 1000, UINT32_MAX - 1);
	assert_int_equal(usage_sum(&usage, 1000), UINT32_MAX);
	usage_remove(&usage, 1000, 5);
	assert_int_equal(usage_sum(&usage, 1000), UINT32_MAX - 5);
	assert_int_equal(usage_sum(&usage, 1000 + USAGE_MINUTES), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_rate_debt),
		cmocka_unit_test(test_rate_changes),
		cmocka_unit_test(test_refund),
		cmocka_unit_test(test_refund_later),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_clock_moves),
		cmocka_unit_test(test_may_send),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_crash_after_refund),
		cmocka_unit_test(test_refund_and_flush),
		cmocka_unit_test(test_crash_under_way),
		cmocka_unit_test(test_crash_in_replay),
		cmocka_unit_test(test_crash_same_time),
		cmocka_unit_test(test_crash_clock_back),
		cmocka_unit_test(test_cut_group),
		cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_long_file),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_future),
		cmocka_unit_test(test_usage_ring),
		cmocka_unit_test(test_usage_ring_set_back),
		cmocka_unit_test(test_usage_ring_is_full),
	};

	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	(void)signal(SIGXFSZ, SIG_IGN);
	clock_use(&clocks);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
