/* queue/pool.c - the own addresses that mail is sent from, as the present configuration has them.
 *
 * Pools and sources stay as long as the queue, by their names, so that what was learned of a source outlives a reload;
 * one that is gone from the configuration has no sources, and its streams go by the default pool. */
#include "config.h"

#include "queue/internal.h"

#include <stdlib.h>

#include "util/log.h"

static struct source *
source_get(struct queue *queue, const char *name)
{
	struct source *source = map_get(&queue->sources, span_of(name));

	if (source != NULL)
		return source;
	source = calloc(1, sizeof *source);
	if (source == NULL)
		return NULL;
	source->name = span_dup(span_of(name));
	source->weight = 1;
	if (source->name == NULL ||
	    map_put(&queue->sources, span_of(source->name), source) != RC_OK) {
		free(source->name);
		free(source);
		return NULL;
	}
	return source;
}

static struct pool *
pool_get(struct queue *queue, const char *name)
{
	struct pool *pool = map_get(&queue->pools, span_of(name));

	if (pool != NULL)
		return pool;
	pool = calloc(1, sizeof *pool);
	if (pool == NULL)
		return NULL;
	pool->name = span_dup(span_of(name));
	if (pool->name == NULL || map_put(&queue->pools, span_of(pool->name), pool) != RC_OK) {
		free(pool->name);
		free(pool);
		return NULL;
	}
	return pool;
}

/* The pool has these from now on. */
static enum rc
fill(struct queue *queue, const char *name, const struct config_source *list, size_t count)
{
	struct pool *pool = pool_get(queue, name);
	struct source **sources = calloc(count + 1, sizeof(struct source *));

	if (pool == NULL || sources == NULL) {
		free(sources);
		return RC_LATER;
	}
	for (size_t i = 0; i < count; i++) {
		sources[i] = source_get(queue, list != NULL ? list[i].name : "");
		if (sources[i] == NULL) {
			free(sources);
			return RC_LATER;
		}
		sources[i]->settings = list != NULL ? &list[i] : NULL;
		sources[i]->weight = list != NULL ? (unsigned)list[i].weight : 1;
	}
	free(pool->sources);
	pool->sources = sources;
	pool->count = count;
	return RC_OK;
}

enum rc
pools_configure(struct queue *queue)
{
	const struct config *config = queue->config;
	enum rc rc;

	MAP_FOREACH (slot, &queue->pools)
		((struct pool *)slot->value)->count = 0;
	MAP_FOREACH (slot, &queue->sources)
		((struct source *)slot->value)->settings = NULL;
	rc = fill(queue, "", NULL, 1);
	for (size_t i = 0; i < config->pool_count && rc == RC_OK; i++)
		rc = fill(queue, config->pools[i].name, config->pools[i].sources,
		    config->pools[i].source_count);
	return rc;
}

struct pool *
pool_find(const struct queue *queue, const char *name)
{
	struct pool *pool = map_get(&queue->pools, span_of(name));

	return pool != NULL && pool->count > 0 ? pool : map_get(&queue->pools, SPAN_EMPTY);
}

void
pools_free(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->pools) {
		struct pool *pool = slot->value;

		free(pool->sources);
		free(pool->name);
		free(pool);
	}
	map_free(&queue->pools);
	MAP_FOREACH (slot, &queue->sources) {
		struct source *source = slot->value;

		free(source->name);
		free(source);
	}
	map_free(&queue->sources);
}
