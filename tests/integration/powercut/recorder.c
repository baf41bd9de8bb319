/* integration/powercut/recorder.c - loaded into a daemon (LD_PRELOAD), writes down all that it does to the files below
 * one folder.
 *
 * In: POSTRIDER_RECORD_ROOT, the folder, an absolute path without symbolic links; POSTRIDER_RECORD_LOG, the file that is
 * appended to. Out: one entry for each change, with the bytes, in the order in which the changes became visible; for a
 * sync one when it begins and one when it has succeeded. tests/integration/lib/disk.py reads them.
 * Always true: an entry's time is later than its change and earlier than the return to the daemon; calls that failed
 * have none. Calls of the C library that change files and are not here are listed in disk.py: a program that
 * imports one of them is not tested. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	FILES_MAX = 65536,
	IOV_COUNT_MAX = 1024
};

enum operation {
	OP_OPEN = 1, /* number: flags; path */
	OP_WRITE,    /* number: offset; the bytes */
	OP_TRUNCATE, /* number: size */
	OP_ALLOCATE, /* number: size that the file has at least */
	OP_RENAME,   /* both paths, each with a NUL behind it */
	OP_UNLINK,   /* path; a folder as well */
	OP_MKDIR,    /* path */
	OP_SYNC,     /* number: that of the sync, which is under way */
	OP_SYNCED    /* number: the same */
};

/* As it lies in the log, in this machine's byte order; `size` bytes follow. */
struct entry {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t handle;  /* of an open file, one for each time it is opened */
	uint64_t number;
	uint32_t operation;
	uint32_t size;
};

/* What a descriptor stands for. One that was closed, and is another file now, is known by the inode. */
struct open_file {
	uint64_t handle;
	dev_t device;
	ino_t inode;
	char *path; /* below the folder, "" for itself */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct open_file files[FILES_MAX];
static uint64_t handles, syncs;
static char root[PATH_MAX];
static size_t root_len;
static int log_fd = -1;

static void
give_up(const char *what)
{
	(void)fprintf(stderr, "recorder: %s: %s\n", what, strerror(errno));
	abort();
}

__attribute__((constructor)) static void
begin(void)
{
	const char *folder = getenv("POSTRIDER_RECORD_ROOT"), *log = getenv("POSTRIDER_RECORD_LOG");

	if (folder == NULL || log == NULL || strlen(folder) >= sizeof root)
		give_up("POSTRIDER_RECORD_ROOT, POSTRIDER_RECORD_LOG");
	(void)snprintf(root, sizeof root, "%s", folder);
	root_len = strlen(root);
	log_fd = (int)syscall(
	    SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		give_up(log);
	/* Handles and syncs of several processes in one log. */
	handles = syncs = (uint64_t)getpid() << 32;
}

/* ------------------------------------------------------------------ the log ------------------- */

static void
put_all(struct iovec *iov, int count)
{
	while (count > 0) {
		ssize_t n =
		    syscall(SYS_writev, log_fd, iov, count < IOV_COUNT_MAX ? count : IOV_COUNT_MAX);

		if (n <= 0)
			give_up("log");
		for (; count > 0 && (size_t)n >= iov->iov_len; iov++, count--)
			n -= (ssize_t)iov->iov_len;
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
}

/* The first `size` bytes of `data`. The lock is held. */
static void
put_vector(enum operation operation, uint64_t handle, uint64_t number, const struct iovec *data,
    size_t size)
{
	struct entry entry = {
		.handle = handle, .number = number, .operation = operation, .size = (uint32_t)size
	};
	struct iovec iov[IOV_COUNT_MAX + 1] = { { &entry, sizeof entry } };
	struct timespec now;
	int count = 1;

	for (; size > 0; data++) {
		size_t part = data->iov_len < size ? data->iov_len : size;

		if (part > 0)
			iov[count++] = (struct iovec){ data->iov_base, part };
		size -= part;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	entry.time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	put_all(iov, count);
}

static void
put(enum operation operation, uint64_t handle, uint64_t number, const void *data, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };

	put_vector(operation, handle, number, &iov, size);
}

/* ------------------------------------------------------------------ which files --------------- */

static struct open_file *
file_of(int fd)
{
	struct stat st;

	if (fd < 0 || fd >= FILES_MAX || files[fd].path == NULL || fstat(fd, &st) != 0 ||
	    st.st_dev != files[fd].device || st.st_ino != files[fd].inode)
		return NULL;
	return &files[fd];
}

static bool
resolve_any(int dirfd, const char *name, char path[PATH_MAX])
{
	const struct open_file *folder;

	if (name[0] == '/') {
		if (strncmp(name, root, root_len) != 0 ||
		    (name[root_len] != '/' && name[root_len] != '\0'))
			return false;
		name += root_len;
		name += strspn(name, "/");
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
	}
	folder = file_of(dirfd);
	if (folder == NULL)
		return false;
	if (strcmp(name, ".") == 0)
		return snprintf(path, PATH_MAX, "%s", folder->path) < PATH_MAX;
	return snprintf(path, PATH_MAX, "%s%s%s", folder->path, folder->path[0] != '\0' ? "/" : "",
		   name) < PATH_MAX;
}

/* What lies below the folder: its path there. Names with ".." or a folder that is not known are not ours, nor is the
 * database of the store: SQLite writes it, also by maps, and tests/unit/store/test_faults.c cuts its power. */
static bool
resolve(int dirfd, const char *name, char path[PATH_MAX])
{
	return resolve_any(dirfd, name, path) && strstr(path, "postrider.db") == NULL;
}

static void
note_open(int fd, const char *path, int flags)
{
	struct open_file *file;
	struct stat st;

	if (fd >= FILES_MAX || fstat(fd, &st) != 0)
		give_up(path);
	file = &files[fd];
	free(file->path);
	*file = (struct open_file){ ++handles, st.st_dev, st.st_ino, strdup(path) };
	put(OP_OPEN, file->handle, (uint64_t)flags, path, strlen(path));
}

/* ------------------------------------------------------------------ names --------------------- */

static int
do_open(int dirfd, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	int fd, err;

	(void)pthread_mutex_lock(&lock);
	fd = (int)syscall(SYS_openat, dirfd, name, flags, mode);
	err = errno;
	if (fd >= 0 && log_fd >= 0 && resolve(dirfd, name, path))
		note_open(fd, path, flags);
	(void)pthread_mutex_unlock(&lock);
	errno = err;
	return fd;
}

static mode_t
mode_in(int flags, va_list args)
{
	return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t)
									  : 0;
}

int
open(const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_in(flags, args);
	va_end(args);
	return do_open(AT_FDCWD, name, flags, mode);
}

int
openat(int dirfd, const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_in(flags, args);
	va_end(args);
	return do_open(dirfd, name, flags, mode);
}

int __open_2(const char *name, int flags);
int __openat_2(int dirfd, const char *name, int flags);

int
__open_2(const char *name, int flags)
{
	return do_open(AT_FDCWD, name, flags, 0);
}

int
__openat_2(int dirfd, const char *name, int flags)
{
	return do_open(dirfd, name, flags, 0);
}

/* The same open file; what is done by the new descriptor is done to that. */
int
dup(int fd)
{
	struct open_file *file;
	int made, err;

	(void)pthread_mutex_lock(&lock);
	made = (int)syscall(SYS_dup, fd);
	err = errno;
	file = file_of(fd);
	if (made >= FILES_MAX)
		give_up("dup");
	if (made >= 0 && file != NULL) {
		free(files[made].path);
		files[made] = *file;
		files[made].path = strdup(file->path);
	}
	(void)pthread_mutex_unlock(&lock);
	errno = err;
	return made;
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	char paths[2 * PATH_MAX], path[PATH_MAX];
	int result, err;

	(void)pthread_mutex_lock(&lock);
	result = (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
	err = errno;
	if (result == 0 && resolve(from_dir, from, paths)) {
		size_t len = strlen(paths) + 1;

		if (!resolve(to_dir, to, path))
			give_up(to);
		memcpy(paths + len, path, strlen(path) + 1);
		put(OP_RENAME, 0, 0, paths, len + strlen(path) + 1);
	}
	(void)pthread_mutex_unlock(&lock);
	errno = err;
	return result;
}

int
rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int
unlinkat(int dirfd, const char *name, int flags)
{
	char path[PATH_MAX];
	int result, err;

	(void)pthread_mutex_lock(&lock);
	result = (int)syscall(SYS_unlinkat, dirfd, name, flags);
	err = errno;
	if (result == 0 && resolve(dirfd, name, path))
		put(OP_UNLINK, 0, 0, path, strlen(path));
	(void)pthread_mutex_unlock(&lock);
	errno = err;
	return result;
}

int
unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int
mkdirat(int dirfd, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	int result, err;

	(void)pthread_mutex_lock(&lock);
	result = (int)syscall(SYS_mkdirat, dirfd, name, mode);
	err = errno;
	if (result == 0 && resolve(dirfd, name, path))
		put(OP_MKDIR, 0, 0, path, strlen(path));
	(void)pthread_mutex_unlock(&lock);
	errno = err;
	return result;
}

int
mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

/* ------------------------------------------------------------------ contents ------------------ */

/* With `at` < 0 at the file's position. */
static ssize_t
do_write(int fd, const struct iovec *iov, int count, off_t at)
{
	const struct open_file *file;
	ssize_t n;
	int err;

	/* Whoever waits for a pipe or a socket must not keep the others. */
	(void)pthread_mutex_lock(&lock);
	file = file_of(fd);
	if (file == NULL)
		(void)pthread_mutex_unlock(&lock);
	n = at < 0 ? syscall(SYS_writev, fd, iov, count)
		   : syscall(SYS_pwritev, fd, iov, count, at, 0L);
	if (file == NULL)
		return n;
	err = errno;
	if (n > 0)
		put_vector(OP_WRITE, file->handle,
		    (uint64_t)(at < 0 ? lseek(fd, 0, SEEK_CUR) - n : at), iov, (size_t)n);
	(void)pthread_mutex_unlock(&lock);
	errno = err;
	return n;
}

ssize_t
writev(int fd, const struct iovec *iov, int count)
{
	return do_write(fd, iov, count, -1);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	return do_write(fd, iov, count, at);
}

ssize_t
write(int fd, const void *bytes, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, size };

	return do_write(fd, &iov, 1, -1);
}

ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, size };

	return do_write(fd, &iov, 1, at);
}

/* One system call, and the entry that goes with it when it succeeds. */
static int
change(int fd, enum operation operation, uint64_t size, long number, long a, long b, long c)
{
	const struct open_file *file;
	int result, err;

	(void)pthread_mutex_lock(&lock);
	result = (int)syscall(number, fd, a, b, c);
	err = errno;
	file = file_of(fd);
	if (result == 0 && file != NULL)
		put(operation, file->handle, size, NULL, 0);
	(void)pthread_mutex_unlock(&lock);
	errno = err;
	return result;
}

int
ftruncate(int fd, off_t size)
{
	return change(fd, OP_TRUNCATE, (uint64_t)size, SYS_ftruncate, size, 0, 0);
}

int
posix_fallocate(int fd, off_t at, off_t size)
{
	int before = errno, err;

	err = change(fd, OP_ALLOCATE, (uint64_t)(at + size), SYS_fallocate, 0, at, size) == 0
		  ? 0
		  : errno;
	errno = before;
	return err;
}

/* ------------------------------------------------------------------ syncs --------------------- */

/* Not under the lock: what others write meanwhile may be lost. */
static int
do_sync(int fd, long call)
{
	const struct open_file *file;
	uint64_t handle = 0, number = 0;
	int result, err;

	(void)pthread_mutex_lock(&lock);
	file = file_of(fd);
	if (file != NULL) {
		handle = file->handle;
		number = ++syncs;
		put(OP_SYNC, handle, number, NULL, 0);
	}
	(void)pthread_mutex_unlock(&lock);
	result = (int)syscall(call, fd);
	err = errno;
	if (handle != 0 && result == 0) {
		(void)pthread_mutex_lock(&lock);
		put(OP_SYNCED, handle, number, NULL, 0);
		(void)pthread_mutex_unlock(&lock);
	}
	errno = err;
	return result;
}

int
fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}
