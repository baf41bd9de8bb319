/* http/destinations.c - calls about where mail goes: what waits for each destination, pauses. */
#include "config.h"

#include "http/internal.h"

#include <stdlib.h>

#include "util/clock.h"

enum {
	ROWS_DEFAULT = 100,
	ROWS_MAX = 10000,
	PAUSE_DEFAULT_S = 3600,
	PAUSE_MAX_S = 14 * 86400,
	NAME_MAX_LEN = 300
};

/* ------------------------------------------------------------------ listing ------------------- */

struct listing {
	struct queue_destination_view *views;
	size_t count, cap;
	bool failed;
};

static void
on_view(void *arg, const struct queue_destination_view *view)
{
	struct listing *listing = arg;

	if (listing->count == listing->cap) {
		size_t cap = listing->cap == 0 ? 64 : listing->cap * 2;
		struct queue_destination_view *views = realloc(listing->views, cap * sizeof *views);

		if (views == NULL) {
			listing->failed = true;
			return;
		}
		listing->views = views;
		listing->cap = cap;
	}
	listing->views[listing->count++] = *view;
}

/* Those with the most items first, then by name. */
static int
compare(const void *a, const void *b)
{
	const struct queue_destination_view *x = a, *y = b;

	if (x->items != y->items)
		return x->items < y->items ? 1 : -1;
	return strcmp(x->destination, y->destination);
}

static json_t *
view_json(const struct queue_destination_view *view)
{
	char failure[OUTCOME_TEXT_MAX + 32] = "";

	if (view->failure != NULL)
		outcome_format(view->failure, failure, sizeof failure);
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "destination",
	    json_text(span_of(view->destination)), "site", json_text(span_of(view->site)), "items",
	    (json_int_t)view->items, "ready", (json_int_t)view->ready, "paused_until",
	    (json_int_t)(view->paused_ms > 0 ? (clock_wall_ms() + view->paused_ms) / 1000 : 0),
	    "pause_reason", json_text(span_of(view->pause_reason)), "failure",
	    json_text(span_of(failure)));
}

static json_t *
listing_json(const struct listing *listing, uint64_t limit)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < listing->count && i < limit; i++)
		if (json_array_append_new(list, view_json(&listing->views[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{s:o, s:I}", "destinations", list, "total", (json_int_t)listing->count);
}

void
on_destination_list(struct call *call)
{
	const char *text = call_query(call, "limit");
	struct listing listing = { .views = NULL };
	uint64_t limit = ROWS_DEFAULT;

	if (text != NULL && !span_uint(span_of(text), ROWS_MAX, &limit)) {
		call_error(call, 400, "BadRequest", "limit must be a number up to %d.", ROWS_MAX);
		return;
	}
	queue_each_destination(call_context(call)->queue, on_view, &listing);
	if (listing.count > 0)
		qsort(listing.views, listing.count, sizeof *listing.views, compare);
	call_json(call, 200, listing.failed ? NULL : listing_json(&listing, limit));
	free(listing.views);
}

/* ------------------------------------------------------------------ one ----------------------- */

/* As the queue has it. */
static const char *
name_of(const struct call *call, char out[NAME_MAX_LEN])
{
	size_t i = 0;

	for (; i < NAME_MAX_LEN - 1 && call->part[i] != '\0'; i++)
		out[i] = call->part[0] == '=' ? call->part[i] : ascii_lower(call->part[i]);
	out[i] = '\0';
	return out;
}

static void
answer(struct call *call, const char *name)
{
	struct queue_destination_view view;

	if (queue_view_destination(call_context(call)->queue, name, &view))
		call_json(call, 200, view_json(&view));
	else
		call_error(call, 404, "NotFound", "Nothing waits for \"%s\".", name);
}

void
on_destination_show(struct call *call)
{
	char name[NAME_MAX_LEN];

	answer(call, name_of(call, name));
}

void
on_destination_pause(struct call *call)
{
	const char *text = call_query(call, "for"), *reason = call_query(call, "reason");
	uint64_t seconds = PAUSE_DEFAULT_S;
	char name[NAME_MAX_LEN];

	if (text != NULL && (!span_uint(span_of(text), PAUSE_MAX_S, &seconds) || seconds == 0)) {
		call_error(
		    call, 400, "BadRequest", "for must be seconds, from 1 to %d.", PAUSE_MAX_S);
		return;
	}
	if (name_of(call, name)[0] ==
	    '!') { /* those of the simulator and of suppressed recipients */
		call_error(call, 400, "BadRequest", "\"%s\" cannot be paused.", name);
		return;
	}
	if (queue_pause(call_context(call)->queue, name, (int64_t)seconds * 1000,
		reason != NULL ? reason : "by an operator") != RC_OK) {
		call_no_memory(call);
		return;
	}
	answer(call, name);
}

void
on_destination_resume(struct call *call)
{
	char name[NAME_MAX_LEN];

	if (!queue_resume(call_context(call)->queue, name_of(call, name)))
		call_error(call, 404, "NotFound", "\"%s\" is not paused.", name);
	else
		answer(call, name);
}
