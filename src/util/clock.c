/* util/clock.c - reads the system's clocks, or those a test has put in place. */
#include "config.h"

#include "util/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t
system_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t
system_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

static const struct clock_source system_clocks = { system_mono_us, system_wall_us };
static const struct clock_source *current = &system_clocks;

int64_t
clock_mono_us(void)
{
	return current->mono_us();
}

int64_t
clock_wall_us(void)
{
	return current->wall_us();
}

void
clock_use(const struct clock_source *source)
{
	current = source != NULL ? source : &system_clocks;
}
