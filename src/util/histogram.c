/* util/histogram.c - see histogram.h. */
#include "config.h"

#include "util/histogram.h"

#define S INT64_C(1000000)

const int64_t histogram_bounds_us[HISTOGRAM_BUCKETS] = { S / 1000, S / 200, S / 100, S / 20, S / 10,
	S / 2, S, 2 * S, 5 * S, 10 * S, 30 * S, 60 * S, 300 * S, 1800 * S, 7200 * S, 50400 * S };

void
histogram_add(struct histogram *histogram, int64_t took_us)
{
	if (took_us < 0)
		took_us = 0;
	histogram->count++;
	histogram->sum_us += took_us;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (took_us <= histogram_bounds_us[i]) {
			histogram->buckets[i]++;
			return;
		}
}
