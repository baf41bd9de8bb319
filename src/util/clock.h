/* util/clock.h - the one source of time.
 *
 * Deadlines are taken from the monotonic clock, which no administrator can move; the wall clock is for
 * what people and other hosts read. Tests and the simulation put a source of their own in place. */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

struct clock_source {
	int64_t (*mono_us)(void);
	int64_t (*wall_us)(void); /* since 1970-01-01 UTC */
};

int64_t clock_mono_us(void);
int64_t clock_wall_us(void);

static inline int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

static inline int64_t
clock_wall_ms(void)
{
	return clock_wall_us() / 1000;
}

/* Put `source` in place (NULL: the system's clocks). Before any thread starts; tests only. */
void clock_use(const struct clock_source *source);

#endif
