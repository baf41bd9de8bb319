/* main/app.c - start, reload, stop.
 *
 * Start: threads and loops, a survey of the spool, then deliveries, while replay still tells of messages; when it has
 * told of all, so that limits and lists are right, listeners and the control socket, then READY=1.
 * Stop: listeners and sessions end, the control socket takes no more changes, submissions under way are stored,
 * attempts under way finish (at most STOP_MS, then they are cut and count as unknown; what waits for a filter is refused),
 * then the spool is closed. */
#include "config.h"

#include "main/app.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "event/event.h"
#include "http/control.h"
#include "http/metrics.h"
#include "mail/simulator.h"
#include "main/notify.h"
#include "main/reload.h"
#include "main/watchdog.h"
#include "smtp/server.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "util/fsutil.h"
#include "util/log.h"

enum {
	STOP_MS = 30000, /* for what is under way */
	CUT_MS = 5000,	 /* for what was cut to come to its end */
	DRAIN_LOOK_MS = 200,
	TLS_LOOK_MS = 60000,
	STATUS_MS = 5000,
	WORKER_QUEUE = 20000,
	MX_CACHE_MAX = 20000,
	LOOPS_MAX = 64,
	SECRET_LEN = 32,
	REPLAY_STEP = 1000, /* records between two looks at the loop: about a millisecond */
	REPLAY_RETRY_MS = 1000
};

struct app {
	const struct snapshot_options *options;
	struct snapshot now;
	struct loop *core;
	struct loop *loops[LOOPS_MAX];
	pthread_t threads[LOOPS_MAX];
	size_t loop_count;
	bool threaded;
	struct worker_pool *workers;
	struct spool *spool;
	struct resolver *resolver;
	struct mx_cache *mx;
	struct accounts *accounts;
	struct identities *identities;
	struct config_sets *sets;
	struct credentials *credentials;
	struct suppressions *suppressions;
	struct store *store;
	struct admin *admin;
	struct queue *queue;
	struct submit *submit;
	struct smtp_server *smtp;
	struct control *control;	/* NULL: no socket is configured */
	struct metrics_server *metrics; /* NULL: no port */
	struct event *signals[8];
	size_t signal_count;
	unsigned char secret[SECRET_LEN];

	bool replayed, stopping, draining, cut, sessions_over, control_idle, queue_idle;
	struct timer stop_timer, drain_timer, tls_timer, status_timer, replay_timer;
	int status; /* the process's, at the end */
	struct reloader reloader;
	struct watchdog watchdog;
	int64_t started_ms;
	uint64_t sent_before;
};

/* ------------------------------------------------------------------ threads ------------------- */

static void *
loop_main(void *arg)
{
	(void)pthread_setname_np(pthread_self(), "pr-connections");
	loop_run(arg);
	return NULL;
}

static bool
workers_are_behind(const void *workers)
{
	return worker_is_behind(workers);
}

static size_t
cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (size_t)n : 1;
}

static enum rc
start_loops(struct app *app, struct why *why)
{
	size_t want = app->now.config->loops > 0 ? (size_t)app->now.config->loops : cores();
	sigset_t all, before;
	int err = 0;

	if (want > LOOPS_MAX)
		want = LOOPS_MAX;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	app->threaded = true;
	for (size_t i = 0; i < want && err == 0; i++) {
		app->loops[i] = loop_new("connections", why);
		if (app->loops[i] == NULL)
			break;
		loop_rest_while(app->loops[i], workers_are_behind, app->workers);
		err = pthread_create(&app->threads[i], NULL, loop_main, app->loops[i]);
		if (err != 0) {
			(void)why_errno(why, err, "connection loop");
			loop_free(app->loops[i]);
			break;
		}
		app->loop_count++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return app->loop_count == want ? RC_OK : RC_LATER;
}

static void
stop_loops(struct app *app)
{
	for (size_t i = 0; i < app->loop_count; i++)
		loop_stop(app->loops[i]);
	for (size_t i = 0; i < app->loop_count; i++)
		(void)pthread_join(app->threads[i], NULL);
	for (size_t i = 0; i < app->loop_count; i++)
		loop_free(app->loops[i]);
	app->loop_count = 0;
}

/* ------------------------------------------------------------------ parts --------------------- */

/* A secret of this installation, made at the first start. */
static enum rc
load_secret(struct app *app, struct why *why)
{
	const char *dir = app->now.config->state_directory;
	char path[PATH_MAX];
	struct buf bytes = BUF_EMPTY;
	enum rc rc;

	(void)snprintf(path, sizeof path, "%s/secret", dir);
	rc = fsutil_make_dir(dir, 0700, why);
	if (rc == RC_OK)
		rc = fsutil_read_secret(path, 1024, &bytes, why);
	if (rc == RC_OK && buf_len(&bytes) == SECRET_LEN) {
		memcpy(app->secret, bytes.mem + bytes.start, SECRET_LEN);
	} else if (rc == RC_LATER && why->err == ENOENT) {
		crypto_random(app->secret, SECRET_LEN);
		rc = fsutil_publish(
		    dir, "secret", span_make((const char *)app->secret, SECRET_LEN), 0600, why);
	} else if (rc == RC_OK) {
		rc = why_set(why, RC_BAD, 0, "%s: not %d bytes", path, SECRET_LEN);
	}
	buf_free(&bytes);
	return rc;
}

static struct span
secret_span(const struct app *app)
{
	return span_make((const char *)app->secret, SECRET_LEN);
}

static void
on_replayed(void *arg, const struct message *envelope)
{
	struct app *app = arg;
	struct span simulator = span_of(app->now.config->simulator_domain);
	unsigned counted = 0;

	for (size_t i = 0; i < envelope->recipient_count; i++)
		counted +=
		    !simulator_is_address(simulator, span_of(envelope->recipients[i].address));
	if (!envelope->notice)
		accounts_replay(app->accounts, envelope->account, envelope->accepted_ms, counted);
}

/* What clients own, as the configuration has it. */
static enum rc
use_objects(struct app *app, const struct snapshot *snapshot, struct why *why)
{
	enum rc rc = config_sets_use(app->sets, snapshot->config, why);

	if (rc == RC_OK)
		rc = accounts_configure(app->accounts, snapshot->config, why);
	if (rc == RC_OK) {
		identities_use(app->identities, snapshot->identities);
		admin_configure(app->admin, snapshot->config, snapshot->credentials);
	}
	return rc;
}

static void
on_objects_changed(void *arg)
{
	const struct app *app = arg;

	if (app->queue != NULL) /* it is made after what it asks */
		queue_flows_changed(app->queue);
}

static enum rc
make_store(struct app *app, struct why *why)
{
	struct store_options options = { .directory = app->now.config->state_directory,
		.master_keys = app->now.config->store.master_keys,
		.core = app->core,
		.threaded = true };
	enum rc rc = store_open(&options, &app->store, why);
	struct admin_options admin = { .store = app->store,
		.accounts = app->accounts,
		.credentials = app->credentials,
		.identities = app->identities,
		.sets = app->sets,
		.suppressions = app->suppressions,
		.on_changed = on_objects_changed,
		.arg = app };

	if (rc == RC_OK && store_down(app->store) != NULL)
		log_line(LOG_LEVEL_ERROR, "store",
		    "%s; what it holds is not there, and cannot be changed; mail goes on",
		    store_down(app->store));
	return rc == RC_OK ? admin_new(&admin, &app->admin, why) : rc;
}

static enum rc
make_objects(struct app *app, struct why *why)
{
	enum rc rc;

	app->identities = identities_new();
	app->sets = config_sets_new();
	app->credentials = credentials_new();
	app->suppressions = suppressions_new();
	if (app->identities == NULL || app->sets == NULL || app->credentials == NULL ||
	    app->suppressions == NULL)
		return why_set(why, RC_LATER, 0, "out of memory");
	rc = make_store(app, why);
	if (rc == RC_OK)
		rc = use_objects(app, &app->now, why);
	if (rc == RC_OK)
		admin_load(app->admin);
	return rc;
}

/* The reasons of the configuration set, or of the account. */
static enum config_suppression
reasons_that_count(const struct app *app, const struct message *message)
{
	const struct account *account = account_find(app->accounts, message->account);
	const struct config_set *set =
	    config_set_find(app->sets, message->account, span_of(message->configuration_set));

	if (set != NULL && set->suppression != SUPPRESS_INHERIT)
		return set->suppression;
	return account_is_there(account) ? account_settings(account)->suppression : SUPPRESS_NONE;
}

static bool
is_suppressed(void *arg, const struct message *message, const char *address)
{
	const struct app *app = arg;
	const struct suppression *entry;

	if (suppressions_count(app->suppressions, message->account) == 0)
		return false;
	if (address[0] == '@')
		return true; /* who, is not known yet */
	entry = suppression_find(app->suppressions, message->account, span_of(address));
	return entry != NULL && (entry->reason & reasons_that_count(app, message)) != 0;
}

/* How an account's messages stand in the queue. */
static void
flow_settings(void *arg, const char *account, const char *set, struct queue_flow_settings *settings)
{
	const struct app *app = arg;
	const struct account *a = account_find(app->accounts, account);
	const struct config_set *s = config_set_find(app->sets, account, span_of(set));

	if (account_is_there(a))
		settings->weight = (unsigned)account_settings(a)->weight;
	if (s != NULL) {
		settings->is_bulk = s->class == CLASS_BULK;
		settings->pool = s->pool;
	}
}

static void
on_suppressed(void *arg, enum rc rc, const struct why *why)
{
	(void)arg;
	if (rc != RC_OK && why->code != 409) /* the same address twice at once is no loss */
		log_line(LOG_LEVEL_WARNING, "admin",
		    "a recipient that does not exist could not be "
		    "suppressed: %s",
		    why->text);
}

/* A host that says there is no such mailbox is believed. What DNS says of a domain is not: it may come back. */
static bool
is_of_no_mailbox(const struct outcome *outcome)
{
	return outcome->remote && (outcome->failure == FAILURE_MAILBOX_UNKNOWN ||
				      outcome->failure == FAILURE_BAD_DOMAIN);
}

static void
on_failed(
    void *arg, const struct message *message, const char *address, const struct outcome *outcome)
{
	struct app *app = arg;
	char id[MESSAGE_ID_LEN + 1];
	struct suppression entry = { address, SUPPRESS_BOUNCE, clock_wall_ms(), id, "" };

	if (message->notice || !is_of_no_mailbox(outcome) ||
	    simulator_is_address(span_of(app->now.config->simulator_domain), span_of(address)) ||
	    (reasons_that_count(app, message) & SUPPRESS_BOUNCE) == 0 ||
	    suppression_find(app->suppressions, message->account, span_of(address)) != NULL)
		return;
	message_id_format(&message->id, id);
	admin_suppress(app->admin, message->account, &entry, 1, on_suppressed, NULL);
}

static enum rc
make_dns(struct app *app, struct why *why)
{
	const struct config *config = app->now.config;
	struct mx_options options = { .port = (unsigned)config->delivery.port,
		.allow_private = config->delivery.allow_private,
		.self_name = config->hostname,
		.ipv4 = true,
		.ipv6 = true };

	app->resolver = resolver_unbound_new(app->core, config, why);
	if (app->resolver == NULL)
		return RC_LATER;
	app->mx = mx_cache_new(app->resolver, app->core, &options, MX_CACHE_MAX);
	return app->mx != NULL ? RC_OK : why_set(why, RC_LATER, 0, "out of memory for DNS");
}

static enum rc
make_spool(struct app *app, struct why *why)
{
	const struct config *config = app->now.config;
	struct spool_options options = { .directory = config->spool.directory,
		.segment_bytes = (uint64_t)config->spool.segment_bytes,
		.reserve_bytes = (uint64_t)config->spool.reserve_bytes,
		.threaded = true };

	return spool_open(&options, app->core, app->workers, &app->spool, why);
}

static enum rc
make_flow(struct app *app, struct why *why)
{
	struct queue_options queue = { .core = app->core,
		.loops = app->loops,
		.loop_count = app->loop_count,
		.workers = app->workers,
		.spool = app->spool,
		.mx = app->mx,
		.on_replayed = on_replayed,
		.is_suppressed = is_suppressed,
		.flow_settings = flow_settings,
		.on_failed = on_failed,
		.arg = app };
	struct submit_options submit = { .core = app->core,
		.workers = app->workers,
		.spool = app->spool,
		.accounts = app->accounts,
		.identities = app->identities,
		.sets = app->sets,
		.secret = secret_span(app) };
	enum rc rc = queue_new(&queue, app->now.config, app->now.tls_client, &app->queue, why);

	submit.queue = app->queue;
	if (rc == RC_OK)
		rc = submit_new(&submit, &app->submit, why);
	if (rc == RC_OK)
		submit_configure(app->submit, app->now.config, app->now.keys);
	return rc;
}

static enum rc
make_smtp(struct app *app, struct why *why)
{
	struct smtp_server_options options = { .core = app->core,
		.loops = app->loops,
		.loop_count = app->loop_count,
		.workers = app->workers,
		.spool = app->spool,
		.submit = app->submit,
		.credentials = app->credentials };
	enum rc rc = smtp_server_new(&options, &app->smtp, why);

	if (rc == RC_OK)
		rc = smtp_server_configure(
		    app->smtp, app->now.config, app->now.credentials, app->now.tls_server);
	return rc == RC_OK ? smtp_server_listen(app->smtp, notify_next_socket, NULL, why) : rc;
}

static void control_asks(void *arg, struct control_daemon *out);
static void control_reload(void *arg, control_reload_callback *callback, void *callback_arg);

static enum rc
make_control(struct app *app, struct why *why)
{
	const struct config *config = app->now.config;
	enum rc rc = RC_OK;
	struct control_context context = { .core = app->core,
		.workers = app->workers,
		.spool = app->spool,
		.accounts = app->accounts,
		.queue = app->queue,
		.submit = app->submit,
		.admin = app->admin,
		.identities = app->identities,
		.credentials = app->credentials,
		.sets = app->sets,
		.suppressions = app->suppressions,
		.store = app->store,
		.daemon = control_asks,
		.reload = control_reload,
		.arg = app };

	if (config->control.socket[0] != '\0')
		rc = control_new(&context, config->control.socket, (int)config->control.mode,
		    &app->control, why);
	if (rc == RC_OK && config->metrics.port != 0)
		rc = metrics_server_new(&context, config->metrics.address,
		    (int)config->metrics.port, &app->metrics, why);
	return rc;
}

/* 0 before the doors are open, too. */
static uint64_t
sessions(const struct app *app)
{
	return app->smtp != NULL ? smtp_server_sessions(app->smtp) : 0;
}

static enum rc apply(void *arg, struct snapshot *next, struct buf *restart);

static enum rc
make_all(struct app *app, struct why *why)
{
	size_t workers = app->now.config->workers > 0 ? (size_t)app->now.config->workers : cores();
	enum rc rc;

	app->core = loop_new("core", why);
	if (app->core == NULL)
		return RC_LATER;
	app->workers = worker_pool_new((unsigned)workers, WORKER_QUEUE, why);
	if (app->workers == NULL)
		return RC_LATER;
	loop_rest_while(app->core, workers_are_behind, app->workers);
	app->reloader.options = app->options;
	app->reloader.core = app->core;
	app->reloader.workers = app->workers;
	app->reloader.apply = apply;
	app->reloader.arg = app;
	rc = start_loops(app, why);
	if (rc == RC_OK)
		rc = load_secret(app, why);
	if (rc == RC_OK) {
		event_configure(app->now.config->log.recipients, secret_span(app));
		rc = make_spool(app, why);
	}
	if (rc == RC_OK)
		rc = accounts_new(
		    app->core, app->workers, app->now.config->state_directory, &app->accounts, why);
	if (rc == RC_OK)
		rc = make_objects(app, why);
	if (rc == RC_OK)
		rc = make_dns(app, why);
	if (rc == RC_OK)
		rc = make_flow(app, why);
	if (rc == RC_OK)
		rc = spool_replay_begin(app->spool, &queue_replay_ops, app->queue, why);
	if (rc == RC_OK)
		queue_start(app->queue);
	return rc;
}

/* ------------------------------------------------------------------ reload -------------------- */

static enum rc
apply(void *arg, struct snapshot *next, struct buf *restart)
{
	struct app *app = arg;
	struct why why = WHY_EMPTY;

	if (app->smtp != NULL && smtp_server_configure(app->smtp, next->config, next->credentials,
				     next->tls_server) != RC_OK)
		return RC_LATER;
	if (use_objects(app, next, &why) != RC_OK)
		log_line(LOG_LEVEL_ERROR, "config", "%s", why.text);
	submit_configure(app->submit, next->config, next->keys);
	if (mx_cache_set_self_name(app->mx, next->config->hostname) != RC_OK)
		log_line(
		    LOG_LEVEL_ERROR, "config", "out of memory: MX lookups know the old host name");
	queue_configure(app->queue, next->config, next->tls_client);
	spool_set_reserve(app->spool, (uint64_t)next->config->spool.reserve_bytes);
	event_configure(next->config->log.recipients, secret_span(app));
	log_open(next->config->log.sink, next->config->log.level);
	config_diff_restart(app->now.config, next->config, restart);
	snapshot_free(&app->now);
	app->now = *next;
	*next = (struct snapshot){ 0 };
	return RC_OK;
}

/* Certificates that were replaced are taken up without being asked. */
static void
on_tls_look(void *arg)
{
	struct app *app = arg;

	timer_set(&app->tls_timer, TLS_LOOK_MS);
	if (tls_server_files_stamp(app->now.config) != app->now.tls_stamp) {
		log_line(LOG_LEVEL_INFO, "config", "certificate files have changed: reloading");
		app->now.tls_stamp = tls_server_files_stamp(app->now.config);
		reload_begin(&app->reloader);
	}
}

/* ------------------------------------------------------------------ control socket ------------ */

static void
control_asks(void *arg, struct control_daemon *out)
{
	const struct app *app = arg;

	*out = (struct control_daemon){ .config = app->now.config,
		.config_path = app->options->path,
		.started_ms = app->started_ms,
		.sessions = sessions(app),
		.reload_ms = app->reloader.last_ms,
		.reload_rc = app->reloader.last_rc,
		.reload_text = buf_span(&app->reloader.last_text) };
}

static void
control_reload(void *arg, control_reload_callback *callback, void *callback_arg)
{
	struct app *app = arg;

	reload_and_tell(&app->reloader, callback, callback_arg);
}

/* ------------------------------------------------------------------ status -------------------- */

static void
on_status(void *arg)
{
	struct app *app = arg;
	struct queue_stats stats;
	struct spool_stats spool;
	uint64_t sent = event_count(EVENT_SEND);

	queue_stats(app->queue, &stats);
	spool_stats(app->spool, &spool);
	notify_send("STATUS=%s%llu/s in, %llu queued, %llu deferred, %llu sessions",
	    spool.failing ? "NO MAIL IS TAKEN IN: the spool cannot be written; " : "",
	    (unsigned long long)((sent - app->sent_before) * 1000 / STATUS_MS),
	    (unsigned long long)stats.messages, (unsigned long long)stats.items_deferred,
	    (unsigned long long)sessions(app));
	app->sent_before = sent;
	timer_set(&app->status_timer, STATUS_MS);
}

/* ------------------------------------------------------------------ stop ---------------------- */

static void
check_stopped(struct app *app)
{
	if (app->sessions_over && app->control_idle && app->queue_idle)
		loop_stop(app->core);
}

static void
on_queue_idle(void *arg)
{
	struct app *app = arg;

	app->queue_idle = true;
	check_stopped(app);
}

static void
on_sessions_over(void *arg)
{
	struct app *app = arg;

	/* Nothing new can come in: what is stored now is stored. */
	app->sessions_over = true;
	check_stopped(app);
}

static void
on_control_idle(void *arg)
{
	struct app *app = arg;

	app->control_idle = true;
	check_stopped(app);
}

static void
on_stop_deadline(void *arg)
{
	struct app *app = arg;

	log_line(
	    LOG_LEVEL_WARNING, "master", "stopping: some sessions or attempts did not end in time");
	if (app->cut) {
		loop_stop(app->core);
		return;
	}
	app->cut = true;
	if (app->smtp != NULL)
		smtp_server_cut(app->smtp);
	submit_cut(app->submit);
	queue_cut(app->queue);
	timer_set(&app->stop_timer, CUT_MS);
}

static void
begin_stop(struct app *app)
{
	if (app->stopping)
		return;
	app->stopping = true;
	log_line(LOG_LEVEL_INFO, "master", "stopping");
	notify_send("STOPPING=1");
	reloader_close(&app->reloader);
	timer_cancel(&app->tls_timer);
	timer_cancel(&app->drain_timer);
	timer_cancel(&app->replay_timer);
	timer_set(&app->stop_timer, STOP_MS);
	if (app->control != NULL)
		control_stop(app->control, on_control_idle, app);
	else
		app->control_idle = true;
	if (app->smtp != NULL)
		smtp_server_stop(app->smtp, on_sessions_over, app);
	else
		app->sessions_over = true;
	submit_stop(app->submit);
	queue_stop(app->queue, on_queue_idle, app);
}

/* ------------------------------------------------------------------ drain --------------------- */

static void
nothing_to_do(void *arg)
{
	(void)arg; /* on_drain_look sees it */
}

/* Accept nothing any more, deliver what is due, then stop. Deferred messages stay in the spool. */
static void
on_drain_look(void *arg)
{
	struct app *app = arg;
	struct queue_stats stats;

	queue_stats(app->queue, &stats);
	if (app->replayed && sessions(app) == 0 && stats.items_ready == 0 &&
	    stats.items_active == 0)
		begin_stop(app);
	else
		timer_set(&app->drain_timer, DRAIN_LOOK_MS);
}

static void
begin_drain(struct app *app)
{
	if (app->stopping || app->draining)
		return;
	app->draining = true;
	log_line(LOG_LEVEL_INFO, "master", "draining: nothing is accepted any more");
	if (app->smtp != NULL)
		smtp_server_stop(app->smtp, nothing_to_do, app);
	timer_set(&app->drain_timer, DRAIN_LOOK_MS);
}

/* ------------------------------------------------------------------ signals ------------------- */

static void
log_state(struct app *app)
{
	struct queue_stats queue;
	struct spool_stats spool;

	queue_stats(app->queue, &queue);
	spool_stats(app->spool, &spool);
	log_line(LOG_LEVEL_INFO, "master",
	    "state: messages=%llu ready=%llu active=%llu deferred=%llu channels=%llu sites=%llu "
	    "sessions=%llu segments=%llu live_bytes=%llu disk_free=%llu worker_queue=%zu",
	    (unsigned long long)queue.messages, (unsigned long long)queue.items_ready,
	    (unsigned long long)queue.items_active, (unsigned long long)queue.items_deferred,
	    (unsigned long long)queue.channels, (unsigned long long)queue.sites,
	    (unsigned long long)sessions(app), (unsigned long long)spool.segments,
	    (unsigned long long)spool.live_bytes, (unsigned long long)spool.disk_free,
	    worker_queued(app->workers));
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct app *app = arg;

	(void)what;
	switch (number) {
	case SIGHUP:
		reload_begin(&app->reloader);
		break;
	case SIGQUIT:
		begin_drain(app);
		break;
	case SIGUSR1:
		log_open(app->now.config->log.sink, app->now.config->log.level);
		break;
	case SIGUSR2:
		log_state(app);
		break;
	default:
		begin_stop(app);
	}
}

static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS };
static struct sigaction fault_before[ARRAY_LEN(faults)]; /* a sanitizer's, in test builds */

/* A bug: what was under way is noted for the next start, then the signal does what it would have done. */
static void
on_fault(int number)
{
	spool_note_fault();
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (faults[i] == number)
			(void)sigaction(number, &fault_before[i], NULL);
	(void)raise(number);
}

static void
watch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };

	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		(void)sigaction(faults[i], &action, &fault_before[i]);
}

static enum rc
watch_signals(struct app *app, struct why *why)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct event *event =
		    evsignal_new(loop_base(app->core), numbers[i], on_signal, app);

		if (event == NULL || event_add(event, NULL) != 0)
			return why_set(why, RC_LATER, 0, "cannot watch signals");
		app->signals[app->signal_count++] = event;
	}
	return RC_OK;
}

/* ------------------------------------------------------------------ replay, doors ------------- */

static int
exit_status(enum rc rc, const struct why *why)
{
	switch (rc) {
	case RC_OK:
		return EX_OK;
	case RC_DENY:
		return why->err == EACCES || why->err == EPERM ? EX_NOPERM : EX_TEMPFAIL;
	case RC_BAD:
		return EX_CONFIG;
	default:
		return why->err == EACCES || why->err == EPERM ? EX_NOPERM : EX_OSERR;
	}
}

static void
cannot_start(struct app *app, enum rc rc, const struct why *why)
{
	log_line(LOG_LEVEL_ERROR, "master", "cannot start: %s", why->text);
	app->status = exit_status(rc, why);
}

/* Mail and questions may come. */
static enum rc
open_doors(struct app *app, struct why *why)
{
	enum rc rc = make_smtp(app, why);

	if (rc == RC_OK)
		rc = make_control(app, why);
	if (rc != RC_OK)
		return rc;
	if (notify_close_rest() > 0)
		log_line(LOG_LEVEL_WARNING, "master",
		    "the service manager passed sockets that no listener asked for");
	timer_set(&app->status_timer, STATUS_MS);
	log_line(LOG_LEVEL_INFO, "master", "ready: version=%s loops=%zu", VERSION, app->loop_count);
	notify_send("READY=1");
	log_flush();
	return RC_OK;
}

static void
on_replay_step(void *arg)
{
	struct app *app = arg;
	struct spool_replay_report report;
	struct why why = WHY_EMPTY;
	enum rc rc = spool_replay_step(app->spool, REPLAY_STEP, &report, &why);

	if (rc == RC_MORE) {
		if (why.text[0] != '\0')
			log_line(LOG_LEVEL_ERROR, "master", "%s: tried again", why.text);
		timer_set(&app->replay_timer, why.text[0] != '\0' ? REPLAY_RETRY_MS : 0);
		return;
	}
	log_line(LOG_LEVEL_INFO, "spool",
	    "replayed: segments=%llu messages=%llu waiting=%llu damaged=%llu digests=%llu "
	    "held=%llu ms=%lld",
	    (unsigned long long)report.segments, (unsigned long long)report.messages,
	    (unsigned long long)report.live, (unsigned long long)report.damaged,
	    (unsigned long long)report.digests, (unsigned long long)report.poisoned,
	    (long long)report.took_ms);
	app->replayed = true;
	accounts_replayed(app->accounts);
	rc = app->draining ? RC_OK : open_doors(app, &why);
	if (rc != RC_OK) {
		cannot_start(app, rc, &why);
		begin_stop(app);
	}
}

/* ------------------------------------------------------------------ all of it ----------------- */

static void
free_all(struct app *app)
{
	metrics_server_free(app->metrics);
	control_free(app->control);
	if (app->submit !=
	    NULL) { /* what waits for a filter has its answer while the sessions are there */
		submit_cut(app->submit);
		(void)loop_run_posted(app->core);
	}
	stop_loops(app); /* their last messages run: sessions and channels go */
	if (app->core != NULL) {
		timer_cancel(&app->stop_timer);
		timer_cancel(&app->drain_timer);
		timer_cancel(&app->tls_timer);
		timer_cancel(&app->status_timer);
		timer_cancel(&app->replay_timer);
		watchdog_stop(&app->watchdog);
	}
	store_close(app->store);
	while (app->core != NULL && loop_run_posted(app->core) > 0)
		continue; /* what became of changes, while those are there whom it concerns */
	worker_pool_free(app->workers); /* finishes jobs; their results run below */
	if (app->spool != NULL)
		spool_close(app->spool);
	smtp_server_free(app->smtp);
	submit_free(app->submit);
	queue_free(app->queue);
	mx_cache_free(app->mx);
	resolver_free(app->resolver);
	accounts_free(app->accounts);
	identities_free(app->identities);
	config_sets_free(app->sets);
	credentials_free(app->credentials);
	suppressions_free(app->suppressions);
	admin_free(app->admin);
	for (size_t i = 0; i < app->signal_count; i++)
		event_free(app->signals[i]);
	loop_free(app->core);
	snapshot_free(&app->now);
	reloader_free(&app->reloader);
	crypto_wipe(app->secret, sizeof app->secret);
}

int
app_run(const struct snapshot_options *options, struct snapshot *snapshot)
{
	struct app app = { .options = options, .now = *snapshot, .started_ms = clock_wall_ms() };
	struct why why = WHY_EMPTY;
	enum rc rc;

	*snapshot = (struct snapshot){ 0 };
	log_open(app.now.config->log.sink, app.now.config->log.level);
	log_defer(true);
	reloader_init(&app.reloader);
	watch_faults();
	rc = make_all(&app, &why);
	if (rc == RC_OK)
		rc = watch_signals(&app, &why);
	if (rc != RC_OK) {
		cannot_start(&app, rc, &why);
		free_all(&app);
		log_close();
		return app.status;
	}
	timer_init(&app.stop_timer, app.core, on_stop_deadline, &app);
	timer_init(&app.drain_timer, app.core, on_drain_look, &app);
	timer_init(&app.tls_timer, app.core, on_tls_look, &app);
	timer_init(&app.status_timer, app.core, on_status, &app);
	timer_set(&app.tls_timer, TLS_LOOK_MS);
	timer_init(&app.replay_timer, app.core, on_replay_step, &app);
	timer_set(&app.replay_timer, 0);
	app.watchdog = (struct watchdog){ .core = app.core,
		.loops = app.loops,
		.loop_count = app.loop_count,
		.workers = app.workers };
	watchdog_start(&app.watchdog);
	loop_run(app.core);
	free_all(&app);
	log_line(LOG_LEVEL_INFO, "master", "stopped");
	log_close();
	return app.status;
}
