/* tests/unit/spool/world.h - a spool on a real disk in a folder of its own, whose writer runs inside a manual loop; its
 * syncs and writes fail when the test says so. */
#ifndef TESTS_UNIT_SPOOL_WORLD_H
#define TESTS_UNIT_SPOOL_WORLD_H

#include "unit/test.h"

#include "spool/spool.h"

enum {
	SEGMENT = 1 << 20
};

struct item {
	struct spool_entry entry;
	char subject[32]; /* the account, as a mark */
	char state[64];
	bool acknowledged, failed, poisoned;
};

struct world {
	char dir[64];
	struct loop *loop;
	struct worker_pool *workers;
	struct spool *spool;
	struct spool_replay_report report;
	struct item *found;
	size_t found_count; /* live ones, told by the last replay */
	size_t ended_count;
};

struct loaded {
	struct message *message;
	bool called;
};

extern int fail_syncs;	     /* how many of the next syncs fail, with EIO */
extern size_t write_at_most; /* bytes of one write; 0: no limit */
extern bool no_digests;

extern const struct spool_replay_ops world_replay_ops; /* with the world as argument */

void open_world_only(struct world *w); /* without replay */
void open_world(struct world *w);
void settle(struct world *w);
void close_world(struct world *w);
void restart(struct world *w);
int setup(void **state);
int setup_records(void **state);
int teardown(void **state);
struct message *make_message(const char *mark, size_t body);
void append(struct world *w, struct item *item, const char *mark, size_t body);
void on_loaded(void *arg, struct message *message, const struct why *why);
size_t count_files(const char *dir, const char *suffix);
/* What the last replay found to be live; NULL: it is not there. */
struct item *find_item(struct world *w, const char *mark);

#define BOTH(test) \
	{ #test, test, setup, teardown, NULL }, \
	{ \
#test " without digests", test, setup_records, teardown, NULL \
	}

#endif
