/* account/usage.c - the ring. Always true: sum is the sum of count[]. */
#include "config.h"

#include "account/usage.h"

#include <string.h>

static void
add(struct usage *usage, int64_t minute, int64_t recipients)
{
	uint32_t *slot = &usage->count[minute % USAGE_MINUTES];

	if (recipients > (int64_t)UINT32_MAX - *slot)
		recipients = (int64_t)UINT32_MAX - *slot;
	*slot += (uint32_t)recipients;
	usage->sum += recipients;
}

/* Left where it was, it would get old only when the clock comes there again. */
static void
set_back(struct usage *usage, int64_t minute)
{
	int64_t sum = usage->sum;

	*usage = (struct usage){ .minute = minute };
	add(usage, minute, sum);
}

static void
advance(struct usage *usage, int64_t minute)
{
	if (usage->minute - minute >= USAGE_MINUTES)
		set_back(usage, minute);
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

void
usage_add(struct usage *usage, int64_t minute, uint32_t recipients)
{
	advance(usage, minute);
	add(usage, minute, recipients);
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
