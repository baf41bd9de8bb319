/* tests/sim/sim_disk.c - a disk that fails, is short, and forgets at a power cut what was not synced.
 *
 * The files are real; beside them stands what each write since the last sync has overwritten, and each rename and
 * unlink since the last sync of its directory. At a power cut every such write is kept, lost, or torn at sectors of
 * 512 bytes, and a tail of the directory's changes is undone (file systems keep their order). A failed sync marks what
 * it should have written: no later sync saves that, as Linux has it.
 *
 * renameat and unlinkat come here by the linker's --wrap: the spool calls them directly. So do the writes of the usage
 * file, which is not synced but when it is written anew: a power cut takes any part of its end. */
#include "config.h"

#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/spool.h"
#include "util/fsutil.h"

int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);

#define USAGE "state/usage"

enum {
	SECTOR = 512,
	NAME_LEN = 64
};

struct write {
	struct write *next; /* newest first */
	int fd;		    /* ours */
	ino_t inode;
	off_t at;
	size_t len, old_len;
	bool doomed;
	char *old;
};

struct change {
	struct change *next; /* newest first */
	int dir;	     /* ours */
	ino_t inode;
	char from[NAME_LEN], to[NAME_LEN]; /* to is empty: an unlink */
	char saved[NAME_LEN];		   /* what was there, or empty */
};

static struct write *writes;
static struct change *changes;
static unsigned saved_count;
static uint64_t crash_at;
static bool crash_power;
static off_t usage_synced;

static off_t
usage_size(void)
{
	struct stat st;

	return stat(USAGE, &st) == 0 ? st.st_size : 0;
}

static void
maybe_crash(void)
{
	if (crash_at != 0 && ++sim->disk_ops >= crash_at) {
		crash_at = 0;
		sim_crash(crash_power);
	}
}

void
disk_new_life(void)
{
	usage_synced = usage_size();
	crash_at = 0;
	sim->disk_ops = 0;
	if (sim->life + 1 >= sim->plan.lives || sim->healed ||
	    (!sim_has(FAULT_KILL) && !sim_has(FAULT_POWER)) || sim_chance(250))
		return;
	crash_power = sim_has(FAULT_POWER) && (!sim_has(FAULT_KILL) || sim_chance(600));
	crash_at =
	    1 + sim_below(sim_chance(200) ? 12 : 8 * sim->plan.messages / sim->plan.lives + 8);
}

void
disk_heal(void)
{
	crash_at = 0;
}

/* ------------------------------------------------------------------ writes -------------------- */

static bool
fails(void)
{
	return sim_has(FAULT_DISK) && !sim->healed && sim_below(100000) < sim->plan.disk_fault;
}

/* `fd` belongs to the daemon and may be closed before the crash. */
static void
remember(int fd, off_t at, size_t len)
{
	struct write *w = calloc(1, sizeof *w);
	struct stat st;
	ssize_t n;

	if (w == NULL || fstat(fd, &st) != 0)
		abort();
	w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	w->inode = st.st_ino;
	w->at = at;
	w->len = len;
	w->old = calloc(1, len > 0 ? len : 1);
	if (w->fd < 0 || w->old == NULL)
		abort();
	n = pread(fd, w->old, len, at);
	w->old_len = n > 0 ? (size_t)n : 0;
	w->next = writes;
	writes = w;
}

static void
forget(struct write **at)
{
	struct write *w = *at;

	*at = w->next;
	(void)close(w->fd);
	free(w->old);
	free(w);
}

static ssize_t
disk_pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	struct iovec part[600];
	size_t total = 0, left;
	int n = 0;
	ssize_t done;

	maybe_crash();
	if (fails()) {
		errno = sim_chance(500) ? EIO : ENOSPC;
		sim_trace("disk: write at %lld fails", (long long)at);
		return -1;
	}
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	left = total > 1 && sim_has(FAULT_DISK) && sim_chance(30) ? 1 + sim_below((unsigned)total)
								  : total;
	total = left;
	for (; n < count && n < 600 && left > 0; n++) {
		part[n] = iov[n];
		if (part[n].iov_len > left)
			part[n].iov_len = left;
		left -= part[n].iov_len;
	}
	remember(fd, at, total - left);
	done = pwritev(fd, part, n, at);
	maybe_crash();
	return done;
}

/* A sync that takes its time. In the daemon a thread waits for it; here everything does, the usage file, too. */
static void
stall(void)
{
	int64_t now_ms = sim->mono_us / 1000, ms;

	if (!sim_has(FAULT_DISK) || sim->healed || !sim_chance(20))
		return;
	ms = sim_between(1, 5000);
	sim_trace("disk: sync takes %lld ms", (long long)ms);
	if (now_ms > sim->stall_end_ms + FLUSH_MS)
		sim->stall_ms = now_ms;
	sim->mono_us += ms * 1000;
	sim->wall_us += ms * 1000;
	sim->stall_end_ms = now_ms + ms;
}

static int
disk_fdatasync(int fd)
{
	struct stat st;
	bool failed;

	maybe_crash();
	stall();
	if (fstat(fd, &st) != 0)
		abort();
	failed = fails();
	sim->syncs++;
	for (struct write **at = &writes; *at != NULL;)
		if ((*at)->inode == st.st_ino && !(*at)->doomed && !failed) {
			forget(at);
		} else {
			(*at)->doomed |= failed && (*at)->inode == st.st_ino && sim_chance(700);
			at = &(*at)->next;
		}
	if (failed) {
		sim_trace("disk: sync fails");
		errno = EIO;
		return -1;
	}
	maybe_crash();
	return 0;
}

/* A torn write: each sector is the old or the new one. */
static void
undo_write(const struct write *w)
{
	unsigned how = w->doomed ? 0 : sim_below(10);
	bool torn = how >= 3 && how < 6;

	if (how >= 6)
		return; /* it reached the disk after all */
	for (size_t at = 0; at < w->len;) {
		size_t end = ((size_t)w->at + at) / SECTOR * SECTOR + SECTOR - (size_t)w->at;
		size_t len = (end < w->len ? end : w->len) - at;

		if ((!torn || sim_chance(500)) &&
		    pwrite(w->fd, w->old + at, len, w->at + (off_t)at) < 0)
			abort();
		at += len;
	}
}

/* ------------------------------------------------------------------ directories --------------- */

static bool
is_spool(int dir, ino_t *inode)
{
	struct stat st, spool, large;

	if (fstat(dir, &st) != 0)
		return false;
	*inode = st.st_ino;
	return (stat("spool", &spool) == 0 && spool.st_ino == st.st_ino) ||
	       (stat("spool/large", &large) == 0 && large.st_ino == st.st_ino);
}

static void
note_change(int dir, ino_t inode, const char *from, const char *to)
{
	struct change *c = calloc(1, sizeof *c);

	if (c == NULL)
		abort();
	c->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	c->inode = inode;
	(void)snprintf(c->from, sizeof c->from, "%s", from);
	(void)snprintf(c->to, sizeof c->to, "%s", to);
	(void)snprintf(c->saved, sizeof c->saved, "saved/%u-%u", sim->life, saved_count++);
	if (linkat(dir, to[0] != '\0' ? to : from, AT_FDCWD, c->saved, 0) != 0)
		c->saved[0] = '\0';
	c->next = changes;
	changes = c;
}

static void
drop_change(struct change **at)
{
	struct change *c = *at;

	*at = c->next;
	if (c->saved[0] != '\0')
		(void)unlink(c->saved);
	(void)close(c->dir);
	free(c);
}

int
__wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	ino_t inode;
	int rc;

	if (from_dir != to_dir || !is_spool(from_dir, &inode))
		return __real_renameat(from_dir, from, to_dir, to);
	maybe_crash();
	note_change(from_dir, inode, from, to);
	rc = __real_renameat(from_dir, from, to_dir, to);
	if (rc != 0)
		drop_change(&changes);
	maybe_crash();
	return rc;
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	ino_t inode;
	int rc;

	if (!is_spool(dir, &inode))
		return __real_unlinkat(dir, name, flags);
	maybe_crash();
	note_change(dir, inode, name, "");
	rc = __real_unlinkat(dir, name, flags);
	if (rc != 0)
		drop_change(&changes);
	maybe_crash();
	return rc;
}

static int
disk_sync_dir(int dir)
{
	ino_t inode;

	maybe_crash();
	if (!is_spool(dir, &inode))
		abort();
	if (fails()) {
		sim_trace("disk: sync of a directory fails");
		errno = EIO;
		return -1;
	}
	for (struct change **at = &changes; *at != NULL;)
		if ((*at)->inode == inode)
			drop_change(at);
		else
			at = &(*at)->next;
	maybe_crash();
	return 0;
}

static void
undo_change(const struct change *c)
{
	const char *name = c->to[0] != '\0' ? c->to : c->from;

	if (c->to[0] != '\0' && __real_renameat(c->dir, c->to, c->dir, c->from) != 0)
		return; /* it has gone on under another name, and that was undone before */
	if (c->saved[0] != '\0' && linkat(AT_FDCWD, c->saved, c->dir, name, 0) != 0)
		sim_trace("power cut: %s is not put back", name);
}

/* ------------------------------------------------------------------ the usage file ------------ */

enum rc __real_fsutil_write_all(int fd, const void *bytes, size_t len, struct why *why);
enum rc __wrap_fsutil_write_all(int fd, const void *bytes, size_t len, struct why *why);
enum rc __real_fsutil_publish(
    const char *dir, const char *name, struct span bytes, mode_t mode, struct why *why);
enum rc __wrap_fsutil_publish(
    const char *dir, const char *name, struct span bytes, mode_t mode, struct why *why);

static bool
is_usage(int fd)
{
	struct stat st, usage;

	return stat(USAGE, &usage) == 0 && fstat(fd, &st) == 0 && st.st_ino == usage.st_ino;
}

enum rc
__wrap_fsutil_write_all(int fd, const void *bytes, size_t len, struct why *why)
{
	bool failed;
	enum rc rc;

	if (!is_usage(fd))
		return __real_fsutil_write_all(fd, bytes, len, why);
	maybe_crash();
	failed = fails();
	if (failed)
		len = sim_below((unsigned)len);
	rc = __real_fsutil_write_all(fd, bytes, len, why);
	if (failed) {
		sim_trace("disk: write of the usage file fails after %zu bytes", len);
		rc = why_errno(why, ENOSPC, "write");
	}
	sim->usage_torn = rc != RC_OK;
	maybe_crash();
	return rc;
}

enum rc
__wrap_fsutil_publish(
    const char *dir, const char *name, struct span bytes, mode_t mode, struct why *why)
{
	enum rc rc;

	maybe_crash();
	if (fails()) {
		sim_trace("disk: the usage file is not written anew");
		rc = why_errno(why, ENOSPC, "%s", name);
	} else {
		rc = __real_fsutil_publish(dir, name, bytes, mode, why);
	}
	sim->usage_torn = rc != RC_OK;
	if (rc == RC_OK)
		usage_synced = usage_size();
	maybe_crash();
	return rc;
}

static void
cut_usage(void)
{
	off_t size = usage_size(), left = sim_between(usage_synced, size);

	if (left == size)
		return;
	sim_trace("power cut: %lld bytes of the usage file are left of %lld", (long long)left,
	    (long long)size);
	sim->usage_torn = true;
	if (truncate(USAGE, left) != 0)
		abort();
}

/* ------------------------------------------------------------------ the crash ----------------- */

void
disk_crash(bool power)
{
	unsigned count = 0, undone;

	crash_at = 0;
	if (!power)
		return;
	for (const struct change *c = changes; c != NULL; c = c->next)
		count++;
	undone = count > 0 ? sim_below(count + 1) : 0;
	sim_trace("power cut: %u of %u changes of directories undone", undone, count);
	for (const struct change *c = changes; c != NULL && undone > 0; c = c->next, undone--)
		undo_change(c);
	for (const struct write *w = writes; w != NULL; w = w->next)
		undo_write(w);
	if (sim_chance(500))
		cut_usage();
}

const struct disk_ops sim_disk = { disk_pwritev, disk_fdatasync, disk_sync_dir };
