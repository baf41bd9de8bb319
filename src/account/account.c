/* account/account.c - the table of accounts, their limits, and the file that keeps the quota over restarts.
 *
 * STATE/usage is text, appended to: "MINUTE ACCOUNT RECIPIENTS" lines, and "flushed MILLISECONDS" after each
 * group. It is written anew (without what is older than a day) at start and when it has grown long. Losing
 * the last second of it is repaired from the spool; it is no ledger of mail, so it is not synced. */
#include "config.h"

#include "account/account.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/usage.h"
#include "util/bucket.h"
#include "util/clock.h"
#include "util/fsutil.h"
#include "util/hash.h"
#include "util/log.h"

enum {
	FLUSH_MS = 1000,
	USAGE_FILE_MAX = 64 * 1024 * 1024,
	REWRITE_BYTES = 8 * 1024 * 1024
};

struct account {
	char *name;
	struct accounts *owner;
	struct account *next;		/* in the order of first appearance */
	bool configured;		/* in the running configuration */
	struct config_account settings; /* scalars only; pointers are NULL */
	struct bucket rate;
	struct usage usage;
	uint32_t unwritten;	  /* recipients counted since the last flush, */
	int64_t unwritten_minute; /* all in this minute */
	bool queued;		  /* in the list of accounts with unwritten counts */
	struct account *next_unwritten;
};

struct accounts {
	struct loop *loop;
	struct worker_pool *workers;
	char *path;
	int fd;
	uint64_t written; /* bytes in the file */
	int64_t flushed_ms;
	struct map by_name;
	struct account *first, **last;
	struct account *unwritten;
	struct buf lines; /* waits for the next flush */
	bool writing;
	struct timer flush_timer;
};

static int64_t
now_minute(void)
{
	return clock_wall_ms() / 60000;
}

/* ------------------------------------------------------------------ table --------------------- */

static struct account *
account_new(struct accounts *accounts, struct span name)
{
	struct account *account = calloc(1, sizeof *account);

	if (account == NULL)
		return NULL;
	account->owner = accounts;
	account->name = span_dup(name);
	if (account->name == NULL ||
	    map_put(&accounts->by_name, span_of(account->name), account) != RC_OK) {
		free(account->name);
		free(account);
		return NULL;
	}
	bucket_init(&account->rate, 0, 0, clock_mono_us());
	*accounts->last = account;
	accounts->last = &account->next;
	return account;
}

static struct account *
find_or_new(struct accounts *accounts, struct span name)
{
	struct account *account = map_get(&accounts->by_name, name);

	return account != NULL ? account : account_new(accounts, name);
}

struct account *
account_find(const struct accounts *accounts, const char *name)
{
	return map_get(&accounts->by_name, span_of(name));
}

struct account *
accounts_next(const struct accounts *accounts, const struct account *after)
{
	struct account *account = after == NULL ? accounts->first : after->next;

	while (account != NULL && !account->configured)
		account = account->next;
	return account;
}

enum rc
accounts_configure(struct accounts *accounts, const struct config *config, struct why *why)
{
	int64_t now_us = clock_mono_us();

	for (struct account *a = accounts->first; a != NULL; a = a->next)
		a->configured = false;
	for (size_t i = 0; i < config->account_count; i++) {
		const struct config_account *c = &config->accounts[i];
		struct account *a = find_or_new(accounts, span_of(c->name));
		double burst = c->send_burst > 0 ? c->send_burst : 3 * c->send_rate;

		if (a == NULL)
			return why_set(why, RC_LATER, 0, "out of memory for accounts");
		if (a->rate.rate <=
		    0) /* new, or without a limit until now: starts with a full bucket */
			bucket_init(&a->rate, c->send_rate, burst, now_us);
		else
			bucket_set(&a->rate, c->send_rate, burst, now_us);
		a->configured = true;
		a->settings = *c;
		a->settings.name = NULL;
		a->settings.credentials = NULL;
		a->settings.credential_count = 0;
	}
	return RC_OK;
}

const char *
account_name(const struct account *account)
{
	return account->name;
}

enum config_profile
account_profile(const struct account *account)
{
	return account->settings.profile;
}

bool
account_in_production(const struct account *account)
{
	return account->settings.production;
}

enum rc
account_may_send(const struct account *account, struct why *why)
{
	if (!account->configured || !account->settings.sending_enabled)
		return why_set(why, RC_DENY, 554,
		    "Message rejected: Sending paused for this account. For more information, "
		    "please "
		    "check the inbox of the email address associated with your AWS account.");
	return RC_OK;
}

/* ------------------------------------------------------------------ usage file ---------------- */

/* Move what an account has counted into the lines to write. */
static void
collect(struct accounts *accounts)
{
	struct account *a;

	while ((a = accounts->unwritten) != NULL) {
		accounts->unwritten = a->next_unwritten;
		a->queued = false;
		if (a->unwritten > 0)
			buf_addf(&accounts->lines, "%" PRId64 " %s %" PRIu32 "\n",
			    a->unwritten_minute, a->name, a->unwritten);
		a->unwritten = 0;
	}
}

struct flush_job {
	struct worker_job job;
	struct accounts *accounts;
	struct buf text;
	struct why why;
	enum rc rc;
};

static void
flush_work(struct worker_job *job)
{
	struct flush_job *flush = container_of(job, struct flush_job, job);

	flush->rc = fsutil_write_all(
	    flush->accounts->fd, flush->text.mem, buf_len(&flush->text), &flush->why);
}

static void
flush_done(struct worker_job *job)
{
	struct flush_job *flush = container_of(job, struct flush_job, job);
	struct accounts *accounts = flush->accounts;

	accounts->writing = false;
	if (flush->rc != RC_OK)
		log_line(LOG_LEVEL_WARNING, "account", "%s: %s", accounts->path, flush->why.text);
	accounts->written += buf_len(&flush->text);
	buf_free(&flush->text);
	free(flush);
}

static void
on_flush_timer(void *arg)
{
	struct accounts *accounts = arg;
	struct flush_job *flush;

	timer_set(&accounts->flush_timer, FLUSH_MS);
	collect(accounts);
	if (accounts->writing || buf_len(&accounts->lines) == 0)
		return;
	flush = calloc(1, sizeof *flush);
	if (flush == NULL)
		return; /* the lines wait for the next time */
	buf_addf(&accounts->lines, "flushed %" PRId64 "\n", clock_wall_ms());
	flush->accounts = accounts;
	flush->text = accounts->lines;
	buf_init(&accounts->lines, 0);
	flush->job.home = accounts->loop;
	flush->job.work = flush_work;
	flush->job.done = flush_done;
	accounts->writing = true;
	if (worker_submit(accounts->workers, &flush->job) != RC_OK) {
		accounts->writing = false;
		accounts->lines = flush->text;
		free(flush);
	}
}

static void
read_line(struct accounts *accounts, struct span line)
{
	struct span minute, name, count;
	uint64_t m, n;
	struct account *a;

	if (!span_next(&line, ' ', &minute) || !span_next(&line, ' ', &name))
		return;
	if (span_eq(minute, SPAN_LIT("flushed"))) {
		if (span_uint(name, INT64_MAX, &m))
			accounts->flushed_ms = (int64_t)m;
		return;
	}
	if (!span_next(&line, ' ', &count) || !span_uint(minute, INT64_MAX / 60000, &m) ||
	    !span_uint(count, UINT32_MAX, &n) || name.len == 0)
		return; /* a cut last line */
	if (now_minute() - (int64_t)m >= USAGE_MINUTES)
		return;
	if ((int64_t)m > now_minute())
		return; /* it would hold the window in the future, where nothing gets old */
	a = find_or_new(accounts, name);
	if (a != NULL)
		usage_add(&a->usage, (int64_t)m, (uint32_t)n);
}

static void
write_usage(const struct account *a, int64_t now, struct buf *out)
{
	for (int64_t m = now - USAGE_MINUTES + 1; m <= now; m++) {
		uint32_t count = m <= a->usage.minute && a->usage.minute - m < USAGE_MINUTES
				     ? a->usage.count[m % USAGE_MINUTES]
				     : 0;

		if (count > 0)
			buf_addf(out, "%" PRId64 " %s %" PRIu32 "\n", m, a->name, count);
	}
}

/* Read what is there, drop what is old, write it anew, and open it for appending. */
static enum rc
usage_open(struct accounts *accounts, const char *directory, struct why *why)
{
	struct buf text = BUF_EMPTY;
	struct span rest, line;
	enum rc rc = fsutil_read_file(accounts->path, USAGE_FILE_MAX, &text, why);

	if (rc != RC_OK && why->err != ENOENT) {
		buf_free(&text);
		return rc;
	}
	for (rest = buf_span(&text); span_next(&rest, '\n', &line);)
		read_line(accounts, line);
	buf_clear(&text);
	for (struct account *a = accounts->first; a != NULL; a = a->next)
		write_usage(a, now_minute(), &text);
	buf_addf(&text, "flushed %" PRId64 "\n", accounts->flushed_ms);
	rc =
	    text.failed ? RC_LATER : fsutil_publish(directory, "usage", buf_span(&text), 0600, why);
	accounts->written = buf_len(&text);
	buf_free(&text);
	if (rc != RC_OK)
		return rc;
	accounts->fd = open(accounts->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return accounts->fd >= 0 ? RC_OK : why_errno(why, errno, "%s", accounts->path);
}

enum rc
accounts_new(struct loop *loop, struct worker_pool *workers, const char *state_directory,
    struct accounts **out, struct why *why)
{
	struct accounts *accounts = calloc(1, sizeof *accounts);
	char path[PATH_MAX];
	enum rc rc;

	*out = NULL;
	if (accounts == NULL)
		return why_set(why, RC_LATER, 0, "out of memory for accounts");
	(void)snprintf(path, sizeof path, "%s/usage", state_directory);
	accounts->loop = loop;
	accounts->workers = workers;
	accounts->fd = -1;
	accounts->last = &accounts->first;
	accounts->path = span_dup(span_of(path));
	timer_init(&accounts->flush_timer, loop, on_flush_timer, accounts);
	rc = fsutil_make_dir(state_directory, 0700, why);
	if (rc == RC_OK)
		rc = usage_open(accounts, state_directory, why);
	if (rc != RC_OK) {
		accounts_free(accounts);
		return rc;
	}
	timer_set(&accounts->flush_timer, FLUSH_MS);
	*out = accounts;
	return RC_OK;
}

void
accounts_free(struct accounts *accounts)
{
	struct why why = WHY_EMPTY;

	if (accounts == NULL)
		return;
	timer_cancel(&accounts->flush_timer);
	if (accounts->fd >= 0) {
		collect(accounts);
		buf_addf(&accounts->lines, "flushed %" PRId64 "\n", clock_wall_ms());
		if (fsutil_write_all(accounts->fd, buf_span(&accounts->lines).p,
			buf_len(&accounts->lines), &why) != RC_OK)
			log_line(LOG_LEVEL_WARNING, "account", "%s: %s", accounts->path, why.text);
		(void)close(accounts->fd);
	}
	for (struct account *a = accounts->first, *next; a != NULL; a = next) {
		next = a->next;
		free(a->name);
		free(a);
	}
	map_free(&accounts->by_name);
	buf_free(&accounts->lines);
	free(accounts->path);
	free(accounts);
}

/* ------------------------------------------------------------------ limits -------------------- */

static void
note(struct account *a, int64_t minute, uint32_t recipients)
{
	struct accounts *accounts = a->owner;

	usage_add(&a->usage, minute, recipients);
	if (a->unwritten > 0 && a->unwritten_minute != minute)
		buf_addf(&accounts->lines, "%" PRId64 " %s %" PRIu32 "\n", a->unwritten_minute,
		    a->name, a->unwritten);
	if (a->unwritten_minute != minute)
		a->unwritten = 0;
	a->unwritten_minute = minute;
	a->unwritten += recipients;
	if (!a->queued) {
		a->queued = true;
		a->next_unwritten = accounts->unwritten;
		accounts->unwritten = a;
	}
}

void
accounts_replay(
    struct accounts *accounts, const char *name, int64_t accepted_ms, unsigned recipients)
{
	struct account *a;

	if (accepted_ms <= accounts->flushed_ms || name[0] == '\0')
		return;
	if (now_minute() - accepted_ms / 60000 >= USAGE_MINUTES)
		return;
	a = find_or_new(accounts, span_of(name));
	if (a != NULL)
		note(a, accepted_ms / 60000, recipients);
}

enum rc
account_take(struct account *a, unsigned recipients, struct why *why)
{
	int64_t minute = now_minute();

	if (a->settings.quota_24h > 0 &&
	    usage_sum(&a->usage, minute) + recipients > a->settings.quota_24h)
		return why_set(
		    why, RC_LATER, 454, "Throttling failure: Daily message quota exceeded.");
	if (!bucket_take(&a->rate, recipients, clock_mono_us()))
		return why_set(
		    why, RC_LATER, 454, "Throttling failure: Maximum sending rate exceeded.");
	note(a, minute, recipients);
	return RC_OK;
}

void
account_refund(struct account *a, unsigned recipients)
{
	bucket_refund(&a->rate, recipients);
	usage_remove(&a->usage, now_minute(), recipients);
	a->unwritten -= recipients < a->unwritten ? recipients : a->unwritten;
}

void
account_usage(struct account *a, struct account_usage *out)
{
	*out = (struct account_usage){ a->rate.rate, a->rate.burst, a->settings.quota_24h,
		usage_sum(&a->usage, now_minute()) };
}
