/* main/watchdog.h - feeds the service manager's watchdog (WatchdogSec=) by proof of progress: a message goes through every
 * connection loop in turn, then a job through the worker pool; only when it has come back is WATCHDOG=1 said. Core loop
 * only. */
#ifndef MAIN_WATCHDOG_H
#define MAIN_WATCHDOG_H

#include "net/worker.h"

struct watchdog {
	struct loop *core;
	struct loop **loops;
	size_t loop_count;
	struct worker_pool *workers;
	/* Its own. */
	struct timer timer;
	struct loop_msg ping;
	struct worker_job job;
	size_t at; /* the loop that has the message */
	bool under_way;
};

/* No effect when the service manager asks for none. The first four fields are set by the caller and borrowed. */
void watchdog_start(struct watchdog *watchdog);
void watchdog_stop(struct watchdog *watchdog);

#endif
