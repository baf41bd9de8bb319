/* spool/inspect.c - see inspect.h. The replay is the daemon's; here its results are kept. */
#include "config.h"

#include "spool/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/digest.h"
#include "spool/spool_private.h"
#include "util/fsutil.h"

struct inspection {
	struct spool spool;
	struct inspect_message **messages; /* live ones */
	size_t count, cap;
	struct inspect_finding *findings;
	size_t finding_count;
	struct inspect_totals totals;
	bool failed; /* out of memory */
};

static void
find(struct inspection *in, bool damage, const char *file, uint64_t from, uint64_t to,
    const char *text)
{
	struct inspect_finding *list =
	    realloc(in->findings, (in->finding_count + 1) * sizeof *list);

	if (list == NULL) {
		in->failed = true;
		return;
	}
	in->findings = list;
	list += in->finding_count++;
	*list = (struct inspect_finding){ .from = from, .to = to, .damage = damage };
	(void)snprintf(list->file, sizeof list->file, "%s", file);
	(void)snprintf(list->text, sizeof list->text, "%s", text);
}

/* ------------------------------------------------------------------ what the replay tells ----- */

static struct spool_entry *
on_message(void *arg, const struct message *envelope)
{
	struct inspection *in = arg;
	struct inspect_message *m = calloc(1, sizeof *m);

	if (in->count == in->cap) {
		size_t cap = in->cap > 0 ? in->cap * 2 : 1024;
		struct inspect_message **list = realloc(in->messages, cap * sizeof(void *));

		if (list == NULL) {
			free(m);
			return NULL;
		}
		in->messages = list;
		in->cap = cap;
	}
	if (m == NULL)
		return NULL;
	m->account = span_dup(span_of(envelope->account));
	if (m->account == NULL) {
		free(m);
		return NULL;
	}
	m->id = envelope->id;
	m->accepted_ms = envelope->accepted_ms;
	m->recipients = (unsigned)envelope->recipient_count;
	in->messages[in->count++] = m;
	return &m->entry;
}

static void
on_state(void *arg, struct spool_entry *entry, struct span state)
{
	struct inspection *in = arg;
	struct inspect_message *m = container_of(entry, struct inspect_message, entry);
	char *copy = malloc(state.len > 0 ? state.len : 1);

	if (copy == NULL) {
		in->failed = true;
		return;
	}
	memcpy(copy, state.p, state.len);
	free(m->state);
	m->state = copy;
	m->state_size = state.len;
}

static void
on_damage(void *arg, const char *name, uint64_t from, uint64_t to, const char *text)
{
	find(arg, true, name, from, to, text);
}

static const struct spool_replay_ops ops = {
	.on_message = on_message, .on_state = on_state, .on_damage = on_damage
};

/* ------------------------------------------------------------------ other files --------------- */

static bool
ends(const char *name, const char *suffix)
{
	return span_iends(span_of(name), span_of(suffix));
}

static void
look_at_file(struct inspection *in, const char *name)
{
	if (ends(name, ".new"))
		find(in, false, name, 0, 0,
		    "the making of a file was cut: removed by the next start");
	in->totals.free_files += ends(name, ".free");
	in->totals.bad_files += ends(name, ".bad");
}

/* The number in "0000000000000001.body"; 0: no such name. */
static uint64_t
body_number(const char *name)
{
	char want[SEGMENT_NAME_LEN];
	uint64_t number = strtoull(name, NULL, 16);

	segment_name(number, "body", want);
	return strcmp(name, want) == 0 ? number : 0;
}

static void
look_at_large(struct inspection *in, const char *name)
{
	const struct spool_entry *entry = index_get(&in->spool.index, body_number(name));
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof path, "large/%.48s", name);
	if (fstatat(in->spool.large_dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode)) {
		in->totals.large_files++;
		in->totals.large_bytes += (uint64_t)st.st_size;
	}
	if (in->totals.in_use)
		return; /* they come and go */
	if (ends(name, ".tmp"))
		find(in, false, path, 0, 0, "was never stored: removed by the next start");
	else if (body_number(name) != 0 && (entry == NULL || !entry->large))
		find(in, false, path, 0, 0, "belongs to no message: removed by the next start");
}

static enum rc
look_at_all(struct inspection *in, int dirfd, void (*look)(struct inspection *in, const char *name),
    struct why *why)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL) {
		enum rc rc = why_errno(why, errno, "spool: list of files");

		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			look(in, entry->d_name);
	(void)closedir(dir);
	return RC_OK;
}

/* A body must be there, with all that its record promises. */
static void
look_for_body(struct inspection *in, const struct inspect_message *m)
{
	struct why why = WHY_EMPTY;
	struct message *content;
	char name[SEGMENT_NAME_LEN], path[64];
	struct stat st;

	segment_name(m->entry.sequence, "body", name);
	(void)snprintf(path, sizeof path, "large/%s", name);
	if (inspect_read(in, m, &content, &why) != RC_OK) {
		find(in, true, path, 0, 0, why.text);
		return;
	}
	if (fstat(content->file_fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size < content->file_at ||
	    (uint64_t)st.st_size - content->file_at < content->file_size)
		find(in, true, path, 0, 0, "is cut");
	message_unref(content);
}

static enum rc
look_around(struct inspection *in, bool everything, struct why *why)
{
	enum rc rc = look_at_all(in, in->spool.dirfd, look_at_file, why);

	if (rc == RC_OK && in->spool.large_dirfd >= 0)
		rc = look_at_all(in, in->spool.large_dirfd, look_at_large, why);
	for (size_t i = 0; rc == RC_OK && everything && i < in->count; i++)
		if (in->messages[i]->entry.large)
			look_for_body(in, in->messages[i]);
	for (const struct segment *s = in->spool.oldest; s != NULL; s = s->next) {
		in->totals.segments++;
		in->totals.segment_bytes += s->size;
		in->totals.used_bytes += s->used;
		in->totals.live_bytes += s->live_bytes;
	}
	return rc;
}

/* ------------------------------------------------------------------ open, close --------------- */

/* The daemon's lock is exclusive: one that is shared and let go of at once tells, and writes nothing. */
static bool
is_in_use(int dirfd)
{
	int fd = openat(dirfd, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool in_use = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;

	if (fd >= 0)
		(void)close(fd);
	return in_use;
}

enum rc
inspect_open(const char *directory, bool everything, struct inspection **out, struct why *why)
{
	struct inspection *in = calloc(1, sizeof *in);
	struct spool_replay_report report;
	enum rc rc;

	*out = NULL;
	if (in == NULL)
		return why_set(why, RC_LATER, 0, "out of memory");
	in->spool.read_only = true;
	in->spool.options.no_digests = everything;
	in->spool.next_sequence = in->spool.next_generation = 1;
	in->spool.large_dirfd = in->spool.lock_fd = -1;
	in->spool.dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in->spool.dirfd < 0) {
		rc = why_errno(why, errno, "%s", directory);
		goto out;
	}
	in->spool.large_dirfd =
	    openat(in->spool.dirfd, "large", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	in->totals.in_use = is_in_use(in->spool.dirfd);
	in->spool.ops = &ops;
	in->spool.ops_arg = in;
	rc = replay_begin(&in->spool, why);
	if (rc == RC_OK && replay_step(&in->spool, SIZE_MAX, &report, why) != RC_OK)
		rc = RC_LATER;
	in->totals.messages = in->count;
	if (rc == RC_OK)
		rc = look_around(in, everything, why);
	if (rc == RC_OK && in->failed)
		rc = why_set(why, RC_LATER, 0, "out of memory");
	if (rc == RC_OK) {
		in->totals.records_of_messages = report.messages;
		in->totals.digests = report.digests;
	}
out:
	if (rc != RC_OK)
		inspect_close(in);
	else
		*out = in;
	return rc;
}

void
inspect_close(struct inspection *in)
{
	if (in == NULL)
		return;
	while (in->spool.oldest != NULL)
		segment_unlink(&in->spool, in->spool.oldest);
	replay_free(in->spool.replay);
	free(in->spool.segments);
	index_free(&in->spool.index);
	for (size_t i = 0; i < in->count; i++) {
		free(in->messages[i]->account);
		free(in->messages[i]->state);
		free(in->messages[i]);
	}
	free(in->messages);
	free(in->findings);
	if (in->spool.large_dirfd >= 0)
		(void)close(in->spool.large_dirfd);
	if (in->spool.dirfd >= 0)
		(void)close(in->spool.dirfd);
	free(in);
}

const struct inspect_totals *
inspect_totals(const struct inspection *in)
{
	return &in->totals;
}

const struct inspect_finding *
inspect_findings(const struct inspection *in, size_t *count)
{
	*count = in->finding_count;
	return in->findings;
}

const struct inspect_message *
inspect_message(const struct inspection *in, size_t i)
{
	return i < in->count ? in->messages[i] : NULL;
}

enum rc
inspect_read(const struct inspection *in, const struct inspect_message *m, struct message **out,
    struct why *why)
{
	return message_read(
	    &in->spool, segment_at(&in->spool, m->entry.segment), &m->entry, out, why);
}
