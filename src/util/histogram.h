/* util/histogram.h - how often something took how long: counts in fixed buckets, for Prometheus. One thread. */
#ifndef UTIL_HISTOGRAM_H
#define UTIL_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_BUCKETS = 16
};

/* Upper bounds in microseconds, growing; what is above the last counts in `count` only. */
extern const int64_t histogram_bounds_us[HISTOGRAM_BUCKETS];

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS]; /* each by itself, not cumulative */
	uint64_t count;
	int64_t sum_us;
};

void histogram_add(struct histogram *histogram, int64_t took_us);

#endif
