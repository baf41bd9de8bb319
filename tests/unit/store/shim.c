/* tests/unit/store/shim.c - see shim.h. */
#include "config.h"

#include "unit/test.h"

#include "unit/store/shim.h"

#include <fcntl.h>
#include <unistd.h>

struct image shim_images[2];
bool shim_has_images;
int shim_temporary_files;
struct fault fault;

struct shim_file {
	sqlite3_file file;
	sqlite3_file *real;  /* behind this struct */
	struct image *image; /* or NULL */
};

static sqlite3_vfs *base, shim;

static sqlite3_file *
real_of(sqlite3_file *file)
{
	return ((struct shim_file *)(void *)file)->real;
}

static void
resize(struct buf *bytes, size_t len)
{
	static const char zeros[65536];

	assert_int_equal(bytes->start, 0);
	while (buf_len(bytes) < len)
		buf_add(bytes, zeros,
		    len - buf_len(bytes) < sizeof zeros ? len - buf_len(bytes) : sizeof zeros);
	bytes->end = len;
	assert_false(bytes->failed);
}

void
shim_apply(struct image *image, const struct later *later, size_t len)
{
	size_t at = (size_t)later->at;

	if (later->is_truncate) {
		resize(&image->durable, at);
		return;
	}
	if (buf_len(&image->durable) < at + len)
		resize(&image->durable, at + len);
	if (len > 0)
		memcpy(image->durable.mem + at, later->bytes.mem, len);
}

static void
note_later(sqlite3_file *file, const void *bytes, size_t len, sqlite3_int64 at, bool is_truncate)
{
	struct image *image = ((struct shim_file *)(void *)file)->image;
	struct later *later;

	if (image == NULL || !shim_has_images)
		return;
	assert_true(image->count < ARRAY_LEN(image->later));
	later = &image->later[image->count++];
	*later = (struct later){ at, BUF_EMPTY, is_truncate };
	buf_add(&later->bytes, bytes, len);
}

static void
note_sync(sqlite3_file *file)
{
	struct image *image = ((struct shim_file *)(void *)file)->image;

	if (image == NULL || !shim_has_images)
		return;
	for (size_t i = 0; i < image->count; i++) {
		shim_apply(image, &image->later[i], buf_len(&image->later[i].bytes));
		buf_free(&image->later[i].bytes);
	}
	image->count = 0;
}

static bool
is_hit(void)
{
	if (fault.countdown == 0)
		return false;
	if (fault.countdown > 1) {
		fault.countdown--;
		return false;
	}
	fault.has_hit = true;
	if (!fault.for_ever)
		fault.countdown = 0;
	return true;
}

static bool
fails(bool is_write)
{
	return !fault.memory_only && (is_write || !fault.writes_only) && is_hit();
}

static sqlite3_mem_methods memory;

static void *
shim_malloc(int size)
{
	return fault.memory_only && is_hit() ? NULL : memory.xMalloc(size);
}

static void *
shim_realloc(void *old, int size)
{
	return fault.memory_only && is_hit() ? NULL : memory.xRealloc(old, size);
}

void
shim_memory(void)
{
	sqlite3_mem_methods failing;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory), SQLITE_OK);
	failing = memory;
	failing.xMalloc = shim_malloc;
	failing.xRealloc = shim_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
}

static bool
fails_at(sqlite3_file *file)
{
	if (fault.database_only && ((struct shim_file *)(void *)file)->image != &shim_images[0])
		return false;
	return fails(true);
}

static int
shim_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int
shim_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
	return fails(false) ? SQLITE_IOERR_READ
			    : real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

static int
shim_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
	if (fails_at(file)) {
		/* What a full disk does: a part of it. */
		(void)real_of(file)->pMethods->xWrite(real_of(file), from, len / 2, at);
		return fault.code;
	}
	note_later(file, from, (size_t)len, at, false);
	return real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
}

static int
shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	if (fails_at(file))
		return SQLITE_IOERR_TRUNCATE;
	note_later(file, "", 0, size, true);
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int
shim_sync(sqlite3_file *file, int flags)
{
	(void)flags;
	if (fails_at(file))
		return SQLITE_IOERR_FSYNC;
	note_sync(file);
	return SQLITE_OK;
}

static int
shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return fails(false) ? SQLITE_IOERR_FSTAT
			    : real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int
shim_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int
shim_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int
shim_check_lock(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int
shim_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int
shim_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int
shim_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int
shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	return fails(false)
		   ? SQLITE_IOERR_SHMMAP
		   : real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int
shim_shm_lock(sqlite3_file *file, int at, int count, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), at, count, flags);
}

static void
shim_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int
shim_shm_unmap(sqlite3_file *file, int remove)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods shim_methods = { 2, shim_close, shim_read, shim_write,
	shim_truncate, shim_sync, shim_size, shim_lock, shim_unlock, shim_check_lock, shim_control,
	shim_sector, shim_traits, shim_shm_map, shim_shm_lock, shim_shm_barrier, shim_shm_unmap,
	NULL, NULL };

static int
shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	struct shim_file *own = (struct shim_file *)(void *)file;
	int code;

	(void)vfs;
	own->real = (sqlite3_file *)(void *)(own + 1);
	own->file.pMethods = NULL;
	own->image = (flags & SQLITE_OPEN_WAL) != 0 ? &shim_images[1] : NULL;
	if ((flags & SQLITE_OPEN_MAIN_DB) != 0)
		own->image = &shim_images[0];
	if ((flags & (SQLITE_OPEN_SUBJOURNAL | SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TEMP_JOURNAL |
			 SQLITE_OPEN_TRANSIENT_DB)) != 0) {
		shim_temporary_files++;
		return SQLITE_IOERR_GETTEMPPATH;
	}
	if (fails(false))
		return SQLITE_CANTOPEN;
	code = base->xOpen(base, name, own->real, flags, out_flags);
	if (own->real->pMethods != NULL)
		own->file.pMethods = &shim_methods;
	return code;
}

void
shim_install(void)
{
	base = sqlite3_vfs_find(NULL);
	shim = *base;
	shim.zName = "shim";
	shim.szOsFile += (int)sizeof(struct shim_file);
	shim.xOpen = shim_open;
	assert_int_equal(sqlite3_vfs_register(&shim, 1), SQLITE_OK);
}

void
shim_remove(void)
{
	fault.countdown = 0;
	fault.writes_only = false;
	(void)sqlite3_vfs_unregister(&shim);
	(void)sqlite3_vfs_register(base, 1);
}

void
quiet(bool on)
{
	static int kept = -1;
	int fd;

	if (kept < 0)
		kept = dup(STDERR_FILENO);
	fd = on ? open("/dev/null", O_WRONLY | O_CLOEXEC) : kept;
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	if (on)
		(void)close(fd);
}
