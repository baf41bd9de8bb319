/* util/bucket.h - token bucket: a rate with a burst, in whole tokens.
 *
 * A cost above the whole burst is allowed when the bucket is full, and leaves it in debt, so that an
 * account of one recipient a second can still send one message to fifty. Not thread-safe. */
#ifndef UTIL_BUCKET_H
#define UTIL_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	double rate;   /* tokens per second; 0 or less: no limit */
	double burst;  /* most tokens that pile up */
	double level;  /* may be below zero: debt */
	int64_t at_us; /* monotonic time of `level` */
};

void bucket_init(struct bucket *b, double rate, double burst, int64_t now_us);
void bucket_set(struct bucket *b, double rate, double burst, int64_t now_us); /* keeps the level */
bool bucket_take(struct bucket *b, double cost, int64_t now_us);
/* The same for who can wait: taken at once, in debt if need be, when what it stands for waits for so many microseconds
 * (0: not at all). -1: it would be more than `max_us`, and nothing is taken. */
int64_t bucket_take_later(struct bucket *b, double cost, int64_t now_us, int64_t max_us);
void bucket_refund(struct bucket *b, double cost);

/* Microseconds from now_us until `cost` could be taken; 0: at once. */
int64_t bucket_wait_us(struct bucket *b, double cost, int64_t now_us);

#endif
