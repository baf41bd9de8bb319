/* tests/bench/spool_fill.c - fills a spool with waiting messages, or measures what a start makes of one.
 *	spool_fill DIRECTORY COUNT [DOMAINS [SEGMENT-MIB]]
 *	spool_fill --replay DIRECTORY       the replay alone, with the digests
 *	spool_fill --replay-all DIRECTORY   the same from the records
 * Messages have 1 to 4 KiB and one recipient each. The spool's own code writes them; syncs are left out. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool/spool.h"
#include "util/clock.h"

struct item {
	struct spool_entry entry;
};

static size_t failed;

static int
no_sync(int fd)
{
	(void)fd;
	return 0;
}

static const struct disk_ops no_syncs = { pwritev, no_sync, no_sync };

static void
on_commit(void *arg, enum rc rc, const struct why *why)
{
	(void)arg;
	if (rc == RC_OK)
		return;
	if (failed++ == 0)
		(void)fprintf(stderr, "spool_fill: %s\n", why->text);
}

static struct spool_entry *
on_message(void *arg, const struct message *envelope)
{
	struct item *item = calloc(1, sizeof *item);

	(void)arg;
	(void)envelope;
	return item != NULL ? &item->entry : NULL;
}

static const struct spool_replay_ops ops = { .on_message = on_message };

static char filler[4096];

static struct message *
make_message(unsigned long i, unsigned long domains)
{
	struct message *m = message_new();
	char to[64], header[320];
	struct span pieces[2];

	(void)snprintf(to, sizeof to, "user%lu@d%lu.example.net", i, i % domains);
	(void)snprintf(header, sizeof header,
	    "From: a@example.com\r\nTo: %s\r\nSubject: %lu\r\nMessage-ID: <%lu@fill>\r\n\r\n", to,
	    i, i);
	if (m == NULL)
		return NULL;
	pieces[0] = span_make(strdup(header), strlen(header));
	pieces[1] = span_make(filler, 1024 + i * 7919 % 3072 - pieces[0].len);
	m->pieces = malloc(sizeof pieces);
	if (m->pieces == NULL || message_own(m, (void *)(uintptr_t)pieces[0].p) != RC_OK)
		return NULL;
	memcpy(m->pieces, pieces, sizeof pieces);
	m->piece_count = 2;
	m->size = pieces[0].len + pieces[1].len;
	m->accepted_ms = clock_wall_ms();
	m->id.stamp = (uint64_t)m->accepted_ms;
	memcpy(m->id.uuid, &i, sizeof i);
	if (message_set(&m->account, SPAN_LIT("web")) != RC_OK ||
	    message_set(&m->sender, SPAN_LIT("a@example.com")) != RC_OK ||
	    message_set(&m->return_path, SPAN_LIT("a@example.com")) != RC_OK ||
	    message_add_recipient(m, span_of(to), SPAN_EMPTY, 0) != RC_OK)
		return NULL;
	return m;
}

static int
fill(struct spool *spool, struct loop *loop, unsigned long count, unsigned long domains)
{
	for (size_t i = 0; i < sizeof filler; i++)
		filler[i] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : (char)('a' + i % 26);
	for (unsigned long i = 0; i < count; i++) {
		struct item *item = calloc(1, sizeof *item);
		struct message *m = make_message(i, domains);
		struct why why = WHY_EMPTY;

		if (item == NULL || m == NULL ||
		    spool_append_message(spool, &item->entry, m, on_commit, NULL, &why) != RC_OK) {
			(void)fprintf(stderr, "spool_fill: %s\n", why.text);
			return 1;
		}
		message_unref(m);
		if (i % 256 == 255)
			while (loop_step(loop) > 0)
				continue;
	}
	while (loop_step(loop) > 0)
		continue;
	return failed > 0;
}

int
main(int argc, char **argv)
{
	bool replay_all = argc > 2 && strcmp(argv[1], "--replay-all") == 0;
	bool replay = replay_all || (argc > 2 && strcmp(argv[1], "--replay") == 0);
	struct spool_options options = { .directory = argc > 2 ? argv[replay ? 2 : 1] : "",
		.segment_bytes = (argc > 4 ? strtoull(argv[4], NULL, 10) : 64) << 20,
		.disk = &no_syncs,
		.no_digests = replay_all };
	struct why why = WHY_EMPTY;
	struct spool_replay_report report;
	struct loop *loop = loop_new_manual("core");
	struct worker_pool *workers = worker_pool_new(0, 100, &why);
	struct spool *spool = NULL;
	int status = 1;

	if (argc < 3) {
		(void)fprintf(stderr, "usage: spool_fill DIRECTORY COUNT [DOMAINS [SEGMENT-MIB]]\n"
				      "       spool_fill --replay|--replay-all DIRECTORY\n");
		return 64;
	}
	if (loop == NULL || workers == NULL ||
	    spool_open(&options, loop, workers, &spool, &why) != RC_OK ||
	    spool_replay(spool, &ops, NULL, &report, &why) != RC_OK) {
		(void)fprintf(stderr, "spool_fill: %s\n", why.text);
		return 1;
	}
	(void)printf("replay: segments=%llu digests=%llu messages=%llu live=%llu damaged=%llu "
		     "bytes=%llu ms=%lld\n",
	    (unsigned long long)report.segments, (unsigned long long)report.digests,
	    (unsigned long long)report.messages, (unsigned long long)report.live,
	    (unsigned long long)report.damaged, (unsigned long long)report.bytes,
	    (long long)report.took_ms);
	if (replay) /* the items are left to the end of the process, and the files as they are */
		return 0;
	status = fill(
	    spool, loop, strtoul(argv[2], NULL, 10), argc > 3 ? strtoul(argv[3], NULL, 10) : 10000);
	spool_close(spool);
	loop_free(loop);
	worker_pool_free(workers);
	return status;
}
