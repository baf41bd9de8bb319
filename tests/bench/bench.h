/* bench/bench.h - what the load generator and the sink share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* Wall clock in microseconds: both programs run on one machine. */
static inline int64_t
bench_wall_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int
bench_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Of sorted values; 0 when there are none. */
static inline uint32_t
bench_percentile(const uint32_t *values, long count, double p)
{
	long i = (long)((double)count * p);

	return count > 0 ? values[i < count ? i : count - 1] : 0;
}

#endif
