/* account/account.c - the table of accounts, their limits, and the file that keeps the quota over restarts.
 *
 * STATE/usage is text, appended to: "MINUTE ACCOUNT RECIPIENTS" lines, and "flushed MILLISECONDS" after each group, the
 * mark. It is written anew, without what is older than a day, when it has grown long, when a write has failed, and at
 * start and stop. Always true of what stands up to the last mark: it holds the messages that were accepted until then
 * and stored, each once, and no others. So a message is not in the file before its store has succeeded, and the mark
 * stays before the oldest one of which that is not known; what came behind the mark is found in the spool after a
 * crash. It is no ledger of mail, so it is not synced but when it is written anew. */
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
#include "util/list.h"
#include "util/log.h"

enum {
	FLUSH_MS = 1000,
	USAGE_FILE_MAX = 1024 * 1024 * 1024,
	/* In the sandbox there is no "no limit". */
	SANDBOX_RATE = 1,
	SANDBOX_QUOTA = 200,
	SMOOTH_MAX_MS = 3600 * 1000, /* above the rate by more than an hour's worth is too much */
	/* Half of what a client waits after the text (RFC 5321 section 4.5.3.2.6). */
	PACE_MAX_MS = 5 * 60 * 1000,
	REWRITE_BYTES = 8 * 1024 * 1024 /* beside twice of what it had when it was written anew */
};

/* Recipients that are counted in memory, and not in the file yet. */
struct account_charge {
	struct list node;
	struct account *account;
	int64_t at_ms, minute; /* where usage has them */
	uint32_t recipients;   /* of the quota */
	uint32_t taken;	       /* of the rate */
	int64_t wait_ms;
	bool stored; /* false: under way */
};

struct account {
	char *name;
	struct accounts *owner;
	struct account *next;	/* in the order of first appearance */
	bool in_file, in_store; /* neither: kept for what it has used */
	struct config_account file,
	    stored; /* credentials are none; the first counts when there are both */
	struct bucket rate;
	struct bucket large; /* bytes of large texts; a second's worth at once */
	struct usage *usage; /* NULL: nothing in 24 hours before the start, and nothing since */
	uint32_t unwritten;  /* recipients for the next flush, */
	int64_t unwritten_minute; /* all in this minute */
	bool queued;		  /* in the list of accounts with unwritten counts */
	struct account *next_unwritten;
	struct ring *ring; /* its copy, while one is made */
};

struct accounts {
	struct loop *loop;
	struct worker_pool *workers;
	char *directory, *path;
	int fd;
	uint64_t written, rewrite_at; /* bytes in the file; when it is too long */
	bool rewrite;		      /* it is to be written anew */
	bool failing;		      /* the last write has failed */
	int64_t found_ms;   /* the mark at start: what is older is not counted in replay */
	int64_t told_ms;    /* the newest that replay has told of */
	int64_t mark_ms;    /* of the next flush; never goes back */
	bool replayed;	    /* until then replay may tell of more, and nothing is written */
	int64_t large_rate; /* smtp.large_rate */
	struct map by_name;
	struct account *first, **last;
	struct account *unwritten;
	struct list charges;	 /* what is not in the file yet */
	struct buf lines;	 /* waits for the next flush */
	struct flush_job *flush; /* under way, or NULL */
	struct timer flush_timer;
};

static void
charge_free(struct account_charge *charge)
{
	list_del(&charge->node);
	free(charge);
}

static int64_t
now_minute(void)
{
	return clock_wall_ms() / 60000;
}

static int64_t
sent_24h(struct account *account, int64_t minute)
{
	return account->usage != NULL ? usage_sum(account->usage, minute) : 0;
}

static bool
make_usage(struct account *account)
{
	if (account->usage == NULL)
		account->usage = calloc(1, sizeof *account->usage);
	return account->usage != NULL;
}

/* ------------------------------------------------------------------ table --------------------- */

static void
apply_large_rate(struct account *account)
{
	double rate = (double)account->owner->large_rate;
	int64_t now_us = clock_mono_us();

	if (account->large.rate <= 0)
		bucket_init(&account->large, rate, rate, now_us);
	else
		bucket_set(&account->large, rate, rate, now_us);
}

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
	apply_large_rate(account);
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

	while (account != NULL && !account_is_there(account))
		account = account->next;
	return account;
}

bool
account_is_there(const struct account *account)
{
	return account != NULL && (account->in_file || account->in_store);
}

bool
account_in_file(const struct account *account)
{
	return account->in_file;
}

const struct config_account *
account_settings(const struct account *account)
{
	return account->in_file ? &account->file : &account->stored;
}

static void
keep_scalars(struct account *account, struct config_account *to, const struct config_account *from)
{
	*to = *from;
	to->name = account->name;
	to->credentials = NULL;
	to->credential_count = 0;
}

static int64_t
quota_24h(const struct account *account)
{
	const struct config_account *s = account_settings(account);

	return s->quota_24h == 0 && !s->production ? SANDBOX_QUOTA : s->quota_24h;
}

static void
apply_rate(struct account *account)
{
	const struct config_account *s = account_settings(account);
	double rate = s->send_rate <= 0 && !s->production ? SANDBOX_RATE : s->send_rate;
	double burst = s->send_burst > 0 ? s->send_burst : 3 * rate;
	int64_t now_us = clock_mono_us();

	/* New, or without a limit until now: it starts with a full bucket. */
	if (account->rate.rate <= 0)
		bucket_init(&account->rate, rate, burst, now_us);
	else
		bucket_set(&account->rate, rate, burst, now_us);
}

enum rc
accounts_configure(struct accounts *accounts, const struct config *config, struct why *why)
{
	for (size_t i = 0; i < config->account_count; i++)
		if (find_or_new(accounts, span_of(config->accounts[i].name)) == NULL)
			return why_set(why, RC_LATER, 0, "out of memory for accounts");
	for (struct account *a = accounts->first; a != NULL; a = a->next)
		a->in_file = false;
	for (size_t i = 0; i < config->account_count; i++) {
		struct account *a = account_find(accounts, config->accounts[i].name);

		a->in_file = true;
		keep_scalars(a, &a->file, &config->accounts[i]);
	}
	accounts->large_rate = config->smtp.large_rate;
	for (struct account *a = accounts->first; a != NULL; a = a->next) {
		apply_large_rate(a);
		if (account_is_there(a))
			apply_rate(a);
	}
	return RC_OK;
}

enum rc
account_put(struct accounts *accounts, const struct config_account *settings, struct why *why)
{
	struct account *a = find_or_new(accounts, span_of(settings->name));

	if (a == NULL)
		return why_set(why, RC_LATER, 0, "out of memory for accounts");
	a->in_store = true;
	keep_scalars(a, &a->stored, settings);
	apply_rate(a);
	return RC_OK;
}

void
account_remove(struct accounts *accounts, const char *name)
{
	struct account *a = account_find(accounts, name);

	if (a != NULL)
		a->in_store = false;
}

const char *
account_name(const struct account *account)
{
	return account->name;
}

enum rc
account_may_send(const struct account *account, struct why *why)
{
	if (!account_is_there(account) || !account_settings(account)->sending_enabled)
		return why_set(why, RC_DENY, 554,
		    "Message rejected: Sending paused for this account. For more information, "
		    "please "
		    "check the inbox of the email address associated with your AWS account.");
	return RC_OK;
}

/* ------------------------------------------------------------------ usage file ---------------- */

static void
add_line(struct buf *out, int64_t minute, const char *name, uint32_t count)
{
	if (count > 0)
		buf_addf(out, "%" PRId64 " %s %" PRIu32 "\n", minute, name, count);
}

static void
add_mark(struct buf *out, int64_t mark_ms)
{
	buf_addf(out, "flushed %" PRId64 "\n", mark_ms);
}

/* They go to the file with the next flush. */
static void
write_later(struct account *a, int64_t minute, uint32_t recipients)
{
	struct accounts *accounts = a->owner;

	if (a->unwritten_minute != minute) {
		add_line(&accounts->lines, a->unwritten_minute, a->name, a->unwritten);
		a->unwritten = 0;
	}
	a->unwritten_minute = minute;
	a->unwritten += recipients;
	if (!a->queued) {
		a->queued = true;
		a->next_unwritten = accounts->unwritten;
		accounts->unwritten = a;
	}
}

/* Up to mark_ms, but not to what is under way: there it is open whether the spool will have it. */
static void
move_mark(struct accounts *accounts, int64_t mark_ms)
{
	for (const struct list *at = accounts->charges.next; at != &accounts->charges;
	     at = at->next) {
		const struct account_charge *c = container_of(at, struct account_charge, node);

		if (!c->stored && c->at_ms <= mark_ms)
			mark_ms = c->at_ms - 1;
	}
	if (mark_ms > accounts->mark_ms)
		accounts->mark_ms = mark_ms;
}

/* Move the mark up to `mark_ms` at most, and what was stored until then into the lines to write. */
static void
collect(struct accounts *accounts, int64_t mark_ms)
{
	struct account *a;

	move_mark(accounts, mark_ms);
	for (struct list *at = accounts->charges.next, *next; at != &accounts->charges; at = next) {
		struct account_charge *c = container_of(at, struct account_charge, node);

		next = at->next;
		if (!c->stored || c->at_ms > accounts->mark_ms)
			continue;
		write_later(c->account, c->minute, c->recipients);
		charge_free(c);
	}
	while ((a = accounts->unwritten) != NULL) {
		accounts->unwritten = a->next_unwritten;
		a->queued = false;
		add_line(&accounts->lines, a->unwritten_minute, a->name, a->unwritten);
		a->unwritten = 0;
	}
	if (accounts->lines.failed)
		accounts->rewrite = true;
}

/* ------------------------------------------------------------------ the whole file ------------ */

struct ring {
	const char *name; /* accounts stay to the end */
	struct usage usage;
};

struct whole {
	struct ring *rings;
	size_t count;
	int64_t mark_ms;
};

/* What belongs up to the mark, for another thread: all that is counted but the charges, which are behind it. */
static enum rc
whole_copy(struct accounts *accounts, struct whole *out)
{
	size_t room = 0;

	*out = (struct whole){ .mark_ms = accounts->mark_ms };
	for (const struct account *a = accounts->first; a != NULL; a = a->next)
		room += a->usage != NULL;
	if (room == 0)
		return RC_OK;
	out->rings = calloc(room, sizeof *out->rings);
	if (out->rings == NULL)
		return RC_LATER;
	for (struct account *a = accounts->first; a != NULL; a = a->next) {
		if (a->usage == NULL)
			continue;
		(void)usage_sum(a->usage, now_minute());
		a->ring = &out->rings[out->count++];
		*a->ring = (struct ring){ a->name, *a->usage };
	}
	for (const struct list *at = accounts->charges.next; at != &accounts->charges;
	     at = at->next) {
		const struct account_charge *c = container_of(at, struct account_charge, node);

		usage_remove(&c->account->ring->usage, c->minute, c->recipients);
	}
	return RC_OK;
}

static void
write_ring(const struct ring *ring, struct buf *out)
{
	const struct usage *usage = &ring->usage;

	for (int64_t m = usage->minute - USAGE_MINUTES + 1; usage->sum > 0 && m <= usage->minute;
	     m++)
		add_line(out, m, ring->name, m >= 0 ? usage->count[m % USAGE_MINUTES] : 0);
}

/* May run on a worker. *written: the length of the file. */
static enum rc
whole_publish(const struct whole *whole, const char *directory, uint64_t *written, struct why *why)
{
	struct buf text = BUF_EMPTY;
	enum rc rc;

	for (size_t i = 0; i < whole->count; i++)
		write_ring(&whole->rings[i], &text);
	add_mark(&text, whole->mark_ms);
	*written = buf_len(&text);
	rc = text.failed ? why_set(why, RC_LATER, 0, "out of memory")
			 : fsutil_publish(directory, "usage", buf_span(&text), 0600, why);
	buf_free(&text);
	return rc;
}

static int
open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* ------------------------------------------------------------------ flush --------------------- */

struct flush_job {
	struct worker_job job;
	struct accounts *accounts; /* NULL: they are gone */
	const char *directory, *path;
	int fd; /* to append to; of the new file when that was written anew */
	bool anew;
	struct whole whole; /* `anew` */
	struct buf text;    /* otherwise */
	uint64_t written;
	struct why why;
	enum rc rc;
};

static void
flush_free(struct flush_job *flush)
{
	free(flush->whole.rings);
	buf_free(&flush->text);
	free(flush);
}

static void
flush_work(struct worker_job *job)
{
	struct flush_job *flush = container_of(job, struct flush_job, job);

	if (!flush->anew) {
		flush->written = buf_len(&flush->text);
		flush->rc =
		    fsutil_write_all(flush->fd, flush->text.mem, flush->written, &flush->why);
		return;
	}
	flush->fd = -1;
	flush->rc = whole_publish(&flush->whole, flush->directory, &flush->written, &flush->why);
	if (flush->rc != RC_OK)
		return;
	flush->fd = open_file(flush->path);
	if (flush->fd < 0)
		flush->rc = why_errno(&flush->why, errno, "open");
}

static void
use_new_file(struct accounts *accounts, const struct flush_job *flush)
{
	(void)close(accounts->fd);
	accounts->fd = flush->fd;
	accounts->written = 0;
	accounts->rewrite_at = REWRITE_BYTES + 2 * flush->written;
	accounts->rewrite = false;
}

static void
flush_failed(struct accounts *accounts, const struct why *why)
{
	if (!accounts->failing)
		log_line(LOG_LEVEL_WARNING, "account", "%s: %s", accounts->path, why->text);
	accounts->failing = true;
	accounts->rewrite = true; /* a part of it may be there, and nothing can follow that */
}

static void
flush_done(struct worker_job *job)
{
	struct flush_job *flush = container_of(job, struct flush_job, job);
	struct accounts *accounts = flush->accounts;

	if (accounts == NULL) {
		if (flush->anew && flush->fd >= 0)
			(void)close(flush->fd);
		flush_free(flush);
		return;
	}
	accounts->flush = NULL;
	if (flush->rc != RC_OK) {
		flush_failed(accounts, &flush->why);
	} else {
		accounts->failing = false;
		if (flush->anew)
			use_new_file(accounts, flush);
		accounts->written += flush->written;
		accounts->rewrite |= accounts->written > accounts->rewrite_at;
	}
	flush_free(flush);
}

/* The lines move into the job, or stay for a time when there is memory. */
static struct flush_job *
flush_new(struct accounts *accounts)
{
	struct flush_job *flush = calloc(1, sizeof *flush);

	if (flush == NULL)
		return NULL;
	flush->anew = accounts->rewrite;
	if (flush->anew && whole_copy(accounts, &flush->whole) != RC_OK) {
		free(flush);
		return NULL;
	}
	if (!flush->anew)
		add_mark(&accounts->lines, accounts->mark_ms);
	flush->text = accounts->lines;
	buf_init(&accounts->lines, 0);
	flush->accounts = accounts;
	flush->directory = accounts->directory;
	flush->path = accounts->path;
	flush->fd = accounts->fd;
	flush->job.home = accounts->loop;
	flush->job.work = flush_work;
	flush->job.done = flush_done;
	return flush;
}

static void
on_flush_timer(void *arg)
{
	struct accounts *accounts = arg;

	timer_set(&accounts->flush_timer, FLUSH_MS);
	if (accounts->flush != NULL)
		return;
	/* What is accepted from now on is not of a millisecond before. */
	collect(accounts, clock_wall_ms() - 1);
	if (!accounts->rewrite && buf_len(&accounts->lines) == 0)
		return;
	accounts->flush = flush_new(accounts);
	if (accounts->flush == NULL ||
	    worker_submit(accounts->workers, &accounts->flush->job) == RC_OK)
		return;
	flush_free(accounts->flush);
	accounts->flush = NULL;
	accounts->rewrite = true; /* the lines are gone */
}

/* ------------------------------------------------------------------ start and stop ------------ */

static void
read_line(struct accounts *accounts, struct span line)
{
	struct span minute, name, count;
	uint64_t m, n;
	struct account *a;

	if (!span_next(&line, ' ', &minute) || !span_next(&line, ' ', &name) ||
	    !span_next(&line, ' ', &count) || !span_uint(minute, INT64_MAX / 60000, &m) ||
	    !span_uint(count, UINT32_MAX, &n) || name.len == 0)
		return;
	if (now_minute() - (int64_t)m >= USAGE_MINUTES)
		return;
	if ((int64_t)m > now_minute())
		return; /* it would hold the window in the future, where nothing gets old */
	a = find_or_new(accounts, name);
	if (a != NULL && make_usage(a))
		usage_add(a->usage, (int64_t)m, (uint32_t)n);
}

static bool
read_mark(struct span line, int64_t *mark_ms)
{
	struct span word, number;
	uint64_t ms;

	if (!span_next(&line, ' ', &word) || !span_eq(word, SPAN_LIT("flushed")) ||
	    !span_next(&line, ' ', &number) || !span_uint(number, INT64_MAX, &ms))
		return false;
	*mark_ms = (int64_t)ms;
	return true;
}

/* What stands before the last mark. A crash or a full disk may have cut what comes behind it, and those
 * messages are found in the spool. */
static struct span
before_mark(struct span text, int64_t *mark_ms)
{
	struct span rest = span_first(text, span_find_last(text, '\n')), line;
	size_t end = 0;

	while (span_next(&rest, '\n', &line))
		if (read_mark(line, mark_ms))
			end = (size_t)(line.p - text.p);
	return span_first(text, end);
}

/* The file is written anew at the first flush. */
static enum rc
usage_open(struct accounts *accounts, struct why *why)
{
	struct buf text = BUF_EMPTY;
	struct span rest, line;
	enum rc rc = fsutil_read_file(accounts->path, USAGE_FILE_MAX, &text, why);

	if (rc != RC_OK && why->err != ENOENT) {
		buf_free(&text);
		return rc;
	}
	rest = before_mark(buf_span(&text), &accounts->found_ms);
	while (span_next(&rest, '\n', &line))
		read_line(accounts, line);
	buf_free(&text);
	accounts->mark_ms = accounts->found_ms;
	accounts->rewrite = true;
	accounts->fd = open_file(accounts->path);
	return accounts->fd >= 0 ? RC_OK : why_errno(why, errno, "%s", accounts->path);
}

enum rc
accounts_new(struct loop *loop, struct worker_pool *workers, const char *state_directory,
    struct accounts **out, struct why *why)
{
	struct accounts *accounts = calloc(1, sizeof *accounts);
	char path[PATH_MAX];
	enum rc rc = RC_OK;

	*out = NULL;
	if (accounts == NULL)
		return why_set(why, RC_LATER, 0, "out of memory for accounts");
	(void)snprintf(path, sizeof path, "%s/usage", state_directory);
	accounts->loop = loop;
	accounts->workers = workers;
	accounts->fd = -1;
	accounts->last = &accounts->first;
	list_init(&accounts->charges);
	accounts->directory = span_dup(span_of(state_directory));
	accounts->path = span_dup(span_of(path));
	timer_init(&accounts->flush_timer, loop, on_flush_timer, accounts);
	if (accounts->directory == NULL || accounts->path == NULL)
		rc = why_set(why, RC_LATER, 0, "out of memory for accounts");
	if (rc == RC_OK)
		rc = fsutil_make_dir(state_directory, 0700, why);
	if (rc == RC_OK)
		rc = usage_open(accounts, why);
	if (rc != RC_OK) {
		accounts_free(accounts);
		return rc;
	}
	*out = accounts;
	return RC_OK;
}

void
accounts_replayed(struct accounts *accounts)
{
	accounts->replayed = true;
	if (accounts->told_ms > accounts->mark_ms)
		accounts->mark_ms = accounts->told_ms; /* the next start is not to count it again */
	timer_set(&accounts->flush_timer, FLUSH_MS);
}

/* Whole: a flush that was under way may have come to the file, or not. */
static void
write_last(struct accounts *accounts)
{
	struct why why = WHY_EMPTY;
	struct whole whole;
	uint64_t written;
	enum rc rc;

	collect(accounts, clock_wall_ms());
	rc = whole_copy(accounts, &whole);
	if (rc == RC_OK)
		rc = whole_publish(&whole, accounts->directory, &written, &why);
	if (rc != RC_OK)
		log_line(LOG_LEVEL_WARNING, "account", "%s: %s", accounts->path, why.text);
	free(whole.rings);
}

void
accounts_free(struct accounts *accounts)
{
	struct list *node;

	if (accounts == NULL)
		return;
	timer_cancel(&accounts->flush_timer);
	if (accounts->replayed)
		write_last(accounts);
	if (accounts->fd >= 0)
		(void)close(accounts->fd);
	if (accounts->flush != NULL)
		accounts->flush->accounts = NULL;
	while ((node = list_pop(&accounts->charges)) != NULL)
		free(container_of(node, struct account_charge, node));
	for (struct account *a = accounts->first, *next; a != NULL; a = next) {
		next = a->next;
		free(a->name);
		free(a->usage);
		free(a);
	}
	map_free(&accounts->by_name);
	buf_free(&accounts->lines);
	free(accounts->directory);
	free(accounts->path);
	free(accounts);
}

/* ------------------------------------------------------------------ limits -------------------- */

void
accounts_replay(
    struct accounts *accounts, const char *name, int64_t accepted_ms, unsigned recipients)
{
	int64_t now = now_minute(), minute = accepted_ms / 60000;
	struct account *a;

	if (accepted_ms <= accounts->found_ms || name[0] == '\0' || now - minute >= USAGE_MINUTES)
		return;
	a = find_or_new(accounts, span_of(name));
	if (a == NULL || !make_usage(a))
		return;
	minute = minute < now ? minute : now;
	usage_add(a->usage, minute, recipients);
	write_later(a, minute, recipients);
	if (accepted_ms > accounts->told_ms)
		accounts->told_ms = accepted_ms;
}

/* Milliseconds to wait, or -1: not now. */
static int64_t
take_rate(struct account *a, unsigned recipients)
{
	int64_t now_us = clock_mono_us(), wait_us;

	if (account_settings(a)->over_limit == OVER_LIMIT_REJECT)
		return bucket_take(&a->rate, recipients, now_us) ? 0 : -1;
	wait_us = bucket_take_later(&a->rate, recipients, now_us, SMOOTH_MAX_MS * INT64_C(1000));
	return wait_us < 0 ? -1 : (wait_us + 999) / 1000;
}

enum rc
account_take(struct account *a, unsigned recipients, unsigned counted, struct account_charge **out,
    struct why *why)
{
	int64_t now_ms = clock_wall_ms(), quota = quota_24h(a);
	struct account_charge *charge;
	int64_t wait_ms;

	*out = NULL;
	if (quota > 0 && sent_24h(a, now_ms / 60000) + counted > quota)
		return why_set(
		    why, RC_LATER, 454, "Throttling failure: Daily message quota exceeded.");
	charge = make_usage(a) ? malloc(sizeof *charge) : NULL;
	if (charge == NULL)
		return why_set(why, RC_LATER, 0, "out of memory");
	wait_ms = take_rate(a, recipients);
	if (wait_ms < 0) {
		free(charge);
		return why_set(
		    why, RC_LATER, 454, "Throttling failure: Maximum sending rate exceeded.");
	}
	*charge = (struct account_charge){ .account = a,
		.at_ms = now_ms,
		.minute = now_ms / 60000,
		.recipients = counted,
		.taken = recipients,
		.wait_ms = wait_ms };
	usage_add(a->usage, charge->minute, counted);
	list_add_tail(&a->owner->charges, &charge->node);
	*out = charge;
	return RC_OK;
}

int64_t
account_charge_ms(const struct account_charge *charge)
{
	return charge->at_ms;
}

int64_t
account_charge_wait_ms(const struct account_charge *charge)
{
	return charge->wait_ms;
}

int64_t
account_pace_ms(struct account *a, uint64_t bytes)
{
	int64_t wait_us = bucket_take_later(
	    &a->large, (double)bytes, clock_mono_us(), PACE_MAX_MS * INT64_C(1000));

	return wait_us < 0 ? -1 : (wait_us + 999) / 1000;
}

void
account_keep(struct account_charge *charge)
{
	charge->stored = true;
}

void
account_refund(struct account_charge *charge)
{
	struct account *a = charge->account;

	bucket_refund(&a->rate, charge->taken);
	usage_remove(a->usage, charge->minute, charge->recipients);
	charge_free(charge);
}

void
account_usage(struct account *a, struct account_usage *out)
{
	*out = (struct account_usage){ a->rate.rate, a->rate.burst, quota_24h(a),
		sent_24h(a, now_minute()) };
}
