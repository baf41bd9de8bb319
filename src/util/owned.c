/* util/owned.c - one map of all things, one of owners with their lists. Always true: an owner is there as long as it
 * has things, and each thing is in by_key and in its owner's list. */
#include "config.h"

#include "util/owned.h"

#include <stdlib.h>
#include <string.h>

size_t
owned_key(char *key, size_t size, const char *owner, struct span name)
{
	size_t len = strlen(owner);

	if (name.len > size || len + 1 > size - name.len)
		return 0;
	memcpy(key, owner, len + 1);
	memcpy(key + len + 1, name.p, name.len);
	return len + 1 + name.len;
}

struct owned_thing *
owned_get(const struct owned *owned, struct span key)
{
	return map_get(&owned->by_key, key);
}

static struct owned_owner *
owner_for(struct owned *owned, const char *name)
{
	struct owned_owner *owner = map_get(&owned->owners, span_of(name));
	size_t len = strlen(name);

	if (owner != NULL)
		return owner;
	owner = malloc(sizeof *owner + len + 1);
	if (owner == NULL)
		return NULL;
	list_init(&owner->things);
	owner->count = 0;
	memcpy(owner->name, name, len + 1);
	if (map_put(&owned->owners, span_of(owner->name), owner) != RC_OK) {
		free(owner);
		return NULL;
	}
	return owner;
}

static void
leave_owner(struct owned *owned, struct owned_owner *owner)
{
	if (--owner->count > 0)
		return;
	(void)map_del(&owned->owners, span_of(owner->name));
	free(owner);
}

enum rc
owned_put(
    struct owned *owned, const char *owner, struct owned_thing *thing, struct owned_thing **old)
{
	struct span key = span_make(thing->key, thing->key_len);

	*old = NULL;
	thing->owner = owner_for(owned, owner);
	if (thing->owner == NULL)
		return RC_LATER;
	thing->owner->count++;
	*old = owned_get(owned, key);
	if (map_put(&owned->by_key, key, thing) != RC_OK) {
		*old = NULL;
		leave_owner(owned, thing->owner);
		return RC_LATER;
	}
	list_add_tail(&thing->owner->things, &thing->node);
	if (*old != NULL) {
		list_del(&(*old)->node);
		leave_owner(owned, (*old)->owner);
	}
	return RC_OK;
}

void
owned_del(struct owned *owned, struct owned_thing *thing)
{
	(void)map_del(&owned->by_key, span_make(thing->key, thing->key_len));
	list_del(&thing->node);
	leave_owner(owned, thing->owner);
}

struct owned_thing *
owned_next(const struct owned *owned, const char *owner, const struct owned_thing *after)
{
	const struct owned_owner *of =
	    after != NULL ? after->owner : map_get(&owned->owners, span_of(owner));
	struct list *node;

	if (of == NULL)
		return NULL;
	node = after != NULL ? after->node.next : of->things.next;
	return node != &of->things ? container_of(node, struct owned_thing, node) : NULL;
}

size_t
owned_count(const struct owned *owned, const char *owner)
{
	const struct owned_owner *of = map_get(&owned->owners, span_of(owner));

	return of != NULL ? of->count : 0;
}

void
owned_free(struct owned *owned, void (*drop)(struct owned_thing *thing))
{
	MAP_FOREACH (slot, &owned->by_key)
		drop(slot->value);
	MAP_FOREACH (slot, &owned->owners)
		free(slot->value);
	map_free(&owned->by_key);
	map_free(&owned->owners);
}
