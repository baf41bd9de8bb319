/* http/suppressions.c - calls about suppression lists and event destinations. */
#include "config.h"

#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

enum {
	ENTRIES_MAX = 10000 /* in one call */
};

/* ------------------------------------------------------------------ lists --------------------- */

static json_t *
entry_json(const struct suppression *entry)
{
	return json_pack("{s:o, s:s, s:I, s:s, s:s}", "address", json_text(span_of(entry->address)),
	    "reason", suppression_reason_name(entry->reason), "updated",
	    (json_int_t)(entry->updated_ms / 1000), "message_id", entry->message_id, "feedback_id",
	    entry->feedback_id);
}

void
on_suppressions(struct call *call)
{
	const struct suppressions *list = call_context(call)->suppressions;
	const char *account = call_account(call), *after = call_query(call, "after");
	const char *reason = call_query(call, "reason");
	struct evbuffer *body;
	const struct suppression *at;
	enum config_suppression wanted = SUPPRESS_BOTH;
	uint64_t left;

	if (account == NULL || !call_limit(call, &left))
		return;
	if (reason != NULL && !suppression_reason_parse(span_of(reason), &wanted)) {
		call_error(call, 400, "BadRequest", "reason= must be BOUNCE or COMPLAINT.");
		return;
	}
	if (!account_is_there(account_find(call_context(call)->accounts, account))) {
		call_error(call, 404, "NotFound", "There is no account \"%.64s\".", account);
		return;
	}
	body = evbuffer_new();
	at = after != NULL ? suppression_find(list, account, span_of(after)) : NULL;
	while (body != NULL && left > 0 && (at = suppressions_next(list, account, at)) != NULL) {
		if ((at->reason & wanted) == 0)
			continue;
		left--;
		if (!json_add_line(body, entry_json(at))) {
			evbuffer_free(body);
			body = NULL;
		}
	}
	if (body == NULL)
		call_no_memory(call);
	else
		call_reply(call, 200, "application/json", body);
}

/* ------------------------------------------------------------------ changes ------------------- */

struct waiting {
	struct call *call;
	size_t count;
};

static void
on_changed(void *arg, enum rc rc, const struct why *why)
{
	struct waiting *w = arg;

	if (call_release(w->call)) {
		if (rc == RC_OK)
			call_json(
			    w->call, 200, json_pack("{s:I}", "changed", (json_int_t)w->count));
		else
			call_failed(w->call, why);
	}
	free(w);
}

static struct waiting *
wait_for(struct call *call, size_t count)
{
	struct waiting *w = calloc(1, sizeof *w);

	if (w == NULL) {
		call_no_memory(call);
		return NULL;
	}
	*w = (struct waiting){ call, count };
	call_hold(call);
	return w;
}

static bool
take_entry(const json_t *from, struct suppression *out)
{
	const char *reason = json_string_value(json_object_get(from, "reason"));

	*out = (struct suppression){ .address = json_string_value(json_object_get(from, "address")),
		.reason = SUPPRESS_BOUNCE,
		.updated_ms = clock_wall_ms(),
		.message_id = "",
		.feedback_id = "" };
	return out->address != NULL &&
	       (reason == NULL || suppression_reason_parse(span_of(reason), &out->reason));
}

/* The body: one {"address", "reason"}, or an array of them. */
void
on_suppress(struct call *call)
{
	const char *account = call_account(call);
	json_t *body = account != NULL ? call_body_json(call) : NULL;
	size_t count = json_is_array(body) ? json_array_size(body) : 1;
	struct suppression *entries;
	struct waiting *w;

	if (body == NULL)
		return;
	entries = count <= ENTRIES_MAX ? calloc(count + 1, sizeof *entries) : NULL;
	for (size_t i = 0; entries != NULL && i < count; i++)
		if (!take_entry(
			json_is_array(body) ? json_array_get(body, i) : body, &entries[i])) {
			call_error(call, 400, "BadRequest",
			    "Entry %zu must have an \"address\", and a \"reason\" that is BOUNCE "
			    "or "
			    "COMPLAINT.",
			    i + 1);
			goto out;
		}
	if (entries == NULL && count > ENTRIES_MAX)
		call_error(call, 400, "BadRequest", "At most %d entries in one call.", ENTRIES_MAX);
	else if (entries == NULL)
		call_no_memory(call);
	else if ((w = wait_for(call, count)) != NULL)
		admin_suppress(call_context(call)->admin, account, entries, count, on_changed, w);
out:
	free(entries);
	json_decref(body);
}

void
on_unsuppress(struct call *call)
{
	const char *account = call_account(call), *address = call->part;
	struct waiting *w;

	if (account == NULL)
		return;
	if (suppression_find(call_context(call)->suppressions, account, span_of(address)) == NULL) {
		call_error(call, 404, "NotFound",
		    "Email address %s does not exist on the suppression list of account \"%.64s\".",
		    address, account);
		return;
	}
	w = wait_for(call, 1);
	if (w != NULL)
		admin_unsuppress(call_context(call)->admin, account, &address, 1, on_changed, w);
}

/* ------------------------------------------------------------------ event destinations -------- */

void
on_destinations(struct call *call)
{
	const char *account = call_account(call);
	const struct event_destination *list;
	struct evbuffer *body = evbuffer_new();
	size_t count;
	bool ok = body != NULL;

	if (account == NULL || body == NULL) {
		if (body != NULL)
			evbuffer_free(body);
		if (account != NULL)
			call_no_memory(call);
		return;
	}
	list = config_set_destinations(call_context(call)->sets, account, call->part, &count);
	for (size_t i = 0; ok && i < count; i++)
		ok =
		    json_add_line(body, json_pack("{s:s, s:b, s:o}", "name", list[i].name,
					    "enabled", list[i].enabled ? 1 : 0, "definition",
					    json_loads(list[i].definition, JSON_DECODE_ANY, NULL)));
	if (ok) {
		call_reply(call, 200, "application/json", body);
		return;
	}
	evbuffer_free(body);
	call_no_memory(call);
}

/* The body: {"name", "enabled", "definition": {...}}. */
void
on_destination_put(struct call *call)
{
	const char *account = call_account(call);
	json_t *body = account != NULL ? call_body_json(call) : NULL;
	const char *name = json_string_value(json_object_get(body, "name"));
	const json_t *definition = json_object_get(body, "definition");
	char *text;
	struct waiting *w;

	if (body == NULL)
		return;
	if (name == NULL || strlen(name) > 64 || *name == '\0' || !json_is_object(definition)) {
		call_error(call, 400, "BadRequest",
		    "The body must have a \"name\" and a \"definition\", an object.");
		json_decref(body);
		return;
	}
	text = json_dumps(definition, JSON_COMPACT);
	w = text != NULL ? wait_for(call, 1) : NULL;
	if (text == NULL)
		call_no_memory(call);
	if (w != NULL)
		admin_put_destination(call_context(call)->admin, ADMIN_PUT, account, call->part,
		    &(struct event_destination){ (char *)(uintptr_t)name,
			!json_is_false(json_object_get(body, "enabled")), text },
		    on_changed, w);
	free(text);
	json_decref(body);
}

void
on_destination_remove(struct call *call)
{
	const char *account = call_account(call), *name = call_query(call, "name");
	struct waiting *w;

	if (account == NULL)
		return;
	if (name == NULL) {
		call_error(call, 400, "BadRequest", "name= is needed.");
		return;
	}
	w = wait_for(call, 1);
	if (w != NULL)
		admin_remove_destination(
		    call_context(call)->admin, account, call->part, name, on_changed, w);
}

/* ------------------------------------------------------------------ the store itself ---------- */

static void
on_store_done(void *arg, enum rc rc, const struct why *why)
{
	struct call *call = arg;

	if (!call_release(call))
		return;
	if (rc == RC_OK)
		call_json(call, 200, json_pack("{s:s}", "status", "done"));
	else
		call_error(call, rc == RC_BAD ? 409 : 503,
		    rc == RC_BAD ? "Conflict" : "ServiceUnavailable", "%s", why->text);
}

void
on_store_rekey(struct call *call)
{
	call_hold(call);
	store_rekey(call_context(call)->store, on_store_done, call);
}

void
on_store_backup(struct call *call)
{
	const char *path = call_query(call, "path");

	if (path == NULL || path[0] != '/') {
		call_error(call, 400, "BadRequest", "path= must be an absolute path.");
		return;
	}
	call_hold(call);
	store_backup(call_context(call)->store, path, on_store_done, call);
}
