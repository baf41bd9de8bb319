/* account/usage.c - the ring. Always true: sum is the sum of count[]. */
#include "config.h"

#include "account/usage.h"

#include <string.h>

static void
advance(struct usage *usage, int64_t minute)
{
	if (minute <= usage->minute)
		return;
	if (minute - usage->minute >= USAGE_MINUTES) {
		memset(usage->count, 0, sizeof usage->count);
		usage->sum = 0;
	} else {
		for (int64_t m = usage->minute + 1; m <= minute; m++) {
			usage->sum -= usage->count[m % USAGE_MINUTES];
			usage->count[m % USAGE_MINUTES] = 0;
		}
	}
	usage->minute = minute;
}

int64_t
usage_sum(struct usage *usage, int64_t minute)
{
	advance(usage, minute);
	return usage->sum;
}

int64_t
usage_add(struct usage *usage, int64_t minute, uint32_t recipients)
{
	advance(usage, minute);
	if (usage->minute - minute >= USAGE_MINUTES)
		minute = usage->minute;
	usage->count[minute % USAGE_MINUTES] += recipients;
	usage->sum += recipients;
	return minute;
}

void
usage_remove(struct usage *usage, int64_t minute, uint32_t recipients)
{
	uint32_t *slot = &usage->count[minute % USAGE_MINUTES];

	if (minute > usage->minute || usage->minute - minute >= USAGE_MINUTES)
		return;
	if (recipients > *slot)
		recipients = *slot;
	*slot -= recipients;
	usage->sum -= recipients;
}
