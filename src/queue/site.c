/* queue/site.c - one destination: its hosts, its connections, and which item goes next.
 *
 * In this order: the hosts are looked up; when they are known and a connection may be had, the item's message is read
 * (few are in memory, however long the queue); then it is tried, or settled by what the lookup said.
 *
 * Always true: `active` items (loading, or in an attempt) never exceed the limit of connections per destination, nor all
 * of them that of all connections; every active item ends in item_settle, item_put_back or item_make_ready. */
#include "config.h"

#include "queue/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/retry.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "util/log.h"

enum {
	PAUSE_AFTER_FAILURES = 3,
	PAUSE_MIN_MS = 10000,
	PAUSE_MAX_MS = 300000,
	NO_MEMORY_MS = 2000,
	HOSTS_LEAST_MS = 1000, /* a result counts that long, whatever it says */
	SITE_KEY_MAX = 1100    /* a domain, or a name of a route: both are bounded far below */
};

/* ------------------------------------------------------------------ routes and sites ---------- */

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

/* Into `out`; the length. A longer domain is none, and shares its site with those that begin alike. */
static size_t
site_key(enum site_kind kind, const struct config_route *route, struct span domain,
    char out[SITE_KEY_MAX])
{
	size_t len = domain.len < SITE_KEY_MAX ? domain.len : SITE_KEY_MAX - 1;

	if (kind != SITE_REMOTE) {
		(void)snprintf(
		    out, SITE_KEY_MAX, "%s", kind == SITE_SIMULATOR ? "!simulator" : "!suppressed");
		return strlen(out);
	}
	if (route != NULL && route->host[0] != '\0') {
		(void)snprintf(out, SITE_KEY_MAX, "=%s", route->name);
		return strlen(out);
	}
	for (size_t i = 0; i < len; i++)
		out[i] = ascii_lower(domain.p[i]);
	return len;
}

static void
on_pause_over(void *arg)
{
	site_run(arg);
}

struct site *
site_for(struct queue *queue, const struct message *message, const char *address)
{
	enum site_kind kind = known_kind(queue, message, address);
	struct span all = span_of(address), domain = span_skip(all, span_find_last(all, '@') + 1);
	const struct config_route *route = route_for(queue->config, domain);
	char text[SITE_KEY_MAX], *key;
	size_t len = site_key(kind, route, domain, text);
	struct site *site = map_get(&queue->sites, span_make(text, len));

	if (site != NULL)
		return site;
	key = span_dup(span_make(text, len));
	site = key != NULL ? calloc(1, sizeof *site) : NULL;
	if (site == NULL || map_put(&queue->sites, span_of(key), site) != RC_OK) {
		free(site);
		free(key);
		return NULL;
	}
	site->queue = queue;
	site->kind = kind;
	site->key = key;
	list_init(&site->ready);
	list_init(&site->idle);
	list_init(&site->starved);
	list_init(&site->later);
	timer_init(&site->pause, queue->options.core, on_pause_over, site);
	return site;
}

static const struct config_route *
route_by_name(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (strcmp(config->routes[i].name, name) == 0)
			return &config->routes[i];
	return NULL;
}

static void
drop_hosts(struct site *site)
{
	mx_result_unref(site->hosts);
	site->hosts = NULL;
}

/* The policy under the present configuration; false when memory is out. */
static bool
make_policy(struct site *site)
{
	struct queue *queue = site->queue;
	struct delivery_policy *policy;

	if (site->policy != NULL)
		return true;
	policy = calloc(1, sizeof *policy);
	if (policy == NULL)
		return false;
	policy->refs = 1;
	policy->config = config_ref(queue->config);
	policy->tls_client = tls_client_ref(queue->tls_client);
	policy->workers = queue->options.workers;
	policy->core = queue->options.core;
	site->route = site->key[0] == '=' ? route_by_name(queue->config, site->key + 1)
					  : route_for(queue->config, span_of(site->key));
	policy->tls = site->route != NULL ? site->route->tls : queue->config->delivery.tls;
	policy->username = span_dup(span_of(site->route != NULL ? site->route->username : ""));
	policy->password = span_dup(span_of(site->route != NULL ? site->route->password : ""));
	if (policy->username == NULL || policy->password == NULL) {
		delivery_policy_unref(policy);
		return false;
	}
	site->policy = policy;
	drop_hosts(site);
	return true;
}

/* ------------------------------------------------------------------ slots --------------------- */

/* Connections in use, and those that messages being loaded will want. */
static bool
has_capacity(const struct queue *queue)
{
	return queue->slots - queue->idle_count + queue->loading <
	       (size_t)queue->config->delivery.max_connections;
}

static void
slot_close(struct slot *slot)
{
	struct queue *queue = slot->site->queue;

	timer_cancel(&slot->idle_timer);
	queue->idle_count -= slot->is_idle;
	list_del(&slot->node);
	list_del(&slot->lru);
	if (!slot->cut)
		channel_close(slot->channel);
	slot->site->slots--;
	queue->slots--;
	free(slot);
}

static void
on_slot_idle(void *arg)
{
	slot_close(arg);
}

static struct slot *
slot_new(struct site *site)
{
	struct queue *queue = site->queue;
	struct loop *loop = queue->options.loops[queue->next_loop++ % queue->options.loop_count];
	struct slot *slot = calloc(1, sizeof *slot);

	if (slot == NULL)
		return NULL;
	slot->channel = channel_new(loop, site->policy);
	if (slot->channel == NULL) {
		free(slot);
		return NULL;
	}
	slot->site = site;
	slot->policy = site->policy;
	list_init(&slot->node);
	list_init(&slot->lru);
	timer_init(&slot->idle_timer, queue->options.core, on_slot_idle, slot);
	list_add_tail(&queue->busy_slots, &slot->lru);
	site->slots++;
	queue->slots++;
	return slot;
}

/* A slot for the site: its own idle one, a new one, or one taken from another site that does not need it. */
static struct slot *
slot_take(struct site *site)
{
	struct queue *queue = site->queue;
	struct list *node = list_pop(&site->idle);

	if (node != NULL) {
		struct slot *slot = container_of(node, struct slot, node);

		list_del(&slot->lru);
		list_add_tail(&queue->busy_slots, &slot->lru);
		timer_cancel(&slot->idle_timer);
		slot->is_idle = false;
		queue->idle_count--;
		return slot;
	}
	if (queue->slots >= (size_t)queue->config->delivery.max_connections) {
		struct list *oldest = queue->idle_slots.next;

		if (oldest == &queue->idle_slots)
			return NULL;
		slot_close(container_of(oldest, struct slot, lru));
	}
	return slot_new(site);
}

static void
slot_give_back(struct slot *slot, bool usable)
{
	struct queue *queue = slot->site->queue;

	if (!usable || queue->stopping) {
		slot_close(slot);
		return;
	}
	list_add_head(&slot->site->idle, &slot->node);
	list_del(&slot->lru);
	list_add_tail(&queue->idle_slots, &slot->lru);
	slot->is_idle = true;
	queue->idle_count++;
	timer_set(&slot->idle_timer, queue->config->delivery.idle_ms);
}

/* ------------------------------------------------------------------ attempts ------------------ */

struct running {
	struct queue_item *item;
	struct slot *slot;
	int64_t waited_us;
};

static void
pause_site(struct site *site)
{
	uint32_t random;

	crypto_random(&random, sizeof random);
	timer_set(&site->pause, retry_delay_ms(site->failures - PAUSE_AFTER_FAILURES + 1,
				    PAUSE_MIN_MS, PAUSE_MAX_MS, random));
}

/* A host that cannot be reached is not asked for every message that waits for it. */
static void
judge(struct site *site, const struct attempt *attempt)
{
	bool reached = attempt->report.transmit_us > 0;

	if (reached) {
		site->failures = 0;
		timer_cancel(&site->pause);
	} else if (++site->failures >= PAUSE_AFTER_FAILURES) {
		pause_site(site);
		drop_hosts(site); /* perhaps the hosts have changed */
	}
}

/* One after the other while a connection is free: the first may not need it after all, when its hosts are not found, and
 * nobody would come back for the others. */
static void
wake_starved(struct queue *queue)
{
	struct list *node;

	while (has_capacity(queue) && (node = list_pop(&queue->starved)) != NULL)
		site_run(container_of(node, struct site, starved));
}

void
queue_check_idle(struct queue *queue)
{
	if (!queue->stopping || queue->active > 0 || queue->on_idle == NULL ||
	    (!list_is_empty(&queue->reports) && !queue->cut))
		return;
	sites_close_channels(queue);
	queue->on_idle(queue->on_idle_arg);
	queue->on_idle = NULL;
}

static void
leave(struct site *site, unsigned work)
{
	site->active--;
	site->queue->active--;
	if (work != 0 && work == site->queue->suspect_work)
		site->queue->suspect_work = 0;
	if (site->queue->options.spool != NULL) /* NULL: at the end it goes first */
		spool_work_end(site->queue->options.spool, work);
}

static void
leave_active(struct queue_item *item)
{
	leave(item->site, item->work);
}

static void
on_attempt_done(struct attempt *attempt)
{
	struct running *running = attempt->owner;
	struct queue_item *item = running->item;
	struct site *site = running->slot->site;
	struct queue *queue = site->queue;

	slot_give_back(running->slot, running->slot->policy == site->policy);
	leave_active(item);
	judge(site, attempt);
	item_settle(item, attempt->message, attempt->index, attempt->recipients, attempt->count,
	    &attempt->report, running->waited_us);
	attempt_free(attempt);
	free(running);
	site_run(site);
	wake_starved(queue);
	queue_check_idle(queue);
}

static enum config_tls_policy
stricter(enum config_tls_policy site, int message)
{
	return message > (int)site ? (enum config_tls_policy)message : site;
}

/* ------------------------------------------------------------------ hosts --------------------- */

/* All open recipients of the item get their outcome without an attempt. */
static void
settle_all(struct queue_item *item, struct message *message,
    void (*outcome_of)(const struct site *site, const char *address, struct outcome *out))
{
	struct client_recipient *results = calloc(message->recipient_count, sizeof *results);
	uint8_t index[MESSAGE_RECIPIENTS_MAX];
	size_t count = 0;

	leave_active(item);
	if (results == NULL) {
		item_put_back(item, "out of memory");
		return;
	}
	for (size_t i = 0; i < message->recipient_count; i++)
		if (item_has(item, i)) {
			results[count].address = message->recipients[i].address;
			outcome_of(item->site, results[count].address, &results[count].outcome);
			index[count++] = (uint8_t)i;
		}
	item_settle(item, message, index, results, count, NULL, 0);
	free(results);
}

static void
outcome_of_hosts(const struct site *site, const char *address, struct outcome *out)
{
	const struct mx_result *hosts = site->hosts;
	static const struct {
		enum outcome_kind kind;
		int code;
		const char *status;
	} table[] = {
		[MX_NULL] = { OUTCOME_FAILED, 556, "5.1.10" },
		[MX_NO_DOMAIN] = { OUTCOME_FAILED, 550, "5.1.2" },
		[MX_NO_HOST] = { OUTCOME_FAILED, 550, "5.4.4" },
		[MX_LOOP] = { OUTCOME_FAILED, 554, "5.4.6" },
		[MX_FAILED] = { OUTCOME_DEFERRED, 421, "4.4.3" },
	};

	(void)address;
	out->kind = OUTCOME_NONE;
	outcome_set(out, table[hosts->status].kind, table[hosts->status].code,
	    table[hosts->status].status, hosts->why);
}

static void
on_hosts(void *arg, struct mx_result *result)
{
	struct site *site = arg;

	int64_t least_ms = clock_mono_ms() + HOSTS_LEAST_MS;

	site->lookup = NULL;
	drop_hosts(site);
	site->hosts = mx_result_ref(result);
	site->hosts_until_ms = result->expires_ms > least_ms ? result->expires_ms : least_ms;
	mx_result_unref(result);
	site_run(site);
}

static bool
look_up_hosts(struct site *site)
{
	const struct config *config = site->policy->config;
	const struct config_route *route = site->route;
	bool smarthost = route != NULL && route->host[0] != '\0';
	unsigned port =
	    (unsigned)(route != NULL && route->port > 0 ? route->port : config->delivery.port);

	if (site->lookup == NULL)
		site->lookup = mx_cache_lookup(site->queue->options.mx,
		    smarthost ? route->host : site->key, smarthost, port,
		    config->delivery.allow_private || (route != NULL && route->allow_private),
		    on_hosts, site);
	return site->lookup != NULL;
}

static bool
hosts_are_known(const struct site *site)
{
	return site->policy != NULL && site->hosts != NULL &&
	       site->hosts_until_ms > clock_mono_ms();
}

/* False: they are being looked up, or memory is out; site_run is called when that is over. */
static bool
find_hosts(struct site *site)
{
	if (hosts_are_known(site))
		return true;
	if (!make_policy(site) || !look_up_hosts(site))
		timer_set(&site->pause, NO_MEMORY_MS);
	return false;
}

/* ------------------------------------------------------------------ the next item ------------- */

static void
begin_attempt(struct queue_item *item, struct message *message)
{
	struct site *site = item->site;
	uint8_t index[MESSAGE_RECIPIENTS_MAX];
	size_t count = 0;
	struct running *running;
	struct slot *slot;
	struct attempt *attempt = NULL;

	running = calloc(1, sizeof *running);
	slot = running != NULL ? slot_take(site) : NULL;
	for (size_t i = 0; i < message->recipient_count; i++)
		if (item_has(item, i))
			index[count++] = (uint8_t)i;
	if (slot != NULL)
		attempt = attempt_new(message, site->hosts, index, count);
	if (attempt == NULL) {
		bool no_memory = running == NULL || slot != NULL || has_capacity(site->queue);

		if (slot != NULL)
			slot_give_back(slot, false);
		free(running);
		leave_active(item);
		if (no_memory) {
			item_put_back(item, "out of memory");
			return;
		}
		if (list_is_empty(&site->starved))
			list_add_tail(&site->queue->starved, &site->starved);
		item_make_ready(item); /* no connection is free: wake_starved comes back */
		return;
	}
	*running = (struct running){ item, slot,
		(int64_t)((uint32_t)clock_mono_ms() - item->at_ms) * 1000 };
	attempt->tls = stricter(site->policy->tls, message->tls);
	attempt->owner = running;
	attempt->done = on_attempt_done;
	channel_send(slot->channel, attempt);
}

/* The message is in memory. What was known before it was loaded may not be any more. */
static void
start(struct queue_item *item, struct message *message)
{
	struct site *site = item->site;
	unsigned work = item->work;

	if (item_reroute(item, message)) { /* it is gone */
		leave(site, work);
	} else if (site->kind != SITE_REMOTE) {
		settle_all(item, message, known_outcome);
	} else if (site->queue->stopping || !hosts_are_known(site)) {
		leave_active(item);
		item_make_ready(item);
	} else if (site->hosts->status != MX_OK) {
		settle_all(item, message, outcome_of_hosts);
	} else {
		begin_attempt(item, message);
	}
}

static void
on_loaded(void *arg, struct message *message, const struct why *why)
{
	struct queue_item *item = arg;
	struct site *site = item->site;
	struct queue *queue = site->queue;

	queue->loading--;
	if (message != NULL) {
		start(item, message);
		message_unref(message);
	} else {
		log_line(LOG_LEVEL_ERROR, "qmgr", "%010llX: cannot be read: %s",
		    (unsigned long long)item_message(item)->entry.sequence, why->text);
		leave_active(item);
		item_unreadable(item, why->text);
		if (why->code == 554)
			queue_hold(item_message(item), why->text);
	}
	site_run(site);
	wake_starved(queue);
	queue_check_idle(queue);
}

static void
begin(struct queue_item *item)
{
	struct queue_message *message = item_message(item);
	struct site *site = item->site;
	struct queue *queue = site->queue;
	bool suspect = spool_is_suspect(queue->options.spool, message->entry.sequence);

	if (suspect && queue->suspect_work != 0) {
		item_put_back(item, "waits for others that were under way when the daemon died");
		return;
	}
	item->state = ITEM_ACTIVE;
	site->active++;
	site->queue->active++;
	item->work = spool_work_begin(queue->options.spool, message->entry.sequence);
	if (message->is_hot) { /* which it may stop to be meanwhile */
		struct message *hot = message_ref(message->first.hot);

		start(item, hot);
		message_unref(hot);
		return;
	}
	if (spool_load(queue->options.spool, &message->entry, on_loaded, item) == RC_OK) {
		queue->loading++;
	} else {
		leave_active(item);
		item_put_back(item, "the worker pool is full");
	}
}

static size_t
limit(const struct site *site)
{
	/* After failures one attempt at a time tells whether the site is back. */
	if (site->failures >= PAUSE_AFTER_FAILURES)
		return 1;
	return (size_t)site->queue->config->delivery.max_connections_per_destination;
}

void
site_run(struct site *site)
{
	struct queue *queue = site->queue;

	if (!queue->started)
		return;
	while (!list_is_empty(&site->ready) && site->active < limit(site) && !queue->stopping &&
	       !timer_is_set(&site->pause) && list_is_empty(&site->starved)) {
		struct queue_item *item = container_of(site->ready.next, struct queue_item, node);

		bool remote = site->kind == SITE_REMOTE;

		/* One of an older configuration may belong elsewhere: its message tells. */
		if (remote && item->generation == queue->generation && !find_hosts(site))
			return;
		if (remote && !has_capacity(queue)) {
			list_add_tail(&queue->starved, &site->starved);
			return;
		}
		site_remove(site, item);
		begin(item);
	}
}

void
site_run_later(struct site *site)
{
	struct queue *queue = site->queue;

	if (!list_is_empty(&site->later))
		return;
	list_add_tail(&queue->later, &site->later);
	timer_set(&queue->later_timer, 0);
}

void
sites_run_later(void *arg)
{
	struct queue *queue = arg;
	struct list *node;

	while ((node = list_pop(&queue->later)) != NULL)
		site_run(container_of(node, struct site, later));
}

void
site_add(struct site *site, struct queue_item *item)
{
	list_add_tail(&site->ready, &item->node);
	site->ready_count++;
	site->queue->ready++;
}

void
site_remove(struct site *site, struct queue_item *item)
{
	list_del(&item->node);
	site->ready_count--;
	site->queue->ready--;
}

/* ------------------------------------------------------------------ all sites ----------------- */

static void
close_idle(struct site *site)
{
	while (!list_is_empty(&site->idle))
		slot_close(container_of(site->idle.next, struct slot, node));
}

static void
stop_lookup(struct site *site)
{
	if (site->lookup != NULL)
		mx_cache_cancel(site->queue->options.mx, site->lookup);
	site->lookup = NULL;
}

void
sites_reconfigure(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->sites) {
		struct site *site = slot->value;

		close_idle(
		    site); /* busy ones are closed when they come back: their policy is old */
		delivery_policy_unref(site->policy);
		site->policy = NULL;
		stop_lookup(site); /* they may be those of a route that is gone */
		drop_hosts(site);
		timer_cancel(&site->pause);
		site->failures = 0;
		site_run_later(site);
	}
}

/* Sites that nothing refers to any more; a domain that comes back gets a new one. */
void
sites_sweep(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->sites) {
		struct site *site = slot->value;

		if (site->items > 0 || site->slots > 0 || site->active > 0 ||
		    site->lookup != NULL || timer_is_set(&site->pause) ||
		    !list_is_empty(&site->later))
			continue;
		(void)map_del(&queue->sites, span_of(site->key));
		list_del(
		    &site->starved); /* what it waited with was dropped or given another route */
		drop_hosts(site);
		delivery_policy_unref(site->policy);
		free(site->key);
		free(site);
	}
}

void
sites_close_channels(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->sites)
		close_idle(slot->value);
}

void
sites_stop_lookups(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->sites)
		stop_lookup(slot->value);
}

void
sites_cut(struct queue *queue)
{
	queue->cut =
	    true; /* reports that a broken disk does not take are made again after the next start */
	LIST_FOREACH (node, &queue->busy_slots) {
		struct slot *slot = container_of(node, struct slot, lru);

		slot->cut = true;
		channel_close(slot->channel);
	}
	sites_stop_lookups(queue);
	queue_check_idle(queue);
}

void
sites_free(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->sites) {
		struct site *site = slot->value;

		close_idle(site);
		timer_cancel(&site->pause);
		drop_hosts(site);
		delivery_policy_unref(site->policy);
		free(site->key);
		free(site);
	}
	map_free(&queue->sites);
}
