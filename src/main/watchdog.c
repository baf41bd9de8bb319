/* main/watchdog.c - see watchdog.h. Always true: one message is under way, or the timer is set. */
#include "config.h"

#include "main/watchdog.h"

#include "main/notify.h"

static void ping_next(struct watchdog *watchdog);

static void
ping_came(struct loop_msg *msg)
{
	struct watchdog *watchdog = container_of(msg, struct watchdog, ping);

	watchdog->at++;
	ping_next(watchdog);
}

static void
ping_there(struct loop_msg *msg)
{
	struct watchdog *watchdog = container_of(msg, struct watchdog, ping);

	msg->run = ping_came;
	loop_post(watchdog->core, msg);
}

static void
job_work(struct worker_job *job)
{
	(void)job;
}

static void
job_done(struct worker_job *job)
{
	struct watchdog *watchdog = container_of(job, struct watchdog, job);

	watchdog->under_way = false;
	notify_send("WATCHDOG=1");
}

static void
ping_next(struct watchdog *watchdog)
{
	if (watchdog->at < watchdog->loop_count) {
		watchdog->ping.run = ping_there;
		loop_post(watchdog->loops[watchdog->at], &watchdog->ping);
		return;
	}
	watchdog->job.home = watchdog->core;
	watchdog->job.work = job_work;
	watchdog->job.done = job_done;
	if (worker_submit(watchdog->workers, &watchdog->job) != RC_OK) {
		watchdog->under_way = false; /* full, but it was asked: it works */
		notify_send("WATCHDOG=1");
	}
}

static void
on_timer(void *arg)
{
	struct watchdog *watchdog = arg;

	timer_set(&watchdog->timer, notify_watchdog_ms() / 3);
	if (watchdog->under_way)
		return;
	watchdog->under_way = true;
	watchdog->at = 0;
	ping_next(watchdog);
}

void
watchdog_start(struct watchdog *watchdog)
{
	timer_init(&watchdog->timer, watchdog->core, on_timer, watchdog);
	if (notify_watchdog_ms() > 0)
		timer_set(&watchdog->timer, 0);
}

void
watchdog_stop(struct watchdog *watchdog)
{
	if (watchdog->timer.loop != NULL)
		timer_cancel(&watchdog->timer);
}
