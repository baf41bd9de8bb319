/* tests/sim/world.c - one life of the daemon: its parts put together as src/main/app.c does, and driven step by step.
 *
 * A step runs what is posted and due on the loops, in an order the seed chooses; when nothing is left, the clock jumps
 * to the next timer. A life ends by a crash at an operation of the disk (sim_disk.c), by a crash or an orderly stop after
 * its share of the submissions, or, the last one, after all is healed and the queue is empty. */
#include "config.h"

#include "sim.h"

#include <stdlib.h>
#include <unistd.h>

#include "account/account.h"
#include "event/event.h"
#include "queue/queue.h"
#include "submit/submit.h"
#include "util/clock.h"
#include "util/log.h"
#include "wire/command.h"

enum {
	STOP_MS = 30000,
	STILL_MAX = 5000,
	AUDIT_EVERY = 50,
	RECORD_MS = 40000, /* a report that waits for the spool, and the outcome behind it */
	HOUR_MS = 3600 * 1000,
	END_MS = 30 * HOUR_MS,	 /* a message and the report on it */
	OVERDUE_MS = 2 * HOUR_MS /* an attempt under way, a pause, a start that came late */
};

static struct {
	struct loop *core, *loops[SIM_LOOPS + 1];
	size_t loop_count;
	struct worker_pool *workers;
	struct config *config;
	struct identity_table *identity_table;
	struct identities *identities;
	struct config_sets *sets;
	struct keyring *keys;
	struct spool *spool;
	struct resolver *resolver;
	struct mx_cache *mx;
	struct accounts *accounts;
	struct queue *queue;
	struct submit *submit;
	unsigned still;	    /* calls since the clock moved */
	unsigned under_way; /* submissions */
	int64_t next_submit_ms;
	bool idle;
	bool replaying;
	bool resolved[SIM_MESSAGES]; /* in this life */
} world;

static int64_t
mono_us(void)
{
	return sim->mono_us;
}

static int64_t
wall_us(void)
{
	return sim->wall_us;
}

static const struct clock_source sim_clock = { mono_us, wall_us };

/* ------------------------------------------------------------------ parts --------------------- */

static void
add_accounts(struct buf *text)
{
	const struct sim_plan *p = &sim->plan;

	buf_addf(text, "accounts = (");
	for (unsigned a = 0; a < SIM_ACCOUNTS; a++)
		buf_addf(text,
		    "%s{ name = \"a%u\"; profile = \"%s\"; send_rate = %.6f; send_burst = %.6f; "
		    "quota_24h = %lld; }",
		    a > 0 ? ", " : "", a, p->accounts[a].relay ? "relay" : "ses",
		    p->accounts[a].rate, p->accounts[a].burst, (long long)p->accounts[a].quota);
	buf_addf(text, ");\nidentities = (");
	for (unsigned a = 0; a < SIM_ACCOUNTS; a++)
		buf_addf(text, "%s{ name = \"d%u.test\"; account = \"a%u\"; }", a > 0 ? ", " : "",
		    SIM_SENDERS_AT + a, a);
	buf_addf(text, ");\n");
}

static void
add_routes(struct buf *text)
{
	bool any = false;

	buf_addf(text, "routes = (");
	for (unsigned k = 0; k < SIM_DOMAINS; k++)
		if (sim->plan.domains[k].kind == DOMAIN_ROUTED) {
			buf_addf(text,
			    "%s{ name = \"r%u\"; destination = \"d%u.test\"; host = \"mx0.test\"; "
			    "}",
			    any ? ", " : "", k, k);
			any = true;
		}
	buf_addf(text, ");\n");
}

static void
make_config(void)
{
	const struct sim_plan *p = &sim->plan;
	struct config_errors errors = { NULL, 0, 0 };
	struct buf text = BUF_EMPTY, shown = BUF_EMPTY;
	const char *source;

	buf_addf(&text,
	    "hostname = \"relay.test\";\n"
	    "delivery = { max_age = \"%ds\"; retry_min = \"%llds\"; retry_max = \"%llds\"; "
	    "max_connections = %u; max_connections_per_site = %u; "
	    "messages_per_connection = %u; };\n",
	    (int)SIM_MAX_AGE_S, (long long)p->retry_min_s, (long long)p->retry_max_s,
	    p->max_connections, p->per_destination, p->per_connection);
	add_accounts(&text);
	add_routes(&text);
	source = buf_cstr(&text);
	if (source == NULL || config_parse(source, "sim", &world.config, &errors) != RC_OK) {
		for (size_t i = 0; i < errors.count; i++)
			config_error_format(&errors.list[i], &shown);
		sim_fail("configuration: %.*s", SPAN_ARG(buf_span(&shown)));
	}
	if (p->cold)
		world.config->spool.body_budget_bytes = 0;
	config_errors_free(&errors);
	buf_free(&text);
}

static void
must(enum rc rc, const char *what, const struct why *why)
{
	if (rc != RC_OK)
		sim_fail("%s: %s", what, why->text);
}

static void
make_loops(void)
{
	world.core = loop_new_manual("core");
	for (; world.loop_count < sim->plan.loops; world.loop_count++)
		world.loops[world.loop_count] = loop_new_manual("connections");
	if (world.loop_count == 0) /* as with `loops` none: all of it on the core's */
		world.loops[world.loop_count++] = world.core;
}

static void
on_replayed(void *arg, const struct message *envelope)
{
	(void)arg;
	if (envelope->notice)
		return;
	accounts_replay(world.accounts, envelope->account, envelope->accepted_ms,
	    (unsigned)envelope->recipient_count);
	model_count_replayed(&envelope->id);
}

static void
make_parts(void)
{
	struct why why = WHY_EMPTY;
	struct mx_options mx = {
		.port = 25, .allow_private = true, .self_name = "relay.test", .ipv4 = true
	};
	struct spool_options spool = {
		.directory = "spool", .segment_bytes = sim->plan.segment_bytes, .disk = &sim_disk
	};
	struct queue_options queue = { .core = world.core,
		.loops = world.loops,
		.loop_count = world.loop_count,
		.on_replayed = on_replayed };
	struct submit_options submit = { .core = world.core, .secret = SPAN_LIT("a secret") };

	world.workers = worker_pool_new(0, 10000, &why);
	must(identity_table_new(world.config, &world.identity_table, &why), "identities", &why);
	submit.identities = world.identities = identities_new();
	submit.sets = world.sets = config_sets_new();
	identities_use(world.identities, world.identity_table);
	must(config_sets_use(world.sets, world.config, &why), "configuration sets", &why);
	must(keyring_new(world.config, &world.keys, &why), "keys", &why);
	must(spool_open(&spool, world.core, world.workers, &world.spool, &why), "spool", &why);
	model_usage_found("state/usage");
	must(accounts_new(world.core, world.workers, "state", &world.accounts, &why), "accounts",
	    &why);
	must(accounts_configure(world.accounts, world.config, &why), "accounts", &why);
	world.resolver = sim_dns_new(world.core);
	world.mx = mx_cache_new(world.resolver, world.core, &mx, 6);
	queue.workers = submit.workers = world.workers;
	queue.spool = submit.spool = world.spool;
	queue.mx = world.mx;
	must(queue_new(&queue, world.config, NULL, &world.queue, &why), "queue", &why);
	submit.queue = world.queue;
	submit.accounts = world.accounts;
	must(submit_new(&submit, &world.submit, &why), "submit", &why);
	submit_configure(world.submit, world.config, world.keys);
}

/* As src/main/app.c: loops first, then what their last messages may still ask for. */
static void
close_all(void)
{
	while (loop_run_posted(world.core) > 0)
		continue;
	for (size_t i = 0; i < world.loop_count; i++)
		if (world.loops[i] != world.core)
			loop_free(world.loops[i]);
	worker_pool_free(world.workers);
	spool_close(world.spool);
	submit_free(world.submit);
	queue_free(world.queue);
	mx_cache_free(world.mx);
	resolver_free(world.resolver);
	accounts_free(world.accounts);
	loop_free(world.core);
	keyring_unref(world.keys);
	identities_free(world.identities);
	identity_table_unref(world.identity_table);
	config_sets_free(world.sets);
	config_unref(world.config);
	if (conn_count() > 0)
		sim_fail("%zu connections are left at the end", conn_count());
}

/* ------------------------------------------------------------------ submissions --------------- */

static struct loop *
any_loop(void)
{
	return world.loops[sim_below((unsigned)world.loop_count)];
}

static void
on_answer(struct submission *s)
{
	unsigned n = (unsigned)(uintptr_t)s->owner;

	world.under_way--;
	model_answer(n, s->rc, s->why.code, s->why.text, &s->id);
	submission_free(s);
}

/* The content goes to a file through the same disk, so that a crash can lose it. */
static void
spill(struct submission *s, struct span content)
{
	struct why why = WHY_EMPTY;
	size_t done = 0;

	s->file_fd = spool_large_create(world.spool, s->file_name, &why);
	if (s->file_fd < 0)
		sim_fail("large body: %s", why.text);
	while (done < content.len) {
		struct span part = span_first(span_skip(content, done), 64 * 1024);
		struct iovec iov = { (void *)(uintptr_t)part.p, part.len };
		ssize_t n = sim_disk.pwritev(s->file_fd, &iov, 1, (off_t)done);

		done += n > 0 ? (size_t)n : 0;
	}
}

static void
submit(unsigned n)
{
	const struct sim_message *m;
	struct submission *s = submission_new();
	struct buf content = BUF_EMPTY;
	char address[64], client[32], account[8], *body;
	size_t len, header_len;

	model_submit(n);
	m = &sim->messages[n];
	sim->submitted = n + 1;
	(void)snprintf(client, sizeof client, "sim[%u]", n);
	(void)snprintf(account, sizeof account, "a%u", m->account);
	s->home = any_loop();
	s->config = config_ref(world.config);
	s->account = span_dup(span_of(account));
	s->credential = span_dup(SPAN_LIT("key"));
	s->listener = span_dup(SPAN_LIT("submission"));
	s->client = span_dup(span_of(client));
	s->mechanism = "PLAIN";
	model_sender(n, address);
	s->sender = span_dup(m->null_sender ? SPAN_EMPTY : span_of(address));
	buf_addf(&content, "From: <%s>\r\nTo: list:;\r\nSubject: message %u\r\nX-Sim: %u\r\n\r\n",
	    address, n, n);
	header_len = buf_len(&content);
	model_body(n, &body, &len);
	buf_add(&content, body, len);
	free(body);
	for (unsigned i = 0; i < m->recipient_count; i++) {
		model_address(n, i, address);
		must(submission_add_recipient(s, span_of(address), SPAN_EMPTY,
			 m->recipients[i].silent ? NOTIFY_NEVER : 0),
		    "recipient", &s->why);
	}
	s->size = buf_len(&content);
	s->longest_line = 90;
	s->done = on_answer;
	s->owner = (void *)(uintptr_t)n;
	if (m->large) {
		spill(s, buf_span(&content));
		buf_add_span(&s->body, span_first(buf_span(&content), header_len));
		buf_free(&content);
	} else {
		s->body = content;
	}
	world.under_way++;
	submit_start(world.submit, s);
}

/* ------------------------------------------------------------------ audit --------------------- */

static void
check_message(unsigned n)
{
	const struct sim_message *m = &sim->messages[n];
	char id[MESSAGE_ID_LEN + 1];
	struct queue_message *found;
	struct queue_recipient_view view;
	bool open = false;

	for (unsigned i = 0; i < m->recipient_count; i++) {
		const struct sim_recipient *r = &m->recipients[i];

		open |= r->final == KNOWN_NOT;
		if (r->final == KNOWN_HERE && !r->on_way &&
		    sim->mono_us / 1000 - r->final_ms > RECORD_MS)
			sim_fail("message %u is settled for recipient %u, and the spool is not "
				 "told",
			    n, i);
	}
	if (m->fate != FATE_ACCEPTED || !open)
		return;
	message_id_format(&m->id, id);
	found = queue_find(world.queue, span_of(id));
	if (found == NULL && world.replaying)
		return; /* not told yet */
	if (sim->mono_us / 1000 - m->at_ms > SIM_MAX_AGE_S * 1000 + OVERDUE_MS)
		sim_fail("message %u should have been given up long ago", n);
	if (found == NULL)
		sim_fail("message %u was accepted, is not settled, and is not in the queue", n);
	for (unsigned i = 0; i < m->recipient_count; i++) {
		queue_view_recipient(found, i, &view);
		if (m->recipients[i].final == KNOWN_NOT && strcmp(view.state, "done") == 0)
			sim_fail("message %u has nothing in the queue for recipient %u, which is "
				 "not settled",
			    n, i);
	}
}

static void
check_counts(void)
{
	struct account_usage usage;

	for (struct account *a = accounts_next(world.accounts, NULL); a != NULL;
	     a = accounts_next(world.accounts, a)) {
		account_usage(a, &usage);
		model_check_count(account_name(a), usage.sent_24h);
	}
}

static void
audit(void)
{
	struct why why = WHY_EMPTY;

	if (queue_audit(world.queue, &why) != RC_OK)
		sim_fail("audit of the queue: %s", why.text);
	if (sim->counted)
		check_counts();
	if (world.under_way == 0)
		model_no_submissions();
	for (unsigned n = 0; n < sim->submitted; n++)
		check_message(n);
}

/* ------------------------------------------------------------------ steps --------------------- */

/* Everything that is posted and due now. */
static void
run_now(void)
{
	unsigned quiet = 0;
	unsigned count = (unsigned)world.loop_count;
	bool core_apart = world.loops[0] != world.core;

	while (quiet <= count * 3 + 3) {
		unsigned k = sim_below(count + (core_apart ? 1 : 0));
		size_t calls = loop_step(k < count ? world.loops[k] : world.core);

		quiet = calls > 0 ? 0 : quiet + 1;
		if (calls > 0 && ++world.still > STILL_MAX)
			sim_fail("the clock stands still: something keeps itself busy");
	}
	for (unsigned k = 0; k < count + (core_apart ? 1 : 0); k++)
		if (loop_step(k < count ? world.loops[k] : world.core) > 0) {
			run_now();
			return;
		}
	if (++sim->steps % AUDIT_EVERY == 0)
		audit();
}

static int64_t
next_ms(void)
{
	int64_t next = loop_next_ms(world.core);

	for (size_t i = 0; i < world.loop_count; i++) {
		int64_t at = loop_next_ms(world.loops[i]);

		if (at >= 0 && (next < 0 || at < next))
			next = at;
	}
	return next;
}

static void
jump(int64_t limit_ms)
{
	int64_t next = next_ms(), by_us;

	if (next < 0 || next > limit_ms)
		next = limit_ms;
	by_us = next * 1000 - sim->mono_us;
	if (by_us > 0) {
		world.still = 0;
		sim->mono_us += by_us;
		sim->wall_us += by_us;
	}
}

/* Until `until_ms`, or as long as `more` says so. */
static bool
run(int64_t until_ms, bool (*more)(void))
{
	for (;;) {
		run_now();
		if (more != NULL && !more())
			return true;
		if (sim->mono_us / 1000 >= until_ms)
			return false;
		jump(until_ms);
	}
}

/* ------------------------------------------------------------------ start --------------------- */

static void
on_loaded(void *arg, struct message *message, const struct why *why)
{
	(void)arg;
	if (message == NULL)
		sim_fail("a message that was replayed cannot be read: %s", why->text);
	if (!message->notice)
		model_replayed(message->client, &message->id);
	message_unref(message);
}

/* Which of our messages are they? The replay tells no more than it needs. */
static void
read_replayed(void)
{
	struct queue_cursor *cursor = queue_cursor_new(world.queue);
	struct queue_view view;

	while (queue_cursor_next(cursor, &view))
		if (queue_load(view.message, on_loaded, NULL) != RC_OK)
			sim_fail("too many messages to read at once");
	queue_cursor_free(cursor);
	while (loop_run_posted(world.core) > 0)
		continue;
}

/* What was on its way to the disk when the crash came: is it there? While replay still tells, only of what is found. */
static void
resolve(unsigned n)
{
	const struct sim_message *m = &sim->messages[n];
	char id[MESSAGE_ID_LEN + 1];
	struct queue_message *found;
	struct queue_recipient_view view = { .state = "done" };

	message_id_format(&m->id, id);
	found = m->has_id ? queue_find(world.queue, span_of(id)) : NULL;
	if (world.resolved[n] || (found == NULL && world.replaying))
		return;
	world.resolved[n] = true;
	for (unsigned i = 0; i < m->recipient_count; i++) {
		if (m->recipients[i].final != KNOWN_MAYBE)
			continue;
		if (found != NULL)
			queue_view_recipient(found, i, &view);
		model_resolve(n, i, strcmp(view.state, "done") == 0);
	}
}

static void
resolve_all(void)
{
	for (unsigned n = 0; n < sim->submitted; n++)
		resolve(n);
}

/* Deliveries begin while replay still tells of other messages. */
static void
start(void)
{
	struct spool_replay_report report;
	struct why why = WHY_EMPTY;
	enum rc rc;

	must(spool_replay_begin(world.spool, &queue_replay_ops, world.queue, &why), "replay", &why);
	queue_start(world.queue);
	world.replaying = true;
	do {
		rc = spool_replay_step(world.spool, (size_t)sim_between(1, 20), &report, &why);
		read_replayed();
		resolve_all();
		if (rc == RC_MORE)
			(void)run(sim->mono_us / 1000 + sim_between(0, 500), NULL);
	} while (rc == RC_MORE);
	must(rc, "replay", &why);
	world.replaying = false;
	resolve_all();
	accounts_replayed(world.accounts);
	model_counts();
	sim_trace("replayed: %llu segments, %llu messages, %llu live, %llu damaged",
	    (unsigned long long)report.segments, (unsigned long long)report.messages,
	    (unsigned long long)report.live, (unsigned long long)report.damaged);
}

static void
run_submissions(unsigned upto)
{
	while (sim->submitted < upto) {
		int64_t gap = sim->plan.gap_ms;

		if (sim_chance(300)) /* some come together */
			gap = 0;
		(void)run(sim->mono_us / 1000 + sim_between(0, 2 * gap), NULL);
		submit(sim->submitted);
	}
}

/* ------------------------------------------------------------------ ends ---------------------- */

void
sim_crash(bool power)
{
	sim_trace("crash%s", power ? " with a power cut" : "");
	sim->crashes++;
	disk_crash(power);
	conn_crash();
	_exit(LIFE_CRASHED);
}

static void
on_idle(void *arg)
{
	(void)arg;
	world.idle = true;
}

static bool
is_busy(void)
{
	return !world.idle || world.under_way > 0;
}

static bool
has_submissions(void)
{
	return world.under_way > 0;
}

static void
stop(int code)
{
	sim_trace("stop");
	queue_stop(world.queue, on_idle, NULL);
	if (!run(sim->mono_us / 1000 + STOP_MS, is_busy)) {
		queue_cut(world.queue);
		if (!run(sim->mono_us / 1000 + STOP_MS, is_busy))
			sim_fail("the queue does not come to rest after a stop");
	}
	run_now();
	close_all();
	exit(code);
}

static void
end_early(void)
{
	bool kill = sim_has(FAULT_KILL), power = sim_has(FAULT_POWER);

	(void)run(sim->mono_us / 1000 + sim_between(0, sim_chance(500) ? 500 : 600000), NULL);
	if (sim_has(FAULT_STOP) && ((!kill && !power) || sim_chance(300)))
		stop(LIFE_STOPPED);
	sim_crash(power && (!kill || sim_chance(500)));
}

static bool
has_mail(void)
{
	struct queue_stats stats;

	queue_stats(world.queue, &stats);
	return stats.messages > 0 || world.under_way > 0;
}

static void
trace_queue(void)
{
	struct queue_cursor *cursor = queue_cursor_new(world.queue);
	struct queue_view view;
	struct queue_stats stats;

	queue_stats(world.queue, &stats);
	sim_trace("queue: ready=%llu active=%llu deferred=%llu channels=%llu",
	    (unsigned long long)stats.items_ready, (unsigned long long)stats.items_active,
	    (unsigned long long)stats.items_deferred, (unsigned long long)stats.channels);
	while (cursor != NULL && queue_cursor_next(cursor, &view))
		sim_trace("queue: %llx %s at %s, attempts=%u open=%u (%s)",
		    (unsigned long long)view.sequence, view.state, view.destination, view.attempts,
		    view.open, view.reason);
	queue_cursor_free(cursor);
}

static void
end_well(void)
{
	if (!sim->healed) {
		/* Long enough for mail to get too old, where that does not take too many attempts. */
		bool days = sim->plan.retry_max_s >= 600 && sim_chance(300);

		(void)run(
		    sim->mono_us / 1000 + sim_between(0, days ? 40 * HOUR_MS : HOUR_MS), NULL);
	}
	sim_trace("all is healed");
	sim->healed = true;
	disk_heal();
	if (!run(sim->mono_us / 1000 + END_MS, has_mail)) {
		trace_queue();
		sim_fail("the queue is not empty long after all was healed");
	}
	audit();
	model_end();
	stop(LIFE_OVER);
}

void
world_live(void)
{
	bool last = sim->life + 1 >= sim->plan.lives;

	clock_use(&sim_clock);
	model_new_life();
	disk_new_life();
	make_config();
	make_loops();
	make_parts();
	start();
	audit();
	run_submissions(
	    last ? sim->plan.messages : sim->plan.messages * (sim->life + 1) / sim->plan.lives);
	(void)run(sim->mono_us / 1000 + 60000, has_submissions);
	if (has_submissions())
		sim_fail("a submission has no answer after a minute");
	if (last)
		end_well();
	end_early();
}
