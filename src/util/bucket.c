/* util/bucket.c - token bucket, refilled when it is looked at. */
#include "config.h"

#include "util/bucket.h"

#define WAIT_MAX_US (INT64_C(1) << 60) /* some 36000 years; exact as a double, too */

void
bucket_init(struct bucket *b, double rate, double burst, int64_t now_us)
{
	*b = (struct bucket){ .rate = rate, .burst = burst, .level = burst, .at_us = now_us };
}

static void
bucket_refill(struct bucket *b, int64_t now_us)
{
	if (now_us > b->at_us) {
		b->level += b->rate * (double)(now_us - b->at_us) / 1e6;
		b->at_us = now_us;
	}
	if (b->level > b->burst)
		b->level = b->burst;
}

void
bucket_set(struct bucket *b, double rate, double burst, int64_t now_us)
{
	bucket_refill(b, now_us);
	b->rate = rate;
	b->burst = burst;
	bucket_refill(b, now_us);
}

/* What the level must reach before `cost` may be taken. */
static double
bucket_need(const struct bucket *b, double cost)
{
	return cost < b->burst ? cost : b->burst;
}

bool
bucket_take(struct bucket *b, double cost, int64_t now_us)
{
	if (b->rate <= 0)
		return true;
	bucket_refill(b, now_us);
	if (b->level < bucket_need(b, cost))
		return false;
	b->level -= cost;
	return true;
}

void
bucket_refund(struct bucket *b, double cost)
{
	if (b->rate > 0)
		b->level = b->level + cost > b->burst ? b->burst : b->level + cost;
}

int64_t
bucket_wait_us(struct bucket *b, double cost, int64_t now_us)
{
	double lack, wait_us;

	if (b->rate <= 0)
		return 0;
	bucket_refill(b, now_us);
	lack = bucket_need(b, cost) - b->level;
	wait_us = lack / b->rate * 1e6;
	if (lack <= 0)
		return 0;
	/* At the lowest rates that is more than an integer holds. */
	return wait_us < WAIT_MAX_US ? (int64_t)wait_us + 1 : WAIT_MAX_US;
}

int64_t
bucket_take_later(struct bucket *b, double cost, int64_t now_us, int64_t max_us)
{
	int64_t wait_us = bucket_wait_us(b, cost, now_us);

	if (wait_us > max_us)
		return -1;
	if (b->rate > 0)
		b->level -= cost;
	return wait_us;
}
