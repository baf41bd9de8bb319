/* queue/retry.h - when to try again. Pure. */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H

#include <stdint.h>

/* Milliseconds until the next attempt after `attempts` failed ones (>= 1): min_ms doubled each time, at most max_ms,
 * and a jitter of a fifth either way taken from `random`, so that an outage's retries do not come back together. */
int64_t retry_delay_ms(unsigned attempts, int64_t min_ms, int64_t max_ms, uint32_t random);

/* The same for a message of this age (negative: 0). Its age grows as its distances do, so that this is the same delay
 * in the way of things; but attempts that came early, because an operator asked for them, do not send a young message
 * far away: at most min_ms and twice the age. */
int64_t retry_message_delay_ms(
    unsigned attempts, int64_t age_ms, int64_t min_ms, int64_t max_ms, uint32_t random);

#endif
