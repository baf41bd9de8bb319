/* spool/work.c - see work.h. Always true: a slot that is not free holds the number of a message, and vice versa. */
#include "config.h"

#include "spool/work.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORK_MAGIC "PRWORK1\n"

struct work_file {
	char magic[8];
	uint64_t fault;	    /* 1: the process met a fault (a signal that a bug makes) */
	uint64_t replaying; /* the message whose record was being looked into */
	uint64_t replay_suspect;
	uint64_t aside[WORK_ASIDE];
	uint64_t suspects[WORK_SLOTS]; /* under way at the last fault */
	uint64_t slots[WORK_SLOTS];    /* under way now */
};

static struct work_file *volatile current; /* for the handler of faults */

static struct work_file *
map_file(int dirfd)
{
	int fd =
	    openat(dirfd, "work", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	struct work_file *file = MAP_FAILED;
	struct stat st;

	if (fd < 0)
		return NULL;
	/* The space is allocated: a store into a hole of a full disk would be a SIGBUS. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && posix_fallocate(fd, 0, sizeof *file) == 0)
		file = mmap(NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	return file != MAP_FAILED ? file : NULL;
}

static bool
has(const uint64_t *list, size_t len, uint64_t sequence)
{
	for (size_t i = 0; i < len; i++)
		if (list[i] == sequence)
			return true;
	return false;
}

static void
judge_replay(struct work_file *f)
{
	if (f->replaying == 0 || f->replaying != f->replay_suspect) {
		f->replay_suspect = f->replaying;
		return;
	}
	memmove(f->aside + 1, f->aside, sizeof f->aside - sizeof f->aside[0]);
	f->aside[0] = f->replaying;
	f->replay_suspect = 0;
}

static void
judge(struct work *work)
{
	struct work_file *f = work->file;

	for (size_t i = 0; i < WORK_SLOTS; i++)
		if (f->slots[i] != 0 && has(f->suspects, WORK_SLOTS, f->slots[i]) &&
		    !has(work->poisoned, work->poisoned_count, f->slots[i]))
			work->poisoned[work->poisoned_count++] = f->slots[i];
	memcpy(f->suspects, f->slots, sizeof f->suspects);
	judge_replay(f);
}

void
work_open(struct work *work, int dirfd)
{
	struct work_file *f = map_file(dirfd);

	work->file = f;
	if (f == NULL)
		return;
	if (memcmp(f->magic, WORK_MAGIC, sizeof f->magic) != 0) {
		memset(f, 0, sizeof *f);
		memcpy(f->magic, WORK_MAGIC, sizeof f->magic);
	}
	/* An end by kill -9, or of the machine, says nothing about messages: what was suspected stays so. */
	work->after_fault = f->fault == 1;
	if (work->after_fault)
		judge(work);
	f->fault = 0;
	f->replaying = 0;
	memset(f->slots, 0, sizeof f->slots);
	for (size_t i = 0; i < WORK_SLOTS; i++)
		work->free_slots[i] = (uint16_t)(WORK_SLOTS - 1 - i);
	work->free_count = WORK_SLOTS;
	current = f;
}

void
work_close(struct work *work)
{
	struct work_file *f = work->file;

	if (f == NULL)
		return;
	current = NULL;
	memset(f->suspects, 0, sizeof f->suspects);
	memset(f->slots, 0, sizeof f->slots);
	f->replaying = f->replay_suspect = 0;
	(void)munmap(f, sizeof *f);
	work->file = NULL;
}

unsigned
work_begin(struct work *work, uint64_t sequence)
{
	uint16_t slot;

	if (work->file == NULL || work->free_count == 0)
		return 0;
	slot = work->free_slots[--work->free_count];
	work->file->slots[slot] = sequence;
	return slot + 1U;
}

void
work_end(struct work *work, unsigned slot)
{
	if (work->file == NULL || slot == 0)
		return;
	work->file->slots[slot - 1] = 0;
	work->free_slots[work->free_count++] = (uint16_t)(slot - 1);
}

void
work_replaying(struct work *work, uint64_t sequence)
{
	if (work->file != NULL)
		*(volatile uint64_t *)&work->file->replaying = sequence;
}

bool
work_is_aside(const struct work *work, uint64_t sequence)
{
	return work->file != NULL && has(work->file->aside, WORK_ASIDE, sequence);
}

void
work_note_fault(void)
{
	struct work_file *f = current;

	if (f != NULL)
		*(volatile uint64_t *)&f->fault = 1;
}
