/* queue/destination.c - where recipients are, and which hosts are asked to take their mail.
 *
 * A destination's hosts are looked up when something is ready for it, and again when they are too old; until they are
 * known its streams are attached to no lane. What needs no host (a mailbox of the simulator, a domain that does not
 * exist) goes by the lane of the local site, so that it is bounded and fair, too.
 *
 * Always true: a destination whose streams have ready items and no lane has a lookup under way, a timer set, or is in
 * queue->later. */
#include "config.h"

#include "queue/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

enum {
	NO_MEMORY_MS = 2000,
	HOSTS_LEAST_MS = 1000, /* a result counts that long, whatever it says */
	KEY_MAX = 1100	       /* a domain, or a name of a route: both are bounded far below */
};

/* ------------------------------------------------------------------ routes and names ---------- */

static bool
route_matches(const struct config_route *route, struct span domain)
{
	struct span pattern = span_of(route->destination);

	if (span_eq(pattern, SPAN_LIT("*")))
		return true;
	if (span_starts(pattern, SPAN_LIT(".")))
		return span_iends(domain, pattern) || span_ieq(domain, span_skip(pattern, 1));
	return span_ieq(domain, pattern);
}

static const struct config_route *
route_for(const struct config *config, struct span domain)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (route_matches(&config->routes[i], domain))
			return &config->routes[i];
	return NULL;
}

static const struct config_route *
route_by_name(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (strcmp(config->routes[i].name, name) == 0)
			return &config->routes[i];
	return NULL;
}

/* Into `out`; the length. A longer domain is none, and shares its destination with those that begin alike. */
static size_t
make_key(enum destination_kind kind, const struct config_route *route, struct span domain,
    char out[KEY_MAX])
{
	size_t len = domain.len < KEY_MAX ? domain.len : KEY_MAX - 1;

	if (kind != DESTINATION_REMOTE) {
		(void)snprintf(out, KEY_MAX, "%s",
		    kind == DESTINATION_SIMULATOR ? "!simulator" : "!suppressed");
		return strlen(out);
	}
	if (route != NULL && route->host[0] != '\0') {
		(void)snprintf(out, KEY_MAX, "=%s", route->name);
		return strlen(out);
	}
	for (size_t i = 0; i < len; i++)
		out[i] = ascii_lower(domain.p[i]);
	return len;
}

static void
on_retry(void *arg)
{
	destination_run_later(arg);
}

static struct destination *
destination_get(struct queue *queue, enum destination_kind kind, struct span name)
{
	struct destination *d = map_get(&queue->destinations, name);
	char *key;

	if (d != NULL)
		return d;
	key = span_dup(name);
	d = key != NULL ? calloc(1, sizeof *d) : NULL;
	if (d == NULL || map_put(&queue->destinations, span_of(key), d) != RC_OK) {
		free(d);
		free(key);
		return NULL;
	}
	d->queue = queue;
	d->kind = kind;
	d->key = key;
	list_init(&d->streams);
	list_init(&d->later);
	timer_init(&d->retry, queue->options.core, on_retry, d);
	return d;
}

struct destination *
destination_for(struct queue *queue, const struct message *message, const char *address)
{
	enum destination_kind kind = known_kind(queue, message, address);
	struct span all = span_of(address), domain = span_skip(all, span_find_last(all, '@') + 1);
	char text[KEY_MAX];
	size_t len = make_key(kind, route_for(queue->config, domain), domain, text);

	return destination_get(queue, kind, span_make(text, len));
}

/* ------------------------------------------------------------------ pauses -------------------- */

bool
destination_is_paused(const struct destination *d)
{
	return d->paused_until_ms > clock_mono_ms();
}

enum rc
queue_pause(struct queue *queue, const char *name, int64_t for_ms, const char *reason)
{
	struct destination *d = destination_get(queue, DESTINATION_REMOTE, span_of(name));
	char *copy = span_dup(span_of(reason));

	if (d == NULL || copy == NULL) {
		free(copy);
		return RC_LATER;
	}
	free(d->pause_reason);
	d->pause_reason = copy;
	d->paused_until_ms = clock_mono_ms() + for_ms;
	return RC_OK;
}

bool
queue_resume(struct queue *queue, const char *name)
{
	struct destination *d = map_get(&queue->destinations, span_of(name));

	if (d == NULL || !destination_is_paused(d))
		return false;
	d->paused_until_ms = 0;
	return true;
}

/* ------------------------------------------------------------------ hosts --------------------- */

void
destination_drop_hosts(struct destination *d)
{
	mx_result_unref(d->hosts);
	d->hosts = NULL;
}

bool
destination_has_hosts(const struct destination *d)
{
	return d->hosts != NULL && d->hosts_until_ms > clock_mono_ms();
}

static void
set_exchange(struct destination *d, struct exchange *exchange)
{
	if (d->exchange != NULL)
		d->exchange->destinations--;
	d->exchange = exchange;
	if (exchange != NULL)
		exchange->destinations++;
}

static void
run(struct destination *d)
{
	LIST_FOREACH (node, &d->streams)
		stream_run(container_of(node, struct stream, of_destination));
}

/* Streams whose lane is that of other hosts leave it. */
static void
detach_all(struct destination *d)
{
	LIST_FOREACH (node, &d->streams)
		fair_detach(&container_of(node, struct stream, of_destination)->fair);
}

static void
on_hosts(void *arg, struct mx_result *result)
{
	struct destination *d = arg;
	int64_t least_ms = clock_mono_ms() + HOSTS_LEAST_MS;
	struct exchange *old = d->exchange;

	d->lookup = NULL;
	destination_drop_hosts(d);
	d->hosts = mx_result_ref(result);
	d->hosts_until_ms = result->expires_ms > least_ms ? result->expires_ms : least_ms;
	mx_result_unref(result);
	set_exchange(d, d->hosts->status == MX_OK ? exchange_get(d->queue, d) : NULL);
	if (d->exchange != old)
		detach_all(d);
	if (d->hosts->status == MX_OK && d->exchange == NULL) { /* out of memory */
		destination_drop_hosts(d);
		timer_set(&d->retry, NO_MEMORY_MS);
		return;
	}
	run(d);
}

static void
find_route(struct destination *d)
{
	if (d->has_route)
		return;
	d->route = d->key[0] == '=' ? route_by_name(d->queue->config, d->key + 1)
				    : route_for(d->queue->config, span_of(d->key));
	d->has_route = true;
}

static void
look_up(struct destination *d)
{
	const struct config *config = d->queue->config;
	const struct config_route *route;
	bool smarthost;
	int64_t port;

	if (d->lookup != NULL || d->queue->stopping)
		return;
	find_route(d);
	route = d->route;
	smarthost = route != NULL && route->host[0] != '\0';
	port = route != NULL && route->port > 0 ? route->port : config->delivery.port;
	d->lookup = mx_cache_lookup(d->queue->options.mx, smarthost ? route->host : d->key,
	    smarthost, (unsigned)port,
	    config->delivery.allow_private || (route != NULL && route->allow_private), on_hosts, d);
	if (d->lookup == NULL)
		timer_set(&d->retry, NO_MEMORY_MS);
}

/* ------------------------------------------------------------------ the place of streams ------ */

/* The first of its items was given its stream under an older configuration, and may belong elsewhere: only its message
 * can tell, so it is read. */
static bool
begins_with_old(const struct stream *stream)
{
	for (int kind = 0; kind < FAIR_KINDS; kind++) {
		const struct list *items = &stream->fair.sides[kind].items;

		if (!list_is_empty(items) &&
		    container_of(items->next, struct queue_item, node)->generation !=
			item_destination(container_of(items->next, struct queue_item, node))
			    ->queue->generation)
			return true;
	}
	return false;
}

/* NULL: hosts are to be looked up first. */
static struct site *
site_of(const struct stream *stream)
{
	const struct destination *d = stream->key.destination;

	if (d->kind != DESTINATION_REMOTE)
		return d->queue->local;
	if (destination_has_hosts(d))
		return d->exchange != NULL ? d->exchange->site : d->queue->local;
	return begins_with_old(stream) ? d->queue->local : NULL;
}

void
destination_await_hosts(struct stream *stream)
{
	fair_detach(&stream->fair);
	look_up(stream->key.destination);
}

void
destination_place(struct stream *stream)
{
	struct destination *d = stream->key.destination;
	struct site *site = site_of(stream);
	struct lane *lane;

	if (site == NULL) {
		destination_await_hosts(stream);
		return;
	}
	fair_detach(&stream->fair);
	lane = lane_get(site, site->is_local ? pool_find(d->queue, "") : stream->key.flow->pool);
	if (lane == NULL || fair_attach(&stream->fair, &lane->fair, stream->key.flow->account,
				stream->key.flow->is_bulk) != RC_OK)
		timer_set(&d->retry, NO_MEMORY_MS);
}

void
destination_run_later(struct destination *d)
{
	struct queue *queue = d->queue;

	if (!list_is_empty(&d->later))
		return;
	list_add_tail(&queue->later, &d->later);
	timer_set(&queue->later_timer, 0);
}

void
destinations_run_later(void *arg)
{
	struct queue *queue = arg;
	struct list *node;

	while ((node = list_pop(&queue->later)) != NULL)
		run(container_of(node, struct destination, later));
}

/* ------------------------------------------------------------------ all of them --------------- */

static void
stop_lookup(struct destination *d)
{
	if (d->lookup != NULL)
		mx_cache_cancel(d->queue->options.mx, d->lookup);
	d->lookup = NULL;
}

void
destinations_reconfigure(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->destinations) {
		struct destination *d = slot->value;

		d->has_route = false;
		stop_lookup(d); /* they may be those of a route that is gone */
		destination_drop_hosts(d);
		detach_all(d);
		destination_run_later(d);
	}
}

static void
destination_free(struct destination *d)
{
	set_exchange(d, NULL);
	destination_drop_hosts(d);
	timer_cancel(&d->retry);
	list_del(&d->later);
	free(d->pause_reason);
	free(d->key);
	free(d);
}

/* After streams_sweep. A domain that comes back gets a new one. */
void
destinations_sweep(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->destinations) {
		struct destination *d = slot->value;

		if (!list_is_empty(&d->streams) || d->lookup != NULL || timer_is_set(&d->retry) ||
		    destination_is_paused(d) || !list_is_empty(&d->later))
			continue;
		(void)map_del(&queue->destinations, span_of(d->key));
		destination_free(d);
	}
}

void
destinations_stop_lookups(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->destinations)
		stop_lookup(slot->value);
}

void
destinations_free(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->destinations)
		destination_free(slot->value);
	map_free(&queue->destinations);
}
