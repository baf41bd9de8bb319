/* util/fsutil.c - files, completely and durably. Every descriptor is O_CLOEXEC and closed on all ways. */
#include "config.h"

#include "util/fsutil.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum rc
fsutil_write_all(int fd, const void *bytes, size_t len, struct why *why)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return why_errno(why, errno, "write");
		}
		at += n;
		len -= (size_t)n;
	}
	return RC_OK;
}

enum rc
fsutil_pread_all(int fd, void *bytes, size_t len, off_t at, struct why *why)
{
	char *to = bytes;

	while (len > 0) {
		ssize_t n = pread(fd, to, len, at);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return why_errno(why, errno, "read");
		}
		if (n == 0)
			return why_set(why, RC_LATER, 0, "file ends early");
		to += n;
		at += n;
		len -= (size_t)n;
	}
	return RC_OK;
}

static enum rc
read_open(int fd, const char *path, size_t max, mode_t forbidden, struct buf *out, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return why_errno(why, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return why_set(why, RC_BAD, 0, "%s: not a regular file", path);
	if ((st.st_mode & forbidden) != 0) {
		(void)why_set(why, RC_DENY, 0,
		    "%s: others may read this secret (mode %04o); chmod o-rwx it", path,
		    (unsigned)(st.st_mode & 07777));
		why->err = EACCES;
		return RC_DENY;
	}
	for (;;) {
		size_t room;
		char *to = buf_reserve(out, 4096, &room);
		ssize_t n;

		if (to == NULL)
			return why_set(why, RC_LATER, 0, "%s: out of memory", path);
		n = read(fd, to, room);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return why_errno(why, errno, "%s", path);
		}
		if (n == 0)
			return RC_OK;
		buf_commit(out, (size_t)n);
		if (buf_len(out) > max)
			return why_set(why, RC_BAD, 0, "%s: larger than %zu bytes", path, max);
	}
}

static enum rc
read_path(const char *path, size_t max, mode_t forbidden, struct buf *out, struct why *why)
{
	/* O_NONBLOCK: a fifo in place of the file must not hang us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum rc rc;

	if (fd < 0)
		return why_errno(why, errno, "%s", path);
	rc = read_open(fd, path, max, forbidden, out, why);
	(void)close(fd);
	return rc;
}

enum rc
fsutil_read_file(const char *path, size_t max, struct buf *out, struct why *why)
{
	return read_path(path, max, 0, out, why);
}

enum rc
fsutil_read_secret(const char *path, size_t max, struct buf *out, struct why *why)
{
	return read_path(path, max, S_IRWXO, out, why);
}

enum rc
fsutil_sync_dir(const char *dir, struct why *why)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum rc rc = RC_OK;

	if (fd < 0)
		return why_errno(why, errno, "%s", dir);
	if (fsync(fd) != 0)
		rc = why_errno(why, errno, "%s: fsync", dir);
	(void)close(fd);
	return rc;
}

enum rc
fsutil_publish(const char *dir, const char *name, struct span bytes, mode_t mode, struct why *why)
{
	char temp[PATH_MAX], path[PATH_MAX];
	enum rc rc;
	int fd;

	if (snprintf(temp, sizeof temp, "%s/.%s.tmp", dir, name) >= (int)sizeof temp ||
	    snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		return why_set(why, RC_BAD, 0, "%s: path too long", dir);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return why_errno(why, errno, "%s", temp);
	rc = fsutil_write_all(fd, bytes.p, bytes.len, why);
	if (rc == RC_OK && fsync(fd) != 0)
		rc = why_errno(why, errno, "%s: fsync", temp);
	if (close(fd) != 0 && rc == RC_OK)
		rc = why_errno(why, errno, "%s: close", temp);
	if (rc == RC_OK && rename(temp, path) != 0)
		rc = why_errno(why, errno, "%s: rename", path);
	if (rc != RC_OK) {
		(void)unlink(temp);
		return rc;
	}
	return fsutil_sync_dir(dir, why);
}

/* A name that is not on disk takes with it all that lies below, synced or not. */
static enum rc
make_one(const char *path, mode_t mode, struct why *why)
{
	char above[PATH_MAX];
	char *slash;

	if (mkdir(path, mode) != 0)
		return errno == EEXIST ? RC_OK : why_errno(why, errno, "%s", path);
	(void)snprintf(above, sizeof above, "%s", path);
	slash = strrchr(above, '/');
	if (slash == NULL)
		return fsutil_sync_dir(".", why);
	slash[slash == above ? 1 : 0] = '\0';
	return fsutil_sync_dir(above, why);
}

enum rc
fsutil_make_dir(const char *path, mode_t mode, struct why *why)
{
	char part[PATH_MAX];
	struct stat st;
	enum rc rc;

	if (!span_copy(span_of(path), part, sizeof part) || part[0] == '\0')
		return why_set(why, RC_BAD, 0, "%s: path too long or empty", path);
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		rc = make_one(part, 0755, why);
		if (rc != RC_OK)
			return rc;
		*slash = '/';
	}
	rc = make_one(part, mode, why);
	if (rc != RC_OK)
		return rc;
	if (stat(part, &st) != 0)
		return why_errno(why, errno, "%s", part);
	if (!S_ISDIR(st.st_mode))
		return why_set(why, RC_BAD, 0, "%s: not a directory", part);
	return RC_OK;
}
