/* spool/append.c - messages, states and ends on their way to the disk, and what becomes of those that do not get there.
 *
 * A message that cannot be stored is refused. States and ends are never lost: they are parked, in their order, until a
 * probe has come through, and nothing is freed meanwhile. */
#include "config.h"

#include "spool/spool_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "util/le.h"
#include "util/log.h"

enum {
	PROBE_MIN_MS = 1000,
	PROBE_MAX_MS = 30000,
	OUTCOME_ROOM =
	    16 /* that part of a segment is for outcomes when no other segment could be made */
};

/* ------------------------------------------------------------------ appends ------------------- */

struct append {
	struct list node; /* in spool->parked */
	bool revived;	  /* it failed, or waited, and is tried again */
	struct spool_write *write;
	struct spool *spool;
	struct spool_entry *entry; /* NULL for "done": it is gone by then */
	struct message *message;
	struct buf owned; /* envelope or state bytes */
	spool_callback *callback;
	void *arg;
	spool_callback *user_callback; /* behind message_committed */
	void *user_arg;
	/* What "done" lets go of once it is durable. */
	struct segment *release[2];
	uint32_t release_size[2];
};

static void
append_free(struct append *append)
{
	buf_free(&append->owned);
	message_unref(append->message);
	if (append->write != NULL)
		write_free(append->write);
	free(append);
}

static struct append *
append_new(struct spool *spool, size_t pieces, spool_callback *callback, void *arg)
{
	struct append *append = spool->closing ? NULL : calloc(1, sizeof *append);

	if (append == NULL)
		return NULL;
	append->write = write_new(pieces);
	if (append->write == NULL) {
		free(append);
		return NULL;
	}
	append->spool = spool;
	append->callback = callback;
	append->arg = arg;
	return append;
}

/* ------------------------------------------------------------------ failures ------------------ */

static void
park(struct append *append)
{
	struct spool *spool = append->spool;

	list_add_tail(&spool->parked, &append->node);
	spool->parked_count++;
}

/* Not even tried: commits do not work now. Its place is one that no other record has. */
static void
park_new(struct append *append)
{
	append->write->segment = &append->spool->limbo;
	append->write->offset = append->spool->limbo.used++;
	park(append);
}

static void
append_over(struct append *append, enum rc rc, const struct why *why)
{
	if (append->callback != NULL)
		append->callback(append->arg, rc, why);
	append_free(append);
}

static void
release_all(struct append *append)
{
	for (size_t i = 0; i < ARRAY_LEN(append->release); i++)
		if (append->release[i] != NULL)
			segment_release(append->release[i], append->release_size[i]);
}

/* A state that a later one has replaced, or whose message has ended, must not come behind those. */
static bool
is_superseded(const struct append *append)
{
	const struct spool_write *write = append->write;
	const struct spool_entry *entry = index_get(&append->spool->index, write->header.sequence);

	return write->header.type == RECORD_STATE &&
	       (entry == NULL || entry->state_segment != write->segment->number ||
		   entry->state_offset != (uint32_t)write->offset);
}

static void
revive_one(struct append *append)
{
	static const struct why none = WHY_EMPTY;
	struct spool *spool = append->spool;
	struct spool_write *write = append->write;
	struct segment *before = write->segment;
	struct spool_entry *entry;

	if (is_superseded(append)) {
		release_all(append);
		append_over(append, RC_OK, &none);
		return;
	}
	write->rc = RC_OK;
	append->revived = true;
	spool->reviving++;
	spool_place(spool, write);
	if (write->header.type != RECORD_STATE)
		return;
	entry = index_get(&spool->index, write->header.sequence);
	segment_release(before, entry->state_size);
	entry->state_segment = write->segment->number;
	entry->state_offset = (uint32_t)write->offset;
	segment_hold(write->segment, entry->state_size);
}

static void
recover(struct spool *spool)
{
	struct list again, *node;

	spool->failing = false;
	spool->probe_delay_ms = 0;
	log_line(LOG_LEVEL_WARNING, "spool",
	    "commits work again: mail is taken in; %zu records that waited are written now",
	    spool->parked_count);
	spool->parked_count = 0;
	list_init(&again);
	list_move_all(&again, &spool->parked);
	while ((node = list_pop(&again)) != NULL)
		revive_one(container_of(node, struct append, node));
	spool_tidy(spool);
}

static void
probe_later(struct spool *spool)
{
	spool->probe_delay_ms = spool->probe_delay_ms * 2;
	if (spool->probe_delay_ms < PROBE_MIN_MS)
		spool->probe_delay_ms = PROBE_MIN_MS;
	if (spool->probe_delay_ms > PROBE_MAX_MS)
		spool->probe_delay_ms = PROBE_MAX_MS;
	timer_set(&spool->probe_timer, spool->probe_delay_ms);
}

static void
probed(struct spool_write *write)
{
	struct spool *spool = write->owner;
	enum rc rc = write->rc;

	write->segment->pending--;
	write_free(write);
	if (rc == RC_OK)
		recover(spool);
	else if (!spool->closing)
		probe_later(spool);
}

/* An end of no message: replay passes over it. A segment that failed takes nothing, so it goes to a new one. */
void
append_probe(void *arg)
{
	struct spool *spool = arg;
	struct spool_write *write = write_new(0);

	if (write == NULL) {
		probe_later(spool);
		return;
	}
	write->kind = WRITE_RECORD;
	write->header.type = RECORD_DONE;
	write->owner = spool;
	write->done = probed;
	spool_place(spool, write);
}

void
spool_fail(struct spool *spool, const struct why *why)
{
	spool->failures++;
	if (spool->failing)
		return;
	spool->failing = true;
	spool->failure = *why;
	log_line(LOG_LEVEL_ERROR, "spool",
	    "commit failed: %s: the segment is given up, and no mail is taken in until another "
	    "works",
	    why->text);
	if (!spool->closing)
		append_probe(spool);
}

void
append_drop_parked(struct spool *spool)
{
	struct why why = WHY_EMPTY;
	struct list *node;

	if (spool->parked_count > 0)
		log_line(LOG_LEVEL_ERROR, "spool",
		    "%zu outcomes could not be stored: after the next start these messages are "
		    "tried "
		    "again",
		    spool->parked_count);
	(void)why_set(&why, RC_LATER, 0, "spool: closed");
	while ((node = list_pop(&spool->parked)) != NULL)
		append_over(container_of(node, struct append, node), RC_LATER, &why);
	spool->parked_count = 0;
}

/* What a client is told that its mail could not be stored. */
void
append_set_reply(struct why *why)
{
	if (why->err == ENOSPC || why->err == EDQUOT || why->err == EFBIG)
		(void)why_set(why, RC_LATER, 452, "4.3.1 Insufficient system storage");
	else
		(void)why_set(why, RC_LATER, 451, "4.3.0 Mail cannot be stored now");
}

static void
append_finish(struct spool_write *write)
{
	struct append *append = write->owner;
	struct spool *spool = append->spool;
	struct why why = write->why;

	write->segment->pending--;
	if (append->revived)
		spool->reviving--;
	append->revived = false;
	if (write->rc != RC_OK) {
		spool_fail(spool, &write->why);
		if (append->message == NULL) { /* what has become of a message: not to be lost */
			park(append);
			return;
		}
		append_set_reply(&why);
	} else {
		release_all(append);
	}
	append_over(append, write->rc, &why);
	spool_tidy(spool);
}

static void
append_submit(struct append *append, enum record_type type, uint64_t sequence, uint64_t size)
{
	struct spool_write *write = append->write;

	write->kind = WRITE_RECORD;
	write->header.type = type;
	write->header.sequence = sequence;
	write->header.size = (uint32_t)size;
	write->owner = append;
	write->done = append_finish;
	if (append->spool->failing)
		park_new(append);
	else
		spool_place(append->spool, write);
}

/* Its record may be on disk, although the client is told that it is not: a restart must not find it. */
static void
void_message(struct spool *spool, const struct spool_entry *entry)
{
	struct append *append = append_new(spool, 0, NULL, NULL);

	if (append == NULL) {
		log_line(LOG_LEVEL_ERROR, "spool",
		    "message %llu was refused, and that cannot be recorded: a restart may find it",
		    (unsigned long long)entry->sequence);
		return;
	}
	append->write->drop_large = entry->large;
	append_submit(append, RECORD_DONE, entry->sequence, 0);
}

/* A message whose commit failed is out of the spool again. */
static void
message_committed(void *arg, enum rc rc, const struct why *why)
{
	struct append *append = arg;
	struct spool_entry *entry = append->entry;

	if (rc != RC_OK) {
		segment_release(segment_at(append->spool, entry->segment), entry->size);
		index_del(&append->spool->index, entry->sequence);
		void_message(append->spool, entry);
		entry->segment = SEGMENT_NONE;
	}
	append->user_callback(append->user_arg, rc, why);
}

static void
fill_large(struct append *append, const struct message *message)
{
	le_add(&append->owned, message->file_at, 8);
	le_add(&append->owned, message->file_size, 8);
	append->write->large_fd = message->file_fd;
	append->write->large_name = message->file_name;
}

/* Whether a message may have its place, when a disk that is nearly full may have no other segment: outcomes of what is
 * in the queue go first, since without them nothing is ever freed. */
static bool
has_room(const struct spool *spool, uint64_t payload)
{
	const struct segment *active = spool->active;

	if (spool->free_count > 0 ||
	    spool->disk_free >= spool->options.segment_bytes + spool->options.reserve_bytes)
		return true;
	return active != NULL && !active->broken && !active->full &&
	       active->used + record_space(payload) + active->size / OUTCOME_ROOM <= active->size;
}

enum rc
spool_append_message(struct spool *spool, struct spool_entry *entry, struct message *message,
    spool_callback *callback, void *arg, struct why *why)
{
	struct append *append = append_new(spool, message->piece_count + 1, NULL, NULL);
	bool large = message->file_fd >= 0;
	uint64_t size;

	if (append == NULL)
		return why_set(why, RC_LATER, 451, "out of memory");
	if (spool->failing) {
		append_free(append);
		*why = spool->failure;
		append_set_reply(why);
		return RC_LATER;
	}
	envelope_encode(message, &append->owned);
	if (large)
		fill_large(append, message);
	size = buf_len(&append->owned) + message->size - (large ? message->file_size : 0);
	append->message = message_ref(message);
	append->write->pieces[0] = buf_span(&append->owned);
	for (size_t i = 0; i < message->piece_count; i++)
		append->write->pieces[i + 1] = message->pieces[i];
	append->write->piece_count = message->piece_count + 1;
	*entry = (struct spool_entry){ .sequence = spool->next_sequence, .large = large };
	if (append->owned.failed || index_add(&spool->index, entry) != RC_OK ||
	    record_space(size) > spool->options.segment_bytes - SEGMENT_HEADER_SIZE) {
		if (!append->owned.failed)
			index_del(&spool->index, entry->sequence);
		append_free(append);
		return why_set(why, RC_LATER, 451, "message does not fit the spool");
	}
	if (!has_room(spool, size)) {
		index_del(&spool->index, entry->sequence);
		append_free(append);
		return why_set(why, RC_LATER, 452, "4.3.1 Insufficient system storage");
	}
	spool->next_sequence++;
	if (large)
		spool_disk_take(spool, message->file_size);
	append->entry = entry;
	append->callback = message_committed;
	append->arg = append;
	append->user_callback = callback;
	append->user_arg = arg;
	append_submit(append, large ? RECORD_LARGE : RECORD_MESSAGE, entry->sequence, size);
	entry->segment = append->write->segment->number;
	entry->offset = (uint32_t)append->write->offset;
	entry->size = (uint32_t)size;
	segment_hold(append->write->segment, entry->size);
	return RC_OK;
}

enum rc
spool_append_state(struct spool *spool, struct spool_entry *entry, struct span state,
    spool_callback *callback, void *arg)
{
	struct append *append = append_new(spool, 1, callback, arg);

	assert(state.len <= SPOOL_STATE_MAX);
	if (append == NULL)
		return RC_LATER;
	buf_add_span(&append->owned, state);
	if (append->owned.failed) {
		append_free(append);
		return RC_LATER;
	}
	append->write->pieces[0] = buf_span(&append->owned);
	append->write->piece_count = 1;
	/* The older state is needed until this one is durable. */
	append->release[0] = segment_at(spool, entry->state_segment);
	append->release_size[0] = entry->state_size;
	append_submit(append, RECORD_STATE, entry->sequence, state.len);
	entry->state_segment = append->write->segment->number;
	entry->state_offset = (uint32_t)append->write->offset;
	entry->state_size = (uint16_t)state.len;
	segment_hold(append->write->segment, entry->state_size);
	return RC_OK;
}

enum rc
spool_append_done(
    struct spool *spool, struct spool_entry *entry, spool_callback *callback, void *arg)
{
	struct append *append = append_new(spool, 0, callback, arg);

	if (append == NULL)
		return RC_LATER;
	append->release[0] = segment_at(spool, entry->segment);
	append->release_size[0] = entry->size;
	append->release[1] = segment_at(spool, entry->state_segment);
	append->release_size[1] = entry->state_size;
	append->write->drop_large = entry->large;
	index_del(&spool->index, entry->sequence);
	append_submit(append, RECORD_DONE, entry->sequence, 0);
	return RC_OK;
}
