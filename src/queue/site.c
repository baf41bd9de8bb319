/* queue/site.c - the hosts of one provider: what fails together, and how much it takes.
 *
 * Destinations whose mail goes first to hosts of the same names share an exchange and its site, so that a site has one
 * number of connections however many domains it serves. */
#include "config.h"

#include "queue/internal.h"

#include <stdlib.h>
#include <string.h>

#include "queue/retry.h"
#include "util/clock.h"
#include "util/crypto.h"

enum {
	PAUSE_AFTER_FAILURES = 3,
	PAUSE_MIN_MS = 10000,
	PAUSE_MAX_MS = 300000,
	PROBE_MS = 2000, /* others wait that long for the outcome of the one that tries */
	KEEP_LEARNED_MS = 3600000,
	LOCAL_LIMIT = 100
};

/* ------------------------------------------------------------------ sites --------------------- */

static struct site *
site_new(struct queue *queue, struct span key)
{
	struct site *site = calloc(1, sizeof *site);

	if (site == NULL)
		return NULL;
	site->key = span_dup(key);
	if (site->key == NULL || map_put(&queue->sites, span_of(site->key), site) != RC_OK) {
		free(site->key);
		free(site);
		return NULL;
	}
	site->queue = queue;
	list_init(&site->lanes);
	list_init(&site->paths);
	return site;
}

enum rc
sites_open(struct queue *queue)
{
	queue->local = site_new(queue, SPAN_LIT("!local"));
	if (queue->local == NULL)
		return RC_LATER;
	queue->local->is_local = true;
	return RC_OK;
}

/* ------------------------------------------------------------------ exchanges ----------------- */

/* The names of the hosts that mail goes to first, sorted and by commas: their order is random. */
static void
add_names(const struct mx_result *hosts, struct buf *out)
{
	const char *last = "";

	for (;;) {
		const char *next = NULL;

		for (size_t i = 0;
		     i < hosts->count && hosts->hosts[i].preference == hosts->hosts[0].preference;
		     i++) {
			const char *name = hosts->hosts[i].name;

			if (strcasecmp(name, last) > 0 &&
			    (next == NULL || strcasecmp(name, next) < 0))
				next = name;
		}
		if (next == NULL)
			return;
		if (buf_len(out) > 0)
			buf_add_char(out, ',');
		for (const char *c = next; *c != '\0'; c++)
			buf_add_char(out, ascii_lower(*c));
		last = next;
	}
}

static void
on_pause_over(void *arg)
{
	site_run(((struct exchange *)arg)->site);
}

static struct exchange *
exchange_new(struct site *site, struct span key)
{
	struct exchange *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->key = span_dup(key);
	if (e->key == NULL || map_put(&site->exchanges, span_of(e->key), e) != RC_OK) {
		free(e->key);
		free(e);
		return NULL;
	}
	e->site = site;
	timer_init(&e->pause, site->queue->options.core, on_pause_over, e);
	return e;
}

struct exchange *
exchange_get(struct queue *queue, const struct destination *d)
{
	struct buf key = BUF_EMPTY;
	struct exchange *e = NULL;
	struct site *site;

	if (d->key[0] == '=')
		buf_add_span(&key, span_of(d->key));
	else
		add_names(d->hosts, &key);
	site = !key.failed ? map_get(&queue->sites, buf_span(&key)) : NULL;
	if (site == NULL && !key.failed)
		site = site_new(queue, buf_span(&key));
	if (site != NULL)
		e = map_get(&site->exchanges, buf_span(&key));
	if (site != NULL && e == NULL)
		e = exchange_new(site, buf_span(&key));
	buf_free(&key);
	return e;
}

bool
exchange_is_ready(const struct exchange *e)
{
	/* After failures one attempt at a time tells whether the hosts are back. */
	return !timer_is_set(&e->pause) && (e->failures < PAUSE_AFTER_FAILURES || e->active == 0);
}

int64_t
exchange_wait_ms(const struct exchange *e)
{
	int64_t left_ms = timer_is_set(&e->pause) ? e->pause_until_ms - clock_mono_ms() : 0;

	return left_ms > PROBE_MS ? left_ms : PROBE_MS;
}

static void
note_failure(struct exchange *e, const struct outcome *outcome)
{
	if (e->last == NULL)
		e->last = malloc(sizeof *e->last);
	if (e->last != NULL)
		*e->last = *outcome;
}

/* A host that cannot be reached is not asked for every message that waits for it. */
void
exchange_judge(struct exchange *e, const struct attempt *attempt)
{
	int64_t pause_ms;
	uint32_t random;

	if (attempt->report.transmit_us > 0) {
		exchange_forgive(e);
		return;
	}
	note_failure(e, &attempt->recipients[0].outcome);
	if (++e->failures < PAUSE_AFTER_FAILURES)
		return;
	crypto_random(&random, sizeof random);
	pause_ms = retry_delay_ms(
	    e->failures - PAUSE_AFTER_FAILURES + 1, PAUSE_MIN_MS, PAUSE_MAX_MS, random);
	e->pause_until_ms = clock_mono_ms() + pause_ms;
	timer_set(&e->pause, pause_ms);
}

void
exchange_forgive(struct exchange *e)
{
	if (e == NULL)
		return;
	e->failures = 0;
	free(e->last);
	e->last = NULL;
	timer_cancel(&e->pause);
}

static void
exchange_free(struct exchange *e)
{
	timer_cancel(&e->pause);
	free(e->last);
	free(e->key);
	free(e);
}

/* ------------------------------------------------------------------ lanes and paths ----------- */

static struct learn_bounds
bounds_of(const struct site *site)
{
	const struct config *config = site->queue->config;

	return (struct learn_bounds){ (unsigned)config->delivery.min_connections_per_site,
		(unsigned)config->delivery.max_connections_per_site };
}

static void
on_wait_over(void *arg)
{
	site_run(((struct path *)arg)->site);
}

/* One that is new is not to catch up with the others. */
static double
least_begun(const struct site *site)
{
	double least = 0;

	LIST_FOREACH (node, &site->paths) {
		const struct path *path = container_of(node, struct path, node);

		if (node == site->paths.next || path->begun < least)
			least = path->begun;
	}
	return least;
}

static struct path *
path_get(struct site *site, struct source *source)
{
	struct learn_bounds bounds = bounds_of(site);
	struct path *path;

	LIST_FOREACH (node, &site->paths) {
		path = container_of(node, struct path, node);
		if (path->source == source)
			return path;
	}
	path = calloc(1, sizeof *path);
	if (path == NULL)
		return NULL;
	path->site = site;
	path->source = source;
	path->begun = least_begun(site);
	list_init(&path->idle);
	learn_init(&path->learned, &bounds);
	timer_init(&path->wait, site->queue->options.core, on_wait_over, path);
	list_add_tail(&site->paths, &path->node);
	return path;
}

struct lane *
lane_get(struct site *site, struct pool *pool)
{
	struct lane *lane;

	LIST_FOREACH (node, &site->lanes) {
		lane = container_of(node, struct lane, node);
		if (lane->pool == pool)
			return lane;
	}
	for (size_t i = 0; i < pool->count; i++)
		if (path_get(site, pool->sources[i]) == NULL)
			return NULL;
	lane = calloc(1, sizeof *lane);
	if (lane == NULL)
		return NULL;
	fair_lane_init(&lane->fair);
	lane->site = site;
	lane->pool = pool;
	list_add_tail(&site->lanes, &lane->node);
	return lane;
}

/* Whether the path may have another attempt; when only time is missing, its timer is set. */
static bool
path_is_free(struct path *path, size_t limit)
{
	int64_t wait_ms;

	if (path->active >= limit)
		return false;
	if (!list_is_empty(&path->idle) || path->site->is_local)
		return true;
	wait_ms = learn_wait_ms(&path->learned, clock_mono_ms());
	if (wait_ms > 0 && !timer_is_set(&path->wait))
		timer_set(&path->wait, wait_ms);
	return wait_ms == 0;
}

struct path *
lane_path(struct lane *lane, size_t *limit)
{
	struct path *best = NULL;

	*limit = 0;
	for (size_t i = 0; i < lane->pool->count; i++) {
		struct path *path = path_get(lane->site, lane->pool->sources[i]);
		size_t of_path;

		if (path == NULL)
			continue; /* out of memory: by the others */
		of_path = lane->site->is_local ? LOCAL_LIMIT : learn_limit(&path->learned);
		*limit += of_path;
		if (path_is_free(path, of_path) && (best == NULL || path->begun < best->begun))
			best = path;
	}
	return best;
}

void
path_count(struct path *path)
{
	path->begun += 1.0 / path->source->weight;
}

static bool
asks_for_less(const struct outcome *outcome)
{
	return outcome->kind == OUTCOME_DEFERRED && outcome->remote &&
	       (outcome->code == 421 || outcome->failure == FAILURE_RATE_LIMITED);
}

static bool
any_asks_for_less(const struct attempt *attempt)
{
	for (size_t i = 0; i < attempt->count; i++)
		if (asks_for_less(&attempt->recipients[i].outcome))
			return true;
	return false;
}

void
path_judge(struct path *path, struct slot *slot, const struct attempt *attempt)
{
	const struct attempt_report *report = &attempt->report;
	struct learn_bounds bounds = bounds_of(path->site);
	int64_t now_ms = clock_mono_ms();
	bool busy = path->active >= learn_limit(&path->learned);
	unsigned others;

	path->used_ms = now_ms;
	path->open -= slot->is_open;
	others = (unsigned)path->open;
	slot->is_open = report->kept;
	path->open += slot->is_open;
	if (report->transmit_us == 0) {
		learn_refused(&path->learned, &bounds, others, now_ms);
		return;
	}
	if (!report->reused)
		learn_connected(&path->learned, others + 1, now_ms);
	if (any_asks_for_less(attempt))
		learn_slow_down(&path->learned, &bounds, now_ms);
	else
		learn_success(&path->learned, &bounds, busy, now_ms);
}

/* ------------------------------------------------------------------ all of them --------------- */

void
sites_reconfigure(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->sites) {
		struct site *site = slot->value;
		struct learn_bounds bounds = bounds_of(site);

		LIST_FOREACH (node, &site->paths)
			learn_bound(&container_of(node, struct path, node)->learned, &bounds);
		MAP_FOREACH (each, &site->exchanges)
			exchange_forgive(each->value);
	}
}

static void
sweep_exchanges(struct site *site)
{
	MAP_FOREACH (slot, &site->exchanges) {
		struct exchange *e = slot->value;

		if (e->destinations > 0 || e->active > 0 || timer_is_set(&e->pause))
			continue;
		(void)map_del(&site->exchanges, span_of(e->key));
		exchange_free(e);
	}
}

static void
sweep_lanes(struct site *site)
{
	LIST_FOREACH_SAFE (node, &site->lanes) {
		struct lane *lane = container_of(node, struct lane, node);

		if (!fair_lane_is_idle(&lane->fair))
			continue;
		list_del(&lane->node);
		fair_lane_free(&lane->fair);
		free(lane);
	}
}

static void
path_free(struct path *path)
{
	timer_cancel(&path->wait);
	list_del(&path->node);
	free(path);
}

static void
sweep_paths(struct site *site)
{
	LIST_FOREACH_SAFE (node, &site->paths) {
		struct path *path = container_of(node, struct path, node);

		if (path->slots == 0 && path->active == 0 && !timer_is_set(&path->wait) &&
		    (path->learned.held_until_ms == 0 ||
			clock_mono_ms() - path->used_ms > KEEP_LEARNED_MS))
			path_free(path);
	}
}

static void
site_free(struct site *site)
{
	LIST_FOREACH_SAFE (node, &site->paths)
		path_free(container_of(node, struct path, node));
	LIST_FOREACH_SAFE (node, &site->lanes) {
		struct lane *lane = container_of(node, struct lane, node);

		fair_lane_free(&lane->fair);
		free(lane);
	}
	MAP_FOREACH (slot, &site->exchanges)
		exchange_free(slot->value);
	map_free(&site->exchanges);
	free(site->key);
	free(site);
}

void
sites_sweep(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->sites) {
		struct site *site = slot->value;

		if (site->is_local)
			continue;
		sweep_exchanges(site);
		sweep_lanes(site);
		if (list_is_empty(&site->lanes))
			sweep_paths(site);
		if (site->exchanges.len > 0 || !list_is_empty(&site->lanes) ||
		    !list_is_empty(&site->paths))
			continue;
		(void)map_del(&queue->sites, span_of(site->key));
		site_free(site);
	}
}

void
sites_free(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->sites)
		site_free(slot->value);
	map_free(&queue->sites);
}
