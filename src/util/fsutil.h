/* util/fsutil.h - whole reads and writes, and the one way to publish a file so that it is there after a
 * power cut. All of them may block: not on an event loop's path. EINTR and short counts are handled. */
#ifndef UTIL_FSUTIL_H
#define UTIL_FSUTIL_H

#include "util/buf.h"

#include <sys/types.h>

/* All of it or RC_LATER with why filled (a short read is RC_LATER, "ends early"). */
MUST_CHECK enum rc fsutil_write_all(int fd, const void *bytes, size_t len, struct why *why);
MUST_CHECK enum rc fsutil_pread_all(int fd, void *bytes, size_t len, off_t at, struct why *why);

/* Append the whole file to `out`; RC_BAD when it is not a regular file or over `max` bytes. Links are
 * followed (certificates are links as a rule). */
MUST_CHECK enum rc fsutil_read_file(const char *path, size_t max, struct buf *out, struct why *why);

/* The same for a secret: RC_DENY when others than owner and group may read it. */
MUST_CHECK enum rc fsutil_read_secret(
    const char *path, size_t max, struct buf *out, struct why *why);

/* Write dir/name durably: temporary file in the same directory, fsync, rename, fsync directory. */
MUST_CHECK enum rc fsutil_publish(
    const char *dir, const char *name, struct span bytes, mode_t mode, struct why *why);

MUST_CHECK enum rc fsutil_sync_dir(const char *dir, struct why *why);

/* mkdir -p with the last part's mode, and the names of those made are synced; RC_OK when it is a directory already. */
MUST_CHECK enum rc fsutil_make_dir(const char *path, mode_t mode, struct why *why);

#endif
