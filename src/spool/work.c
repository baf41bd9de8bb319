/* spool/work.c - see work.h. Always true: a slot that is not free holds the number of a message, and vice versa. */
#include "config.h"

#include "spool/work.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

/* For the handler of faults. */
static struct work_file *volatile current;
static volatile int current_fd;

static void
store(const struct work_file *f, int fd)
{
	ssize_t n = pwrite(fd, f, sizeof *f, 0);

	(void)n; /* a hint that cannot be written is none */
}

static int
open_file(int dirfd, struct work_file *f)
{
	int fd =
	    openat(dirfd, "work", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return -1;
	}
	if (pread(fd, f, sizeof *f, 0) != (ssize_t)sizeof *f ||
	    memcmp(f->magic, WORK_MAGIC, sizeof f->magic) != 0) {
		memset(f, 0, sizeof *f);
		memcpy(f->magic, WORK_MAGIC, sizeof f->magic);
		store(f, fd); /* so that it has its blocks when a fault comes on a full disk */
	}
	return fd;
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
	struct work_file *f = calloc(1, sizeof *f);

	work->fd = f != NULL ? open_file(dirfd, f) : -1;
	if (work->fd < 0) {
		free(f);
		return;
	}
	work->file = f;
	/* An end by kill -9, or of the machine, says nothing about messages: what was suspected stays so. */
	work->after_fault = f->fault == 1;
	if (work->after_fault)
		judge(work);
	f->fault = 0;
	f->replaying = 0;
	memset(f->slots, 0, sizeof f->slots);
	if (work->after_fault)
		store(f, work->fd);
	for (size_t i = 0; i < WORK_SLOTS; i++)
		work->free_slots[i] = (uint16_t)(WORK_SLOTS - 1 - i);
	work->free_count = WORK_SLOTS;
	for (size_t i = 0; i < WORK_SLOTS; i++)
		work->suspect_count += f->suspects[i] != 0;
	current_fd = work->fd;
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
	store(f, work->fd);
	(void)close(work->fd);
	free(f);
	work->file = NULL;
}

unsigned
work_begin(struct work *work, uint64_t sequence)
{
	uint16_t slot;

	if (work->file == NULL || work->free_count == 0)
		return 0;
	slot = work->free_slots[--work->free_count];
	*(volatile uint64_t *)&work->file->slots[slot] = sequence; /* a handler reads it */
	return slot + 1U;
}

static void
acquit(struct work *work, uint64_t sequence)
{
	for (size_t i = 0; work->suspect_count > 0 && i < WORK_SLOTS; i++)
		if (work->file->suspects[i] == sequence) {
			work->file->suspects[i] = 0;
			work->suspect_count--;
		}
}

bool
work_is_suspect(const struct work *work, uint64_t sequence)
{
	return work->suspect_count > 0 && has(work->file->suspects, WORK_SLOTS, sequence);
}

void
work_end(struct work *work, unsigned slot)
{
	if (work->file == NULL || slot == 0)
		return;
	acquit(work, work->file->slots[slot - 1]);
	work->file->slots[slot - 1] = 0;
	work->free_slots[work->free_count++] = (uint16_t)(slot - 1);
}

void
work_replaying(struct work *work, uint64_t sequence)
{
	if (work->file != NULL)
		*(volatile uint64_t *)&work->file->replaying = sequence; /* a handler reads it */
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

	if (f == NULL)
		return;
	f->fault = 1;
	store(f, current_fd);
}
