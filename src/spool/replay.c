/* spool/replay.c - finds out at start what is in the log, then tells of it message by message.
 *
 * The survey reads every segment, oldest first, by its digest or whole: it knows the end, the last copy and the latest
 * state of each message before anything is told, so what is told is true at once and can be delivered while the rest is
 * still being told. In: files that a crash may have left in any of the states of postrider-spool(5). Damage ends
 * nothing: what lies behind it in the segment is looked for, counted and reported. Files that are not ours are left
 * alone. */
#include "config.h"

#include "spool/digest.h"
#include "spool/fate.h"
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
#include "util/log.h"

struct numbers {
	uint64_t *at;
	size_t len, cap;
};

struct surveyed {
	struct segment *segment;
	struct buf digest; /* read, or made of the records */
};

struct replay {
	struct spool *spool;
	const struct spool_replay_ops *ops;
	void *arg;
	struct spool_replay_report report;
	int64_t start_ms;
	struct scan scan;
	struct envelope envelope;  /* of the message at hand */
	struct surveyed *segments; /* oldest first; fates count them from 1 */
	size_t segment_count;
	struct fates fates;
	uint64_t newest;      /* of the messages surveyed: one that is not newer is a copy */
	struct numbers large; /* messages with a body of its own */
	/* What is told next. */
	size_t at;
	struct span rest; /* of its digest; SPAN_EMPTY: it is not begun */
	bool begun;
};

/* Reported, and counted. `name` is of a file in the spool. */
static void
damage(struct replay *r, const char *name, uint64_t from, uint64_t to, const char *text)
{
	r->report.damaged++;
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

static enum rc
add_number(struct numbers *numbers, uint64_t number)
{
	if (numbers->len == numbers->cap) {
		size_t cap = numbers->cap > 0 ? numbers->cap * 2 : 64;
		uint64_t *grown = realloc(numbers->at, cap * sizeof *grown);

		if (grown == NULL)
			return RC_LATER;
		numbers->at = grown;
		numbers->cap = cap;
	}
	numbers->at[numbers->len++] = number;
	return RC_OK;
}

static void
sort_numbers(struct numbers *numbers)
{
	if (numbers->len > 1)
		qsort(numbers->at, numbers->len, sizeof *numbers->at, by_number);
}

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

	*out = (struct numbers){ NULL, 0, 0 };
	if (dir == NULL)
		return why_errno(why, errno, "spool: list of files");
	while (rc == RC_OK && (entry = readdir(dir)) != NULL) {
		uint64_t number;

		if (stale != NULL && !read_only &&
		    span_iends(span_of(entry->d_name), span_of(stale)))
			(void)unlinkat(dirfd, entry->d_name, 0);
		if (!parse_name(entry->d_name, suffix, &number))
			continue;
		if (add_number(out, number) != RC_OK)
			rc = why_set(why, RC_LATER, 0, "spool: out of memory");
	}
	(void)closedir(dir);
	sort_numbers(out);
	return rc;
}

/* ------------------------------------------------------------------ the survey ---------------- */

static enum rc
no_memory(struct why *why)
{
	return why_set(why, RC_LATER, 0, "spool: out of memory in replay");
}

static bool
is_message(const struct record_header *header)
{
	return header->type == RECORD_MESSAGE || header->type == RECORD_LARGE;
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
	rc = envelope_view(record->payload, &r->envelope, &used);
	if (rc == RC_BAD)
		damage(r, name, record->offset, end, "an envelope that makes no sense");
	return rc;
}

/* From the records themselves: makes the digest. */
static enum rc
survey_records(struct replay *r, struct surveyed *s, const char *name, struct why *why)
{
	struct segment *segment = s->segment;
	struct scan_record record;
	struct why detail = WHY_EMPTY;
	enum rc rc;

	buf_clear(&s->digest);
	scan_begin(&r->scan, segment->fd, segment->generation, segment->size);
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
		digest_add(&s->digest, &record, message ? &r->envelope.message : NULL);
		if (rc != RC_OK || s->digest.failed)
			return no_memory(why);
	}
	if (rc == RC_LATER) {
		damage(r, name, r->scan.at, segment->size, detail.text);
		segment->damaged = true;
	}
	work_replaying(&r->spool->work, 0);
	segment->used = r->scan.at;
	r->report.bytes += r->scan.at - SEGMENT_HEADER_SIZE;
	return RC_OK;
}

/* From the file beside the segment. RC_BAD: there is none, or it is in doubt. */
static enum rc
survey_digest(struct replay *r, struct surveyed *s)
{
	struct segment *segment = s->segment;
	struct why detail = WHY_EMPTY;
	struct digest_entry entry;
	struct span rest;
	uint64_t end = 0;
	enum rc rc;

	scan_begin(&r->scan, segment->fd, segment->generation, segment->size);
	if (digest_read(r->spool->dirfd, segment->generation, segment->stamp, &end, &s->digest,
		&detail) != RC_OK ||
	    end > segment->size || scan_look(&r->scan, end, &detail) != RC_BAD)
		return RC_BAD;
	rest = buf_span(&s->digest);
	while ((rc = digest_get(&rest, &entry)) == RC_OK)
		if (entry.offset + record_space(entry.header.size) > end ||
		    (is_message(&entry.header) &&
			(!digest_brief_is_good(entry.extra) ||
			    work_is_aside(&r->spool->work, entry.header.sequence))))
			return RC_BAD;
	segment->used = end;
	return rc == RC_MORE ? RC_OK : RC_BAD;
}

/* What the entry says of a message that is told some other time, or not at all. */
static enum rc
note_fate(struct replay *r, const struct digest_entry *entry, uint32_t at)
{
	uint32_t segment = (uint32_t)r->segment_count; /* the last one */
	uint64_t sequence = entry->header.sequence;
	struct fate *fate;

	if (is_message(&entry->header) && sequence > r->newest) {
		r->newest = sequence;
		r->report.messages++;
		return RC_OK;
	}
	/* Number 0 has no message; what is of a version to come is not needed to understand the rest. */
	if (sequence == 0 || (!is_message(&entry->header) && entry->header.type != RECORD_STATE &&
				 entry->header.type != RECORD_DONE))
		return RC_OK;
	fate = fates_of(&r->fates, sequence);
	if (fate == NULL)
		return RC_LATER;
	if (is_message(&entry->header)) {
		fate->copy_segment = segment;
		fate->copy_offset = (uint32_t)entry->offset;
	} else if (entry->header.type == RECORD_DONE) {
		fate->ended = true;
	} else if (entry->header.size <= SPOOL_STATE_MAX) {
		fate->state_segment = segment;
		fate->state_at = at;
	}
	return RC_OK;
}

static enum rc
note_fates(struct replay *r, const struct surveyed *s, struct why *why)
{
	struct spool *spool = r->spool;
	struct span all = buf_span(&s->digest), rest = all;
	struct digest_entry entry;

	for (uint32_t at = 0; digest_get(&rest, &entry) == RC_OK;
	     at = (uint32_t)(all.len - rest.len)) {
		if (entry.header.sequence >= spool->next_sequence)
			spool->next_sequence = entry.header.sequence + 1;
		if (note_fate(r, &entry, at) != RC_OK ||
		    (entry.header.type == RECORD_LARGE &&
			add_number(&r->large, entry.header.sequence) != RC_OK))
			return no_memory(why);
	}
	return RC_OK;
}

/* For a command that looks at everything: a digest that would be believed, and says something else. */
static void
compare_digest(struct replay *r, const struct surveyed *s)
{
	const struct segment *segment = s->segment;
	struct buf entries = BUF_EMPTY;
	struct why why = WHY_EMPTY;
	char name[SEGMENT_NAME_LEN];
	uint64_t end = 0;
	enum rc rc =
	    digest_read(r->spool->dirfd, segment->generation, segment->stamp, &end, &entries, &why);

	segment_name(segment->generation, DIGEST_SUFFIX, name);
	if (rc == RC_OK &&
	    (end != segment->used || !span_eq(buf_span(&entries), buf_span(&s->digest))) &&
	    scan_look(&r->scan, end, &why) == RC_BAD)
		damage(r, name, 0, 0, "says something else than its segment");
	if (rc == RC_OK)
		r->report.digests++;
	buf_free(&entries);
}

static enum rc
survey_segment(struct replay *r, struct segment *segment, const char *name, struct why *why)
{
	struct spool *spool = r->spool;
	struct surveyed *grown, *s;
	struct why detail = WHY_EMPTY;
	enum rc rc;

	grown = realloc(r->segments, (r->segment_count + 1) * sizeof *grown);
	if (grown == NULL)
		return no_memory(why);
	r->segments = grown;
	s = &r->segments[r->segment_count++];
	*s = (struct surveyed){ segment, BUF_EMPTY };
	segment->digested = true; /* or it cannot have one */
	if (!spool->options.no_digests && survey_digest(r, s) == RC_OK) {
		r->report.digests++;
		return note_fates(r, s, why);
	}
	rc = survey_records(r, s, name, why);
	if (rc == RC_OK && spool->read_only)
		compare_digest(r, s);
	if (rc == RC_OK && !spool->read_only && !segment->damaged &&
	    digest_write(spool->dirfd, segment->generation, segment->stamp, segment->used,
		buf_span(&s->digest), &detail) != RC_OK)
		log_line(LOG_LEVEL_WARNING, "spool", "%s", detail.text);
	return rc == RC_OK ? note_fates(r, s, why) : rc;
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
		return no_memory(why);
	}
	segment->fd = fd;
	segment->stamp = stamp;
	segment->created = true;
	r->report.segments++;
	return survey_segment(r, segment, name, why);
}

/* ------------------------------------------------------------------ other files --------------- */

/* Bodies of no message. */
static enum rc
drop_orphans(struct replay *r, struct why *why)
{
	struct spool *spool = r->spool;
	struct numbers bodies;
	char name[SEGMENT_NAME_LEN];
	enum rc rc = list_files(spool->large_dirfd, spool->read_only, "body", ".tmp", &bodies, why);

	sort_numbers(&r->large);
	for (size_t i = 0; rc == RC_OK && i < bodies.len; i++) {
		const struct fate *fate = fates_find(&r->fates, bodies.at[i]);

		if ((fate == NULL || !fate->ended) && r->large.len > 0 &&
		    bsearch(&bodies.at[i], r->large.at, r->large.len, sizeof bodies.at[i],
			by_number) != NULL)
			continue;
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

/* ------------------------------------------------------------------ telling ------------------- */

static void
set_state(struct replay *r, struct spool_entry *entry, const struct fate *fate)
{
	const struct surveyed *s = &r->segments[fate->state_segment - 1];
	struct span rest = span_skip(buf_span(&s->digest), fate->state_at);
	struct digest_entry state;

	(void)!digest_get(&rest, &state); /* it was there when the fate was noted */
	entry->state_segment = s->segment->number;
	entry->state_offset = (uint32_t)state.offset;
	entry->state_size = (uint16_t)state.header.size;
	segment_hold(s->segment, entry->state_size);
	if (r->ops->on_state != NULL)
		r->ops->on_state(r->arg, entry, state.extra);
}

static bool
is_poisoned(const struct work *work, uint64_t sequence)
{
	for (size_t i = 0; i < work->poisoned_count; i++)
		if (work->poisoned[i] == sequence)
			return true;
	return false;
}

static enum rc
tell_live(struct replay *r, const struct digest_entry *found, const struct fate *fate)
{
	const struct spool_replay_ops *ops = r->ops;
	struct segment *segment = r->segments[r->at].segment;
	struct spool_entry *entry = ops->on_message(r->arg, &r->envelope.message);

	if (entry == NULL)
		return RC_LATER;
	*entry = (struct spool_entry){ .sequence = found->header.sequence,
		.segment = segment->number,
		.offset = (uint32_t)found->offset,
		.size = found->header.size,
		.large = found->header.type == RECORD_LARGE };
	if (index_add(&r->spool->index, entry) != RC_OK) {
		if (ops->on_left != NULL)
			ops->on_left(r->arg, entry);
		return RC_LATER;
	}
	r->report.live++;
	segment_hold(segment, entry->size);
	if (fate != NULL && fate->state_segment != 0)
		set_state(r, entry, fate);
	if (is_poisoned(&r->spool->work, entry->sequence)) {
		r->report.poisoned++;
		if (ops->on_poison != NULL)
			ops->on_poison(r->arg, entry);
	}
	if (ops->on_taken != NULL)
		ops->on_taken(r->arg, entry);
	return RC_OK;
}

/* RC_LATER: memory is out, and nothing has been told. */
static enum rc
tell(struct replay *r, const struct digest_entry *found)
{
	const struct fate *fate = fates_find(&r->fates, found->header.sequence);
	bool ended = fate != NULL && fate->ended;
	enum rc rc;

	if (fate != NULL && fate->copy_segment != 0 &&
	    (fate->copy_segment != r->at + 1 || fate->copy_offset != found->offset))
		return RC_OK; /* the last copy counts */
	if (ended && r->ops->on_ended == NULL)
		return RC_OK;
	work_replaying(&r->spool->work, found->header.sequence);
	(void)fault_point("replay.message");
	rc = digest_envelope(found->extra, &r->envelope);
	if (rc == RC_OK && ended)
		r->ops->on_ended(r->arg, &r->envelope.message);
	else if (rc == RC_OK)
		rc = tell_live(r, found, fate);
	return rc;
}

/* Of the segment at r->at; RC_MORE when `count` was used up before its end. */
static enum rc
tell_segment(struct replay *r, size_t *count)
{
	struct digest_entry entry;
	enum rc rc = RC_OK;

	if (!r->begun)
		r->rest = buf_span(&r->segments[r->at].digest);
	r->begun = true;
	while (rc == RC_OK && *count > 0) {
		struct span before = r->rest;

		if (digest_get(&r->rest, &entry) != RC_OK) {
			r->begun = false;
			return RC_OK;
		}
		--*count;
		rc = is_message(&entry.header) ? tell(r, &entry) : RC_OK;
		if (rc != RC_OK)
			r->rest = before;
	}
	return rc == RC_OK ? RC_MORE : rc;
}

enum rc
replay_step(struct spool *spool, size_t count, struct spool_replay_report *report, struct why *why)
{
	struct replay *r = spool->replay;
	enum rc rc = RC_OK;

	while (rc == RC_OK && r->at < r->segment_count) {
		rc = tell_segment(r, &count);
		if (rc == RC_OK)
			r->at++;
	}
	work_replaying(&spool->work, 0);
	if (rc == RC_LATER)
		(void)no_memory(why);
	if (rc != RC_OK)
		return RC_MORE;
	r->report.took_ms = clock_mono_ms() - r->start_ms;
	*report = r->report;
	spool->replay = NULL;
	replay_free(r);
	return RC_OK;
}

/* ------------------------------------------------------------------ begin, end ---------------- */

void
replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->segment_count; i++)
		buf_free(&r->segments[i].digest);
	free(r->segments);
	free(r->large.at);
	fates_free(&r->fates);
	scan_free(&r->scan);
	envelope_free(&r->envelope);
	free(r);
}

static enum rc
survey(struct replay *r, struct why *why)
{
	struct spool *spool = r->spool;
	struct numbers files;
	enum rc rc = list_files(spool->dirfd, false, "seg", NULL, &files, why);

	for (size_t i = 0; rc == RC_OK && i < files.len; i++) {
		if (files.at[i] >= spool->next_generation)
			spool->next_generation = files.at[i] + 1;
		rc = read_segment(r, files.at[i], why);
	}
	free(files.at);
	if (rc == RC_OK && !spool->read_only) {
		rc = take_free_files(spool, why);
		if (rc == RC_OK)
			rc = take_other_files(spool, why);
		if (rc == RC_OK)
			rc = drop_orphans(r, why);
	}
	if (spool->active != NULL) /* history: new records go to a segment of their own */
		spool->active->full = true;
	return rc;
}

enum rc
replay_begin(struct spool *spool, struct why *why)
{
	struct replay *r = calloc(1, sizeof *r);

	if (r == NULL)
		return no_memory(why);
	r->spool = spool;
	r->ops = spool->ops;
	r->arg = spool->ops_arg;
	r->start_ms = clock_mono_ms();
	spool->replay = r;
	return survey(r, why);
}
