/* suppress/suppress.c - an entry is one block of memory with all its strings: there may be millions. */
#include "config.h"

#include "suppress/suppress.h"

#include <stdlib.h>
#include <string.h>

#include "util/owned.h"

enum {
	KEY_MAX = 64 + 1 + 64 + 1 + 255 + 1
};

struct entry {
	struct suppression suppression;
	struct owned_thing owned; /* its key stands first behind the struct */
};

struct suppressions {
	struct owned entries;
};

static struct entry *
entry_of(const struct owned_thing *thing)
{
	return thing != NULL ? container_of(thing, struct entry, owned) : NULL;
}

static void
drop(struct owned_thing *thing)
{
	free(entry_of(thing));
}

struct suppressions *
suppressions_new(void)
{
	return calloc(1, sizeof(struct suppressions));
}

void
suppressions_free(struct suppressions *list)
{
	if (list == NULL)
		return;
	owned_free(&list->entries, drop);
	free(list);
}

/* With the domain in lower case; 0: no address, or too long for one. */
static size_t
make_key(char key[KEY_MAX], const char *account, struct span address)
{
	size_t at = span_find_last(address, '@');
	size_t len = owned_key(key, KEY_MAX, account, address);

	if (at == 0 || at + 1 >= address.len || len == 0)
		return 0;
	for (size_t i = len - (address.len - at); i < len; i++)
		key[i] = ascii_lower(key[i]);
	return len;
}

static const char *
put_string(char **to, const char *from)
{
	size_t size = strlen(from) + 1;
	const char *copy = memcpy(*to, from, size);

	*to += size;
	return copy;
}

enum rc
suppressions_put(
    struct suppressions *list, const char *account, const struct suppression *from, struct why *why)
{
	char key[KEY_MAX], *to;
	size_t len = make_key(key, account, span_of(from->address));
	struct owned_thing *old;
	struct entry *entry;
	enum rc rc;

	if (len == 0)
		return why_set(why, RC_BAD, 0, "\"%s\" is no mail address", from->address);
	entry = malloc(sizeof *entry + len + strlen(from->address) + strlen(from->message_id) +
		       strlen(from->feedback_id) + 3);
	if (entry == NULL)
		return why_set(why, RC_LATER, 0, "out of memory for suppression lists");
	to = (char *)(entry + 1);
	memcpy(to, key, len);
	entry->owned = (struct owned_thing){ .key = to, .key_len = len };
	to += len;
	entry->suppression = *from;
	entry->suppression.address = put_string(&to, from->address);
	entry->suppression.message_id = put_string(&to, from->message_id);
	entry->suppression.feedback_id = put_string(&to, from->feedback_id);
	rc = owned_put(&list->entries, account, &entry->owned, &old);
	free(rc == RC_OK ? entry_of(old) : entry);
	return rc == RC_OK ? RC_OK : why_set(why, rc, 0, "out of memory for suppression lists");
}

static struct entry *
get(const struct suppressions *list, const char *account, struct span address)
{
	char key[KEY_MAX];
	size_t len = make_key(key, account, address);

	return len > 0 ? entry_of(owned_get(&list->entries, span_make(key, len))) : NULL;
}

void
suppressions_remove(struct suppressions *list, const char *account, const char *address)
{
	struct entry *entry = get(list, account, span_of(address));

	if (entry == NULL)
		return;
	owned_del(&list->entries, &entry->owned);
	free(entry);
}

const struct suppression *
suppression_find(const struct suppressions *list, const char *account, struct span address)
{
	const struct entry *entry = get(list, account, address);

	return entry != NULL ? &entry->suppression : NULL;
}

const struct suppression *
suppressions_next(
    const struct suppressions *list, const char *account, const struct suppression *after)
{
	const struct entry *from =
	    after != NULL ? container_of(after, struct entry, suppression) : NULL;
	const struct entry *next =
	    entry_of(owned_next(&list->entries, account, from != NULL ? &from->owned : NULL));

	return next != NULL ? &next->suppression : NULL;
}

size_t
suppressions_count(const struct suppressions *list, const char *account)
{
	return owned_count(&list->entries, account);
}

const char *
suppression_reason_name(enum config_suppression reason)
{
	return reason == SUPPRESS_COMPLAINT ? "COMPLAINT" : "BOUNCE";
}

bool
suppression_reason_parse(struct span text, enum config_suppression *out)
{
	*out = span_ieq(text, SPAN_LIT("COMPLAINT")) ? SUPPRESS_COMPLAINT : SUPPRESS_BOUNCE;
	return *out == SUPPRESS_COMPLAINT || span_ieq(text, SPAN_LIT("BOUNCE"));
}
