/* spool/index.c - chunks of up to CHUNK entries, each sorted, and a sorted array of the chunks.
 *
 * Always true: numbers ascend within a chunk (those of removed entries, too) and from chunk to chunk; a chunk has an
 * entry; two neighbours that are a quarter full at most are made one. */
#include "config.h"

#include "spool/index.h"

#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = 512,
	SPARSE = CHUNK / 4
};

struct index_chunk {
	uint32_t len, live;
	uint32_t above[CHUNK];	       /* the number, less the place's `first` */
	struct spool_entry *at[CHUNK]; /* NULL: removed */
};

struct index_place {
	uint64_t first;
	struct index_chunk *chunk;
};

void
index_free(struct spool_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		free(index->places[i].chunk);
	free(index->places);
	*index = (struct spool_index){ NULL, 0, 0, 0 };
}

/* The last place that begins at or below it; the first one when all are above. Not for an empty index. */
static size_t
place_of(const struct spool_index *index, uint64_t sequence)
{
	size_t from = 0, to = index->count;

	if (index->places[to - 1].first <= sequence)
		return to - 1;
	while (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		if (index->places[middle].first <= sequence)
			from = middle;
		else
			to = middle;
	}
	return from;
}

/* How many in the chunk are below it. */
static size_t
count_below(const struct index_place *place, uint64_t sequence)
{
	const struct index_chunk *chunk = place->chunk;
	size_t from = 0, to = chunk->len;

	if (sequence <= place->first)
		return 0;
	if (sequence - place->first > UINT32_MAX)
		return chunk->len;
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (chunk->above[middle] < sequence - place->first)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool
is_at(const struct index_place *place, size_t i, uint64_t sequence)
{
	return i < place->chunk->len && place->first + place->chunk->above[i] == sequence;
}

struct spool_entry *
index_get(const struct spool_index *index, uint64_t sequence)
{
	const struct index_place *place;
	size_t i;

	if (index->count == 0)
		return NULL;
	place = &index->places[place_of(index, sequence)];
	i = count_below(place, sequence);
	return is_at(place, i, sequence) ? place->chunk->at[i] : NULL;
}

struct spool_entry *
index_next(const struct spool_index *index, uint64_t sequence)
{
	size_t i;

	if (index->count == 0 || sequence == UINT64_MAX)
		return NULL;
	for (size_t p = place_of(index, sequence + 1); p < index->count; p++) {
		const struct index_chunk *chunk = index->places[p].chunk;

		for (i = count_below(&index->places[p], sequence + 1); i < chunk->len; i++)
			if (chunk->at[i] != NULL)
				return chunk->at[i];
	}
	return NULL;
}

/* ------------------------------------------------------------------ chunks -------------------- */

static struct index_place *
add_place(struct spool_index *index, size_t at, uint64_t first)
{
	struct index_chunk *chunk = malloc(sizeof *chunk);

	if (chunk != NULL && index->count == index->cap) {
		size_t cap = index->cap > 0 ? index->cap * 2 : 16;
		struct index_place *places = realloc(index->places, cap * sizeof *places);

		if (places == NULL) {
			free(chunk);
			chunk = NULL;
		} else {
			index->places = places;
			index->cap = cap;
		}
	}
	if (chunk == NULL)
		return NULL;
	chunk->len = chunk->live = 0;
	memmove(index->places + at + 1, index->places + at,
	    (index->count - at) * sizeof *index->places);
	index->places[at] = (struct index_place){ first, chunk };
	index->count++;
	return &index->places[at];
}

static void
remove_place(struct spool_index *index, size_t at)
{
	free(index->places[at].chunk);
	index->count--;
	memmove(index->places + at, index->places + at + 1,
	    (index->count - at) * sizeof *index->places);
}

/* The entry, which is above all that is there, at the end. False: the number is too far above `first`. */
static bool
push(struct index_place *place, struct spool_entry *entry)
{
	struct index_chunk *chunk = place->chunk;

	if (entry->sequence - place->first > UINT32_MAX)
		return false;
	chunk->above[chunk->len] = (uint32_t)(entry->sequence - place->first);
	chunk->at[chunk->len++] = entry;
	chunk->live++;
	return true;
}

/* Closes the gaps; the first number is that of the first entry then. */
static void
squeeze(struct index_place *place)
{
	struct index_chunk *chunk = place->chunk;
	size_t len = chunk->len;
	uint64_t before = place->first;

	chunk->len = chunk->live = 0;
	for (size_t i = 0; i < len; i++)
		if (chunk->at[i] != NULL) {
			if (chunk->len == 0)
				place->first = before + chunk->above[i];
			(void)push(place, chunk->at[i]);
		}
}

/* Two neighbours into one, when that leaves room. */
static void
join(struct spool_index *index, size_t at)
{
	struct index_place *place = &index->places[at];
	const struct index_chunk *next;

	if (at + 1 >= index->count)
		return;
	next = index->places[at + 1].chunk;
	if (place->chunk->live > SPARSE || next->live > SPARSE ||
	    index->places[at + 1].first + next->above[next->len - 1] - place->first > UINT32_MAX)
		return;
	squeeze(place);
	for (size_t i = 0; i < next->len; i++)
		if (next->at[i] != NULL)
			(void)push(place, next->at[i]);
	remove_place(index, at + 1);
}

/* The upper half of a full chunk becomes one of its own. */
static enum rc
split(struct spool_index *index, size_t at)
{
	struct index_chunk *chunk = index->places[at].chunk;
	struct index_place *upper =
	    add_place(index, at + 1, index->places[at].first + chunk->above[CHUNK / 2]);

	if (upper == NULL)
		return RC_LATER;
	for (size_t i = CHUNK / 2; i < CHUNK; i++) {
		upper->chunk->above[i - CHUNK / 2] = chunk->above[i] - chunk->above[CHUNK / 2];
		upper->chunk->at[i - CHUNK / 2] = chunk->at[i];
		upper->chunk->live += chunk->at[i] != NULL;
	}
	upper->chunk->len = CHUNK - CHUNK / 2;
	chunk->len = CHUNK / 2;
	chunk->live -= upper->chunk->live;
	return RC_OK;
}

/* ------------------------------------------------------------------ add and remove ------------ */

/* Above everything: the usual case. */
static enum rc
append(struct spool_index *index, struct spool_entry *entry)
{
	struct index_place *last = index->count > 0 ? &index->places[index->count - 1] : NULL;

	if (last == NULL || last->chunk->len == CHUNK || !push(last, entry)) {
		last = add_place(index, index->count, entry->sequence);
		if (last == NULL)
			return RC_LATER;
		(void)push(last, entry);
	}
	index->len++;
	return RC_OK;
}

static bool
is_above_all(const struct spool_index *index, uint64_t sequence)
{
	const struct index_place *last;

	if (index->count == 0)
		return true;
	last = &index->places[index->count - 1];
	return sequence > last->first + last->chunk->above[last->chunk->len - 1];
}

/* Below others: a message that compaction had copied behind them, at a start. */
static enum rc
insert(struct spool_index *index, struct spool_entry *entry)
{
	size_t p = place_of(index, entry->sequence), i;
	struct index_place *place = &index->places[p];
	struct index_chunk *chunk = place->chunk;

	if (entry->sequence < place->first || entry->sequence - place->first > UINT32_MAX) {
		place =
		    add_place(index, entry->sequence < place->first ? p : p + 1, entry->sequence);
		if (place == NULL)
			return RC_LATER;
		(void)push(place, entry);
		index->len++;
		return RC_OK;
	}
	if (chunk->len == CHUNK && chunk->live < CHUNK)
		squeeze(place); /* `first` may rise above the number */
	else if (chunk->len == CHUNK && split(index, p) != RC_OK)
		return RC_LATER;
	if (index->places[p].chunk->len == CHUNK || entry->sequence < index->places[p].first ||
	    (p + 1 < index->count && index->places[p + 1].first <= entry->sequence))
		return insert(index, entry); /* there is room now, or it is another chunk's */
	place = &index->places[p];
	i = count_below(place, entry->sequence);
	if (!is_at(place, i, entry->sequence)) {
		memmove(chunk->above + i + 1, chunk->above + i,
		    (chunk->len - i) * sizeof chunk->above[0]);
		memmove(chunk->at + i + 1, chunk->at + i, (chunk->len - i) * sizeof chunk->at[0]);
		chunk->len++;
	}
	chunk->above[i] = (uint32_t)(entry->sequence - place->first);
	chunk->at[i] = entry;
	chunk->live++;
	index->len++;
	return RC_OK;
}

enum rc
index_add(struct spool_index *index, struct spool_entry *entry)
{
	return is_above_all(index, entry->sequence) ? append(index, entry) : insert(index, entry);
}

void
index_del(struct spool_index *index, uint64_t sequence)
{
	struct index_chunk *chunk;
	size_t p, i;

	if (index->count == 0)
		return;
	p = place_of(index, sequence);
	i = count_below(&index->places[p], sequence);
	chunk = index->places[p].chunk;
	if (!is_at(&index->places[p], i, sequence) || chunk->at[i] == NULL)
		return;
	chunk->at[i] = NULL;
	chunk->live--;
	index->len--;
	if (chunk->live == 0) {
		remove_place(index, p);
	} else if (chunk->live == SPARSE) { /* once on its way down */
		join(index, p);
		if (p > 0)
			join(index, p - 1);
	}
}
