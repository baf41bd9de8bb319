/* queue/retry.c - exponential backoff with jitter. */
#include "config.h"

#include "queue/retry.h"

int64_t
retry_delay_ms(unsigned attempts, int64_t min_ms, int64_t max_ms, uint32_t random)
{
	int64_t delay = min_ms;

	for (unsigned i = 1; i < attempts && delay < max_ms; i++)
		delay *= 2;
	if (delay > max_ms)
		delay = max_ms;
	return delay - delay / 5 + (int64_t)((uint64_t)random * (uint64_t)(delay / 5 * 2) >> 32);
}

int64_t
retry_message_delay_ms(
    unsigned attempts, int64_t age_ms, int64_t min_ms, int64_t max_ms, uint32_t random)
{
	if (age_ms < 0)
		age_ms = 0;
	if (max_ms > min_ms && age_ms < (max_ms - min_ms) / 2)
		max_ms = min_ms + 2 * age_ms;
	return retry_delay_ms(attempts, min_ms, max_ms, random);
}
