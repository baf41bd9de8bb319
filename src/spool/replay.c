/* spool/replay.c - reads every segment at start, oldest first and sequentially, and tells what is live.
 *
 * In: files that a crash may have left in any of the states of postrider-spool(5). Damage ends nothing: what lies
 * behind it in the segment is looked for, counted and reported. Files that are not ours are left alone. */
#include "config.h"

#include "spool/digest.h"
#include "spool/scan.h"
#include "spool/spool_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/fault.h"
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
	struct scan scan;
	struct envelope envelope; /* of the record at hand */
	struct buf digest;	  /* of the segment at hand */
	struct map early;	  /* of struct early_state */
};

/* Reported, and counted. `name` is of a file in the spool. */
static void
damage(struct replay *r, const char *name, uint64_t from, uint64_t to, const char *text)
{
	r->report->damaged++;
	if (r->ops->on_damage != NULL)
		r->ops->on_damage(r->arg, name, from, to, text);
	else if (to > from)
		log_line(LOG_LEVEL_ERROR, "spool", "%s: from offset %llu to %llu: %s: skipped",
		    name, (unsigned long long)from, (unsigned long long)to, text);
	else
		log_line(LOG_LEVEL_ERROR, "spool", "%s: %s: left alone", name, text);
}

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
list_files(int dirfd, bool read_only, const char *suffix, const char *stale, struct numbers *out,
    struct why *why)
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

		if (stale != NULL && !read_only &&
		    span_iends(span_of(entry->d_name), span_of(stale)))
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
add_message(struct replay *r, const struct record_header *header, struct spool_entry **out)
{
	struct spool_entry *entry = r->ops->on_message(r->arg, &r->envelope.message);

	*out = entry;
	if (entry == NULL)
		return RC_LATER;
	*entry = (struct spool_entry){ .sequence = header->sequence };
	r->report->messages++;
	return index_add(&r->spool->index, entry);
}

/* r->envelope is the message's. */
static enum rc
take_message(struct replay *r, struct segment *segment, uint64_t offset,
    const struct record_header *header, struct why *why)
{
	struct spool_entry *entry = index_get(&r->spool->index, header->sequence);
	struct early_state *early;

	if (entry != NULL) /* a copy made by compaction: the later one counts */
		segment_release(entry->segment, entry->size);
	else if (add_message(r, header, &entry) != RC_OK)
		return why_set(why, RC_LATER, 0, "spool: out of memory in replay");
	entry->segment = segment;
	entry->offset = (uint32_t)offset;
	entry->size = header->size;
	entry->large = header->type == RECORD_LARGE;
	segment_hold(segment, header->size);
	early = r->early.len > 0 ? map_del(&r->early, sequence_key(&header->sequence)) : NULL;
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

static bool
is_message(const struct record_header *header)
{
	return header->type == RECORD_MESSAGE || header->type == RECORD_LARGE;
}

/* payload: of a state. Of a message, r->envelope is it. */
static enum rc
take_record(struct replay *r, struct segment *segment, uint64_t offset,
    const struct record_header *header, struct span payload, struct why *why)
{
	struct spool *spool = r->spool;
	struct spool_entry *entry;

	if (header->sequence >= spool->next_sequence)
		spool->next_sequence = header->sequence + 1;
	if (is_message(header))
		return take_message(r, segment, offset, header, why);
	if (header->type != RECORD_STATE && header->type != RECORD_DONE)
		return RC_OK; /* of a version to come, and not needed to understand the rest */
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

/* RC_BAD: the message is not to be had, and that has been reported. */
static enum rc
look_into(struct replay *r, const char *name, const struct scan_record *record)
{
	uint64_t end = record->offset + record_space(record->header.size);
	size_t used;
	enum rc rc;

	if (work_is_aside(&r->spool->work, record->header.sequence)) {
		damage(r, name, record->offset, end, "a message that ended two starts in a row");
		return RC_BAD;
	}
	work_replaying(&r->spool->work, record->header.sequence);
	(void)fault_point("replay.message");
	rc = envelope_view(record->payload, &r->envelope, &used);
	if (rc == RC_BAD)
		damage(r, name, record->offset, end, "an envelope that makes no sense");
	return rc;
}

/* From the records themselves. Makes the digest on the way. */
static enum rc
replay_records(struct replay *r, struct segment *segment, const char *name, struct why *why)
{
	struct scan_record record;
	struct why detail = WHY_EMPTY;
	enum rc rc;

	buf_clear(&r->digest);
	while ((rc = scan_next(&r->scan, &record, &detail)) == RC_OK) {
		bool message = is_message(&record.header);

		if (record.damaged_from != record.offset) {
			damage(r, name, record.damaged_from, record.offset, "damaged");
			segment->damaged = true;
		}
		rc = message ? look_into(r, name, &record) : RC_OK;
		if (rc == RC_BAD) {
			segment->damaged = true;
			continue;
		}
		if (rc == RC_OK)
			rc = take_record(
			    r, segment, record.offset, &record.header, record.payload, why);
		if (rc != RC_OK)
			return why_set(why, rc, 0, "spool: out of memory in replay");
		digest_add(&r->digest, &record, message ? &r->envelope.message : NULL);
	}
	if (rc == RC_LATER) {
		damage(r, name, r->scan.at, segment->size, detail.text);
		segment->damaged = true;
	}
	segment->used = r->scan.at;
	r->report->bytes += r->scan.at - SEGMENT_HEADER_SIZE;
	return RC_OK;
}

/* From the digest. RC_BAD: in doubt; what was taken is taken again from the records, which changes nothing. */
static enum rc
replay_digest(struct replay *r, struct segment *segment, struct why *why)
{
	struct why detail = WHY_EMPTY;
	struct digest_entry entry;
	struct span rest;
	uint64_t end = 0;
	enum rc rc;

	buf_clear(&r->digest);
	if (digest_read(r->spool->dirfd, segment->generation, segment->stamp, &end, &r->digest,
		&detail) != RC_OK ||
	    end > segment->size || scan_look(&r->scan, end, &detail) != RC_BAD)
		return RC_BAD;
	rest = buf_span(&r->digest);
	while ((rc = digest_get(&rest, &entry)) == RC_OK) {
		if (entry.offset + record_space(entry.header.size) > end)
			return RC_BAD;
		if (is_message(&entry.header)) {
			if (work_is_aside(&r->spool->work, entry.header.sequence))
				return RC_BAD;
			work_replaying(&r->spool->work, entry.header.sequence);
			(void)fault_point("replay.message");
			rc = digest_envelope(entry.extra, &r->envelope);
		}
		if (rc == RC_OK)
			rc = take_record(r, segment, entry.offset, &entry.header, entry.extra, why);
		if (rc != RC_OK)
			return rc;
	}
	segment->used = end;
	return rc == RC_MORE ? RC_OK : RC_BAD;
}

/* For a command that looks at everything: a digest that would be believed, and says something else. */
static void
compare_digest(struct replay *r, const struct segment *segment)
{
	struct buf entries = BUF_EMPTY;
	struct why why = WHY_EMPTY;
	char name[SEGMENT_NAME_LEN];
	uint64_t end = 0;
	enum rc rc =
	    digest_read(r->spool->dirfd, segment->generation, segment->stamp, &end, &entries, &why);

	segment_name(segment->generation, DIGEST_SUFFIX, name);
	if (rc == RC_OK &&
	    (end != segment->used || !span_eq(buf_span(&entries), buf_span(&r->digest))) &&
	    scan_look(&r->scan, end, &why) == RC_BAD)
		damage(r, name, 0, 0, "says something else than its segment");
	if (rc == RC_OK)
		r->report->digests++;
	buf_free(&entries);
}

static enum rc
replay_segment(struct replay *r, struct segment *segment, const char *name, struct why *why)
{
	struct spool *spool = r->spool;
	struct why detail = WHY_EMPTY;
	enum rc rc;

	scan_begin(&r->scan, segment->fd, segment->generation, segment->size);
	rc = spool->options.no_digests ? RC_BAD : replay_digest(r, segment, why);
	if (rc == RC_OK)
		r->report->digests++;
	if (rc != RC_BAD) {
		segment->digested = true;
		return rc;
	}
	scan_begin(&r->scan, segment->fd, segment->generation, segment->size);
	rc = replay_records(r, segment, name, why);
	segment->digested = true; /* or it cannot have one */
	if (rc == RC_OK && spool->read_only)
		compare_digest(r, segment);
	if (rc == RC_OK && !spool->read_only && !segment->damaged && !r->digest.failed &&
	    digest_write(spool->dirfd, segment->generation, segment->stamp, segment->used,
		buf_span(&r->digest), &detail) != RC_OK)
		log_line(LOG_LEVEL_WARNING, "spool", "%s", detail.text);
	return rc;
}

static enum rc
read_segment(struct replay *r, uint64_t generation, struct why *why)
{
	struct spool *spool = r->spool;
	char name[SEGMENT_NAME_LEN];
	struct segment *segment;
	uint64_t in_header, stamp = 0;
	struct stat st;
	struct why detail = WHY_EMPTY;
	enum rc rc;
	int fd;

	segment_name(generation, "seg", name);
	fd = openat(spool->dirfd, name,
	    (spool->read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && spool->read_only)
		return RC_OK; /* a daemon that runs has freed it meanwhile */
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		damage(r, name, 0, 0, "not a file that can be read");
		if (fd >= 0)
			(void)close(fd);
		return RC_OK;
	}
	rc = scan_header(fd, &in_header, &stamp, &detail);
	if (rc == RC_OK && in_header != generation)
		rc = why_set(&detail, RC_BAD, 0, "name and header differ");
	if (rc == RC_DENY) {
		(void)close(fd);
		return why_set(why, rc, 0, "%s: %s", name, detail.text);
	}
	if (rc != RC_OK) {
		damage(r, name, 0, 0, detail.text);
		(void)close(fd);
		return RC_OK;
	}
	segment = segment_new(spool, generation, (uint64_t)st.st_size);
	if (segment == NULL) {
		(void)close(fd);
		return why_set(why, RC_LATER, 0, "spool: out of memory in replay");
	}
	segment->fd = fd;
	segment->stamp = stamp;
	segment->created = true;
	r->report->segments++;
	return replay_segment(r, segment, name, why);
}

/* ------------------------------------------------------------------ large bodies -------------- */

static enum rc
drop_orphans(struct spool *spool, struct why *why)
{
	struct numbers bodies;
	char name[SEGMENT_NAME_LEN];
	enum rc rc = list_files(spool->large_dirfd, spool->read_only, "body", ".tmp", &bodies, why);

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
	enum rc rc = list_files(spool->dirfd, false, "free", ".new", &files, why);

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

/* A digest without its segment, and what may not be used for a generation again. */
static enum rc
take_other_files(struct spool *spool, struct why *why)
{
	struct numbers files;
	char name[SEGMENT_NAME_LEN];
	enum rc rc = list_files(spool->dirfd, false, "bad", NULL, &files, why);

	if (rc == RC_OK && files.len > 0 && files.at[files.len - 1] >= spool->next_generation)
		spool->next_generation = files.at[files.len - 1] + 1;
	free(files.at);
	if (rc != RC_OK)
		return rc;
	rc = list_files(spool->dirfd, false, DIGEST_SUFFIX, NULL, &files, why);
	for (size_t i = 0; rc == RC_OK && i < files.len; i++) {
		segment_name(files.at[i], "seg", name);
		if (faccessat(spool->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		segment_name(files.at[i], DIGEST_SUFFIX, name);
		(void)unlinkat(spool->dirfd, name, 0);
	}
	free(files.at);
	return rc;
}

static void
tell_poisoned(struct replay *r)
{
	const struct work *work = &r->spool->work;

	for (size_t i = 0; r->ops->on_poison != NULL && i < work->poisoned_count; i++) {
		struct spool_entry *entry = index_get(&r->spool->index, work->poisoned[i]);

		if (entry != NULL) {
			r->report->poisoned++;
			r->ops->on_poison(r->arg, entry);
		}
	}
}

enum rc
replay_run(struct spool *spool, const struct spool_replay_ops *ops, void *arg,
    struct spool_replay_report *report, struct why *why)
{
	struct replay r = { .spool = spool, .ops = ops, .arg = arg, .report = report };
	int64_t start_ms = clock_mono_ms();
	struct numbers files;
	enum rc rc;

	*report = (struct spool_replay_report){ 0 };
	rc = list_files(spool->dirfd, false, "seg", NULL, &files, why);
	for (size_t i = 0; rc == RC_OK && i < files.len; i++) {
		if (files.at[i] >= spool->next_generation)
			spool->next_generation = files.at[i] + 1;
		rc = read_segment(&r, files.at[i], why);
	}
	work_replaying(&spool->work, 0);
	if (rc == RC_OK)
		tell_poisoned(&r);
	free(files.at);
	scan_free(&r.scan);
	envelope_free(&r.envelope);
	buf_free(&r.digest);
	early_free(&r);
	if (rc == RC_OK && !spool->read_only) {
		rc = take_free_files(spool, why);
		if (rc == RC_OK)
			rc = take_other_files(spool, why);
		if (rc == RC_OK)
			rc = drop_orphans(spool, why);
	}
	if (spool->active != NULL) /* history: new records go to a segment of their own */
		spool->active->full = true;
	report->live = spool->index.len;
	report->took_ms = clock_mono_ms() - start_ms;
	return rc;
}
