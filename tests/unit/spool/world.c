/* tests/unit/spool/world.c - see world.h. */
#include "config.h"

#include "unit/spool/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int fail_syncs;
size_t write_at_most;
bool no_digests;

static int
flaky_sync(int fd)
{
	if (fail_syncs > 0) {
		fail_syncs--;
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}

static int
plain_sync_dir(int fd)
{
	return fsync(fd);
}

static ssize_t
short_write(int fd, const struct iovec *iov, int count, off_t at)
{
	struct iovec part = iov[0];

	if (write_at_most == 0)
		return pwritev(fd, iov, count, at);
	if (part.iov_len > write_at_most)
		part.iov_len = write_at_most;
	return pwritev(fd, &part, 1, at);
}

static const struct disk_ops flaky_disk = { short_write, flaky_sync, plain_sync_dir };

static struct spool_entry *
on_message(void *arg, const struct message *envelope)
{
	struct world *w = arg;
	struct item *item = &w->found[w->found_count++];

	*item = (struct item){ 0 };
	(void)snprintf(item->subject, sizeof item->subject, "%s", envelope->account);
	return &item->entry;
}

static void
on_state(void *arg, struct spool_entry *entry, struct span state)
{
	struct item *item = container_of(entry, struct item, entry);

	(void)arg;
	assert_true(
	    span_copy(span_first(state, sizeof item->state - 1), item->state, sizeof item->state));
}

static void
on_ended(void *arg, const struct message *envelope)
{
	struct world *w = arg;

	(void)envelope;
	w->ended_count++;
}

static void
on_poison(void *arg, struct spool_entry *entry)
{
	(void)arg;
	container_of(entry, struct item, entry)->poisoned = true;
}

const struct spool_replay_ops world_replay_ops = {
	.on_message = on_message, .on_ended = on_ended, .on_state = on_state, .on_poison = on_poison
};

void
open_world_only(struct world *w)
{
	struct spool_options options = { .directory = w->dir,
		.segment_bytes = SEGMENT,
		.disk = &flaky_disk,
		.no_digests = no_digests };
	struct why why = WHY_EMPTY;

	w->loop = loop_new_manual("core");
	w->workers = worker_pool_new(0, 100, &why);
	w->found = calloc(20000, sizeof *w->found);
	w->found_count = w->ended_count = 0;
	assert_rc(spool_open(&options, w->loop, w->workers, &w->spool, &why), RC_OK);
}

void
open_world(struct world *w)
{
	struct why why = WHY_EMPTY;

	open_world_only(w);
	assert_rc(spool_replay(w->spool, &world_replay_ops, w, &w->report, &why), RC_OK);
}

void
settle(struct world *w)
{
	while (loop_step(w->loop) > 0)
		continue;
}

void
close_world(struct world *w)
{
	settle(w);
	spool_close(w->spool);
	loop_free(w->loop);
	worker_pool_free(w->workers);
	free(w->found);
}

/* As after kill -9: what the writer has not written stays unwritten. */
void
restart(struct world *w)
{
	close_world(w);
	open_world(w);
}

static int
setup_with(void **state, bool digests)
{
	struct world *w = calloc(1, sizeof *w);

	(void)snprintf(w->dir, sizeof w->dir, "/tmp/postrider-test-XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	fail_syncs = 0;
	write_at_most = 0;
	no_digests = !digests;
	open_world(w);
	*state = w;
	return 0;
}

int
setup(void **state)
{
	return setup_with(state, true);
}

int
setup_records(void **state)
{
	return setup_with(state, false);
}

int
teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	close_world(w);
	(void)snprintf(command, sizeof command, "rm -r '%s'", w->dir);
	free(w);
	return system(command);
}

struct message *
make_message(const char *mark, size_t body)
{
	struct message *m = message_new();
	char *text = malloc(body + 64);

	m->pieces = calloc(2, sizeof *m->pieces);
	memset(text, 'x', body + 64);
	m->pieces[0] = SPAN_LIT("Subject: t\r\n\r\n");
	m->pieces[1] = span_make(text, body);
	m->piece_count = 2;
	m->size = m->pieces[0].len + body;
	assert_rc(message_own(m, text), RC_OK);
	assert_rc(message_set(&m->account, span_of(mark)), RC_OK);
	assert_rc(message_set(&m->sender, SPAN_LIT("a@example.com")), RC_OK);
	assert_rc(message_add_recipient(m, span_of(mark), SPAN_EMPTY, 0), RC_OK);
	assert_rc(message_add_tag(m, SPAN_LIT("k"), SPAN_LIT("v")), RC_OK);
	return m;
}

static void
on_commit(void *arg, enum rc rc, const struct why *why)
{
	struct item *item = arg;

	(void)why;
	item->acknowledged = rc == RC_OK;
	item->failed = rc != RC_OK;
}

void
append(struct world *w, struct item *item, const char *mark, size_t body)
{
	struct message *m = make_message(mark, body);
	struct why why = WHY_EMPTY;

	*item = (struct item){ 0 };
	assert_rc(spool_append_message(w->spool, &item->entry, m, on_commit, item, &why), RC_OK);
	message_unref(m);
}

void
on_loaded(void *arg, struct message *message, const struct why *why)
{
	struct loaded *loaded = arg;

	(void)why;
	loaded->called = true;
	loaded->message = message;
}

size_t
count_files(const char *dir, const char *suffix)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(d)) != NULL)
		count += span_iends(span_of(entry->d_name), span_of(suffix));
	(void)closedir(d);
	return count;
}

struct item *
find_item(struct world *w, const char *mark)
{
	for (size_t i = 0; i < w->found_count; i++)
		if (strcmp(w->found[i].subject, mark) == 0)
			return &w->found[i];
	return NULL;
}
