/* dns/cache.c - mx_lookup with a memory.
 * In:   a destination.   Out: its mx_result, from memory or by the one lookup under way for it.
 * Always true: one lookup per destination at a time; an entry whose lookup is under way or that is waited for
 * is not thrown out; a waiter's callback comes by a message of its own, so it may do anything. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "dns/mx.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/list.h"

struct entry {
	struct list recent; /* least recently used first */
	struct list waits;
	struct mx_cache *cache;
	struct mx_query *query;	  /* NULL: none under way */
	struct mx_result *result; /* NULL: not known */
	size_t key_len;
	char key[];
};

struct mx_wait {
	struct loop_msg msg;
	struct list node; /* of entry->waits, then of cache->posted */
	void (*on_hosts)(void *arg, struct mx_result *result); /* NULL: cancelled */
	void *arg;
	struct mx_result *result; /* NULL: not yet; else the message is under way */
};

struct mx_cache {
	struct resolver *resolver;
	struct loop *loop;
	struct mx_options options;
	char *self_name;
	struct map entries;
	struct list recent;
	struct list posted; /* waits whose message is under way */
	size_t max;
};

struct mx_cache *
mx_cache_new(
    struct resolver *resolver, struct loop *loop, const struct mx_options *options, size_t max)
{
	struct mx_cache *cache = calloc(1, sizeof *cache);

	if (cache == NULL)
		return NULL;
	cache->self_name = strdup(options->self_name != NULL ? options->self_name : "");
	if (cache->self_name == NULL) {
		free(cache);
		return NULL;
	}
	cache->resolver = resolver;
	cache->loop = loop;
	cache->options = *options;
	cache->options.self_name = cache->self_name;
	cache->max = max;
	list_init(&cache->recent);
	list_init(&cache->posted);
	return cache;
}

enum rc
mx_cache_set_self_name(struct mx_cache *cache, const char *self_name)
{
	char *copy = strdup(self_name);

	if (copy == NULL)
		return RC_LATER;
	free(cache->self_name);
	cache->self_name = copy;
	cache->options.self_name = copy;
	return RC_OK;
}

static void
run_wait(struct loop_msg *msg)
{
	struct mx_wait *wait = container_of(msg, struct mx_wait, msg);

	list_del(&wait->node);
	if (wait->on_hosts != NULL)
		wait->on_hosts(wait->arg, wait->result);
	else
		mx_result_unref(wait->result);
	free(wait);
}

static void
wait_post(struct mx_cache *cache, struct mx_wait *wait, struct mx_result *result)
{
	list_del(&wait->node);
	list_add_tail(&cache->posted, &wait->node);
	wait->result = mx_result_ref(result);
	wait->msg.run = run_wait;
	loop_post(cache->loop, &wait->msg);
}

static void
entry_free(struct entry *entry)
{
	(void)map_del(&entry->cache->entries, span_make(entry->key, entry->key_len));
	list_del(&entry->recent);
	mx_cancel(entry->query);
	mx_result_unref(entry->result);
	free(entry);
}

void
mx_cache_free(struct mx_cache *cache)
{
	struct list *node;

	if (cache == NULL)
		return;
	while (!list_is_empty(&cache->recent)) {
		struct entry *entry = container_of(cache->recent.next, struct entry, recent);

		while ((node = list_pop(&entry->waits)) != NULL)
			free(container_of(node, struct mx_wait, node));
		entry_free(entry);
	}
	while ((node = list_pop(&cache->posted)) != NULL)
		container_of(node, struct mx_wait, node)->on_hosts = NULL;
	map_free(&cache->entries);
	free(cache->self_name);
	free(cache);
}

/* Over `max` the least recently used go, except those somebody waits for. */
static void
shrink(struct mx_cache *cache)
{
	LIST_FOREACH_SAFE (node, &cache->recent) {
		struct entry *entry = container_of(node, struct entry, recent);

		if (cache->entries.len <= cache->max)
			return;
		if (entry->query == NULL)
			entry_free(entry);
	}
}

static void
on_result(void *arg, struct mx_result *result)
{
	struct entry *entry = arg;
	struct mx_cache *cache = entry->cache;

	entry->query = NULL;
	mx_result_unref(entry->result);
	entry->result = result;
	while (!list_is_empty(&entry->waits))
		wait_post(cache, container_of(entry->waits.next, struct mx_wait, node), result);
	shrink(cache);
}

/* Everything that makes the answer another one is part of the key. */
static size_t
make_key(
    const char *domain, bool host_only, unsigned port, bool allow_private, char *out, size_t size)
{
	int len = snprintf(
	    out, size, "%u%c%c%s", port, host_only ? 'h' : 'm', allow_private ? 'p' : '-', domain);

	if (len < 0 || (size_t)len >= size)
		len = (int)size - 1; /* no such domain, whatever the rest is */
	for (int i = 0; i < len; i++)
		out[i] = ascii_lower(out[i]);
	return (size_t)len;
}

static struct entry *
entry_new(struct mx_cache *cache, struct span key)
{
	struct entry *entry = calloc(1, sizeof *entry + key.len + 1);

	if (entry == NULL)
		return NULL;
	entry->cache = cache;
	entry->key_len = key.len;
	memcpy(entry->key, key.p, key.len);
	list_init(&entry->recent);
	list_init(&entry->waits);
	if (map_put(&cache->entries, span_make(entry->key, key.len), entry) != RC_OK) {
		free(entry);
		return NULL;
	}
	return entry;
}

static bool
is_fresh(const struct entry *entry)
{
	return entry->result != NULL && entry->result->expires_ms > clock_mono_ms();
}

/* A fresh result or a lookup under way for `entry`. */
static bool
entry_refresh(
    struct entry *entry, const char *domain, bool host_only, unsigned port, bool allow_private)
{
	struct mx_cache *cache = entry->cache;
	struct mx_options options = cache->options;

	if (entry->query != NULL || is_fresh(entry))
		return true;
	options.port = port;
	options.allow_private = allow_private;
	entry->query =
	    mx_lookup(cache->resolver, cache->loop, domain, host_only, &options, on_result, entry);
	return entry->query != NULL;
}

struct mx_wait *
mx_cache_lookup(struct mx_cache *cache, const char *domain, bool host_only, unsigned port,
    bool allow_private, void (*on_hosts)(void *arg, struct mx_result *result), void *arg)
{
	char key[300];
	size_t key_len = make_key(domain, host_only, port, allow_private, key, sizeof key);
	struct entry *entry = map_get(&cache->entries, span_make(key, key_len));
	struct mx_wait *wait = calloc(1, sizeof *wait);

	if (wait == NULL)
		return NULL;
	if (entry == NULL)
		entry = entry_new(cache, span_make(key, key_len));
	if (entry == NULL) {
		free(wait);
		return NULL;
	}
	list_del(&entry->recent);
	list_add_tail(&cache->recent, &entry->recent);
	if (!entry_refresh(entry, domain, host_only, port, allow_private)) {
		free(wait);
		if (entry->result == NULL)
			entry_free(entry);
		return NULL;
	}
	list_init(&wait->node);
	wait->on_hosts = on_hosts;
	wait->arg = arg;
	if (entry->query != NULL)
		list_add_tail(&entry->waits, &wait->node);
	else
		wait_post(cache, wait, entry->result);
	shrink(cache);
	return wait;
}

void
mx_cache_cancel(struct mx_cache *cache, struct mx_wait *wait)
{
	(void)cache;
	if (wait == NULL)
		return;
	if (wait->result != NULL) { /* the message is under way and frees it */
		wait->on_hosts = NULL;
		return;
	}
	list_del(&wait->node);
	free(wait);
}
