/* spool/replay.c - reads every segment at start, oldest first and sequentially, and tells what is live.
 *
 * In: files that a crash may have left in any of the states of postrider-spool(5). Damage ends nothing: what lies
 * behind it in the segment is looked for, counted and reported. Files that are not ours are left alone. */
#include "config.h"

#include "spool/spool_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/crc32c.h"
#include "util/fsutil.h"
#include "util/hash.h"
#include "util/log.h"

/* A state that stands before its message: compaction has copied the message to the end of the log, and its state has
 * stayed where it was. Kept until the copy comes, or the word that the message is done. */
struct early_state {
	uint64_t sequence; /* the key in replay->early */
	struct segment *segment;
	uint32_t offset, size;
	char bytes[];
};

struct replay {
	struct spool *spool;
	const struct spool_replay_ops *ops;
	void *arg;
	struct spool_replay_report *report;
	char *memory; /* one segment */
	uint64_t memory_size;
	struct map early; /* of struct early_state */
};

static bool
parse_name(const char *name, const char *suffix, uint64_t *generation)
{
	char want[SEGMENT_NAME_LEN];
	char *end;

	errno = 0;
	*generation = strtoull(name, &end, 16);
	if (errno != 0 || end != name + 16)
		return false;
	segment_name(*generation, suffix, want);
	return strcmp(name, want) == 0;
}

static int
by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct numbers {
	uint64_t *at;
	size_t len;
};

/* The generations (or sequences) of the files NUMBER.suffix, sorted; names ending in `.stale` are removed: left
 * from a creation that was cut. */
static enum rc
list_files(int dirfd, const char *suffix, const char *stale, struct numbers *out, struct why *why)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	enum rc rc = RC_OK;

	*out = (struct numbers){ NULL, 0 };
	if (dir == NULL)
		return why_errno(why, errno, "spool: list of files");
	while (rc == RC_OK && (entry = readdir(dir)) != NULL) {
		uint64_t number, *grown;

		if (stale != NULL && span_iends(span_of(entry->d_name), span_of(stale)))
			(void)unlinkat(dirfd, entry->d_name, 0);
		if (!parse_name(entry->d_name, suffix, &number))
			continue;
		grown = realloc(out->at, (out->len + 1) * sizeof *grown);
		if (grown == NULL) {
			rc = why_set(why, RC_LATER, 0, "spool: out of memory");
			break;
		}
		out->at = grown;
		out->at[out->len++] = number;
	}
	(void)closedir(dir);
	if (out->len > 1)
		qsort(out->at, out->len, sizeof *out->at, by_number);
	return rc;
}

/* ------------------------------------------------------------------ early states -------------- */

static struct span
sequence_key(const uint64_t *sequence)
{
	return span_make((const char *)sequence, sizeof *sequence);
}

static void
early_forget(struct replay *r, uint64_t sequence)
{
	free(map_del(&r->early, sequence_key(&sequence)));
}

static enum rc
early_keep(struct replay *r, struct segment *segment, uint64_t offset,
    const struct record_header *header, struct span payload, struct why *why)
{
	struct early_state *early = malloc(sizeof *early + payload.len);

	early_forget(r, header->sequence); /* the later one counts */
	if (early == NULL)
		return why_set(why, RC_LATER, 0, "spool: out of memory in replay");
	early->sequence = header->sequence;
	early->segment = segment;
	early->offset = (uint32_t)offset;
	early->size = header->size;
	memcpy(early->bytes, payload.p, payload.len);
	if (map_put(&r->early, sequence_key(&early->sequence), early) != RC_OK) {
		free(early);
		return why_set(why, RC_LATER, 0, "spool: out of memory in replay");
	}
	return RC_OK;
}

static void
early_free(struct replay *r)
{
	MAP_FOREACH (slot, &r->early)
		free(slot->value);
	map_free(&r->early);
}

/* ------------------------------------------------------------------ records ------------------- */

static void
set_state(struct replay *r, struct spool_entry *entry, struct segment *segment, uint64_t offset,
    struct span state)
{
	if (entry->state_segment != NULL)
		segment_release(entry->state_segment, entry->state_size);
	entry->state_segment = segment;
	entry->state_offset = (uint32_t)offset;
	entry->state_size = (uint32_t)state.len;
	segment_hold(segment, entry->state_size);
	r->ops->on_state(r->arg, entry, state);
}

static enum rc
take_message(struct replay *r, struct segment *segment, uint64_t offset,
    const struct record_header *header, struct span payload, struct why *why)
{
	struct spool *spool = r->spool;
	struct spool_entry *entry = index_get(&spool->index, header->sequence);
	struct early_state *early;
	struct message *envelope;
	size_t used;
	enum rc rc;

	if (entry == NULL) {
		envelope = message_new();
		rc = envelope != NULL ? envelope_decode(payload, envelope, &used) : RC_LATER;
		if (rc == RC_OK) {
			entry = r->ops->on_message(r->arg, envelope);
			rc = entry != NULL ? RC_OK : RC_LATER;
		}
		message_unref(envelope);
		if (rc == RC_BAD) {
			r->report->damaged++;
			return RC_OK;
		}
		if (rc != RC_OK)
			return why_set(why, rc, 0, "spool: out of memory in replay");
		*entry = (struct spool_entry){ .sequence = header->sequence };
		if (index_add(&spool->index, entry) != RC_OK)
			return why_set(why, RC_LATER, 0, "spool: out of memory in replay");
		r->report->messages++;
	} else { /* a copy made by compaction: the later one counts */
		segment_release(entry->segment, entry->size);
	}
	entry->segment = segment;
	entry->offset = (uint32_t)offset;
	entry->size = header->size;
	entry->large = header->type == RECORD_LARGE;
	segment_hold(segment, header->size);
	early = map_del(&r->early, sequence_key(&header->sequence));
	if (early != NULL)
		set_state(
		    r, entry, early->segment, early->offset, span_make(early->bytes, early->size));
	free(early);
	return RC_OK;
}

static void
let_go(struct spool_entry *entry)
{
	segment_release(entry->segment, entry->size);
	if (entry->state_segment != NULL)
		segment_release(entry->state_segment, entry->state_size);
}

static enum rc
take_record(struct replay *r, struct segment *segment, uint64_t offset,
    const struct record_header *header, struct span payload, struct why *why)
{
	struct spool *spool = r->spool;
	struct spool_entry *entry;

	if (header->sequence >= spool->next_sequence)
		spool->next_sequence = header->sequence + 1;
	if (header->type == RECORD_MESSAGE || header->type == RECORD_LARGE)
		return take_message(r, segment, offset, header, payload, why);
	entry = index_get(&spool->index, header->sequence);
	if (entry == NULL && header->type == RECORD_STATE)
		return early_keep(r, segment, offset, header, payload, why);
	if (entry == NULL) { /* of a message that is gone, with its segment */
		early_forget(r, header->sequence);
		return RC_OK;
	}
	if (header->type == RECORD_STATE) {
		set_state(r, entry, segment, offset, payload);
	} else if (header->type == RECORD_DONE) {
		let_go(entry);
		index_del(&spool->index, header->sequence);
		r->ops->on_done(r->arg, entry);
	}
	return RC_OK;
}

/* Walk the records of a segment that is in memory. */
static enum rc
walk(struct replay *r, struct segment *segment, struct span bytes, struct why *why)
{
	size_t at = SEGMENT_HEADER_SIZE;
	enum rc rc = RC_OK;

	while (rc == RC_OK && at < bytes.len) {
		struct record_header header;
		struct span rest = span_skip(bytes, at), payload;
		bool good = record_header_decode(rest, segment->generation, &header) == RC_OK &&
			    header.size <= rest.len - RECORD_HEADER_SIZE;

		if (good) {
			payload = span_make(rest.p + RECORD_HEADER_SIZE, header.size);
			good = crc32c(0, payload.p, payload.len) == header.payload_crc;
		}
		if (!good) {
			size_t next = record_find(bytes, at + RECORD_ALIGN, segment->generation);

			if (next >= bytes.len)
				break; /* the end of what was written, or a torn last record */
			r->report->damaged++;
			log_line(LOG_LEVEL_ERROR, "spool",
			    "segment %llu: damaged from offset %zu to %zu: skipped",
			    (unsigned long long)segment->generation, at, next);
			at = next;
			continue;
		}
		rc = take_record(r, segment, at, &header, payload, why);
		at += record_space(header.size);
		r->report->bytes += record_space(header.size);
	}
	segment->used = at;
	return rc;
}

static enum rc
read_segment(struct replay *r, uint64_t generation, struct why *why)
{
	struct spool *spool = r->spool;
	char name[SEGMENT_NAME_LEN];
	struct segment *segment;
	uint64_t in_header, size;
	struct stat st;
	struct why detail = WHY_EMPTY;
	enum rc rc;
	int fd;

	segment_name(generation, "seg", name);
	fd = openat(spool->dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		log_line(LOG_LEVEL_ERROR, "spool", "%s: not a readable file: left alone", name);
		r->report->damaged++;
		if (fd >= 0)
			(void)close(fd);
		return RC_OK;
	}
	if ((uint64_t)st.st_size > r->memory_size) {
		char *memory = realloc(r->memory, (size_t)st.st_size);

		if (memory == NULL) {
			(void)close(fd);
			return why_set(why, RC_LATER, 0, "spool: out of memory in replay");
		}
		r->memory = memory;
		r->memory_size = (uint64_t)st.st_size;
	}
	rc = fsutil_pread_all(fd, r->memory, (size_t)st.st_size, 0, &detail);
	if (rc == RC_OK)
		rc = segment_header_decode(
		    span_make(r->memory, (size_t)st.st_size), &in_header, &size, &detail);
	if (rc == RC_OK && in_header != generation)
		rc = why_set(&detail, RC_BAD, 0, "name and header differ");
	if (rc == RC_DENY) {
		(void)close(fd);
		return why_set(why, rc, 0, "%s: %s", name, detail.text);
	}
	if (rc != RC_OK) {
		log_line(LOG_LEVEL_ERROR, "spool", "%s: %s: left alone", name, detail.text);
		r->report->damaged++;
		(void)close(fd);
		return RC_OK;
	}
	segment = segment_new(spool, generation, (uint64_t)st.st_size);
	if (segment == NULL) {
		(void)close(fd);
		return why_set(why, RC_LATER, 0, "spool: out of memory in replay");
	}
	segment->fd = fd;
	segment->created = true;
	r->report->segments++;
	return walk(r, segment, span_make(r->memory, (size_t)st.st_size), why);
}

/* ------------------------------------------------------------------ large bodies -------------- */

static enum rc
drop_orphans(struct spool *spool, struct why *why)
{
	struct numbers bodies;
	char name[SEGMENT_NAME_LEN];
	enum rc rc = list_files(spool->large_dirfd, "body", ".tmp", &bodies, why);

	for (size_t i = 0; rc == RC_OK && i < bodies.len; i++)
		if (index_get(&spool->index, bodies.at[i]) == NULL) {
			segment_name(bodies.at[i], "body", name);
			(void)unlinkat(spool->large_dirfd, name, 0);
		}
	free(bodies.at);
	return rc;
}

/* Files that wait for reuse, oldest first; surplus ones are removed. */
static enum rc
take_free_files(struct spool *spool, struct why *why)
{
	struct numbers files;
	char name[SEGMENT_NAME_LEN];
	enum rc rc = list_files(spool->dirfd, "free", ".new", &files, why);

	for (size_t i = 0; rc == RC_OK && i < files.len; i++) {
		if (files.at[i] >= spool->next_generation)
			spool->next_generation = files.at[i] + 1;
		if (spool->free_count < FREE_FILES_MAX) {
			spool->free_files[spool->free_count++] = files.at[i];
			continue;
		}
		segment_name(files.at[i], "free", name);
		(void)unlinkat(spool->dirfd, name, 0);
	}
	free(files.at);
	return rc;
}

enum rc
spool_replay(struct spool *spool, const struct spool_replay_ops *ops, void *arg,
    struct spool_replay_report *report, struct why *why)
{
	struct replay r = { .spool = spool, .ops = ops, .arg = arg, .report = report };
	int64_t start_ms = clock_mono_ms();
	struct numbers files;
	enum rc rc;

	*report = (struct spool_replay_report){ 0 };
	rc = list_files(spool->dirfd, "seg", NULL, &files, why);
	for (size_t i = 0; rc == RC_OK && i < files.len; i++) {
		if (files.at[i] >= spool->next_generation)
			spool->next_generation = files.at[i] + 1;
		rc = read_segment(&r, files.at[i], why);
	}
	free(files.at);
	free(r.memory);
	early_free(&r);
	if (rc == RC_OK)
		rc = take_free_files(spool, why);
	if (rc == RC_OK)
		rc = drop_orphans(spool, why);
	if (rc == RC_OK && spool->active != NULL) {
		/* What is there is history: new records go to a segment of their own. */
		struct segment *last = spool->active;

		last->used = last->size;
		spool_tidy(spool);
	}
	report->live = spool->index.len;
	report->took_ms = clock_mono_ms() - start_ms;
	return rc;
}
