/* mail/rewrite.c - collects the edits of a header and lists the pieces that make up the new one.
 * In:   a scanned header; whole fields to add or to put in place of others.
 * Out:  spans over the old block and the added texts, in order.
 * Always true: without edits the pieces are the block as it was, in one piece. */
#include "config.h"

#include "mail/rewrite.h"

#include <assert.h>
#include <stdlib.h>

enum rc
rewrite_init(struct rewrite *rewrite, const struct header *header)
{
	size_t count = header->count > 0 ? header->count : 1;

	*rewrite = (struct rewrite){ .header = header };
	rewrite->dropped = calloc(count, sizeof *rewrite->dropped);
	rewrite->replaced = calloc(count, sizeof *rewrite->replaced);
	if (rewrite->dropped != NULL && rewrite->replaced != NULL)
		return RC_OK;
	rewrite_free(rewrite);
	return RC_LATER;
}

void
rewrite_free(struct rewrite *rewrite)
{
	for (size_t i = 0; i < rewrite->text_count; i++)
		free(rewrite->texts[i]);
	free(rewrite->texts);
	free(rewrite->front);
	free(rewrite->back);
	free(rewrite->dropped);
	free(rewrite->replaced);
	*rewrite = (struct rewrite){ .header = NULL };
}

/* A copy that lives as long as the rewrite; p == NULL when memory is out. */
static struct span
keep_text(struct rewrite *rewrite, struct span text)
{
	struct span none = { NULL, 0 };
	char *copy;

	assert(text.len > 2 && text.p[text.len - 1] == '\n');
	if (rewrite->text_count == rewrite->text_cap) {
		size_t cap = rewrite->text_cap == 0 ? 8 : rewrite->text_cap * 2;
		char **texts = reallocarray(rewrite->texts, cap, sizeof *texts);

		if (texts == NULL)
			return none;
		rewrite->texts = texts;
		rewrite->text_cap = cap;
	}
	copy = span_dup(text);
	if (copy == NULL)
		return none;
	rewrite->texts[rewrite->text_count++] = copy;
	return span_make(copy, text.len);
}

void
rewrite_drop(struct rewrite *rewrite, size_t field)
{
	assert(field < rewrite->header->count);
	rewrite->dropped[field] = true;
}

void
rewrite_replace(struct rewrite *rewrite, size_t field, struct span text)
{
	assert(field < rewrite->header->count);
	rewrite->dropped[field] = false; /* the last edit of a field counts */
	rewrite->replaced[field] = keep_text(rewrite, text);
	if (rewrite->replaced[field].p == NULL)
		rewrite->failed = true;
}

static void
add_span(struct rewrite *rewrite, struct span **list, size_t *count, size_t *cap, struct span text)
{
	struct span kept = keep_text(rewrite, text), *grown = *list;

	if (*count == *cap) {
		size_t more = *cap == 0 ? 8 : *cap * 2;

		grown = reallocarray(*list, more, sizeof *grown);
		if (grown != NULL) {
			*list = grown;
			*cap = more;
		}
	}
	if (kept.p == NULL || grown == NULL) {
		rewrite->failed = true;
		return;
	}
	(*list)[(*count)++] = kept;
}

void
rewrite_add_front(struct rewrite *rewrite, struct span text)
{
	add_span(rewrite, &rewrite->front, &rewrite->front_count, &rewrite->front_cap, text);
}

void
rewrite_add_back(struct rewrite *rewrite, struct span text)
{
	add_span(rewrite, &rewrite->back, &rewrite->back_count, &rewrite->back_cap, text);
}

/* Add a field as it was: it lies right behind the piece before it when that one was untouched, too. */
static void
add_untouched(struct span *pieces, size_t *count, bool *open, struct span whole)
{
	if (*open)
		pieces[*count - 1].len += whole.len;
	else
		pieces[(*count)++] = whole;
	*open = true;
}

enum rc
rewrite_pieces(const struct rewrite *rewrite, struct span **pieces, size_t *count)
{
	const struct header *header = rewrite->header;
	size_t most = rewrite->front_count + header->count + rewrite->back_count;
	bool open = false; /* the last piece is of untouched fields and can grow */

	*count = 0;
	*pieces = NULL;
	if (rewrite->failed)
		return RC_LATER;
	*pieces = calloc(most > 0 ? most : 1, sizeof **pieces);
	if (*pieces == NULL)
		return RC_LATER;
	for (size_t i = rewrite->front_count; i > 0; i--)
		(*pieces)[(*count)++] = rewrite->front[i - 1];
	for (size_t i = 0; i < header->count; i++) {
		if (!rewrite->dropped[i] && rewrite->replaced[i].p == NULL) {
			add_untouched(*pieces, count, &open, header->fields[i].whole);
			continue;
		}
		open = false;
		if (!rewrite->dropped[i])
			(*pieces)[(*count)++] = rewrite->replaced[i];
	}
	for (size_t i = 0; i < rewrite->back_count; i++)
		(*pieces)[(*count)++] = rewrite->back[i];
	return RC_OK;
}
