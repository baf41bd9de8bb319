/* bench/bench.h - what the load generator and the sink share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <limits.h>
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

/* ------------------------------------------------------------------ options ------------------- */

enum bench_kind {
	BENCH_TEXT,
	BENCH_NUMBER,
	BENCH_REAL, /* not below 0 */
	BENCH_FLAG, /* takes no value */
	BENCH_WORD  /* one of those in `value`; kept is which one, from 0 */
};

struct bench_option {
	const char *name;
	const char *value; /* what it is called in the usage: "N", "one|two" */
	enum bench_kind kind;
	union {
		const char **text;
		long *number;
		double *real;
		bool *flag;
		int *word;
	} to;
	long min, max; /* of a number */
};

#define BENCH_OPTION_TEXT(n, v, t) \
	{ \
		.name = (n), .value = (v), .kind = BENCH_TEXT, .to.text = (t) \
	}
#define BENCH_OPTION_NUMBER(n, v, t, least, most) \
	{ \
		.name = (n), .value = (v), .kind = BENCH_NUMBER, .to.number = (t), .min = (least), \
		.max = (most) \
	}
#define BENCH_OPTION_REAL(n, v, t) \
	{ \
		.name = (n), .value = (v), .kind = BENCH_REAL, .to.real = (t) \
	}
#define BENCH_OPTION_FLAG(n, t) \
	{ \
		.name = (n), .kind = BENCH_FLAG, .to.flag = (t) \
	}
#define BENCH_OPTION_WORD(n, v, t) \
	{ \
		.name = (n), .value = (v), .kind = BENCH_WORD, .to.word = (t) \
	}

/* Options of the form --name VALUE; the last one has no name. Ends the process with 64, and says how it is used, when one is
 * not known or its value is not of its kind. `note` is printed behind the usage, "" or lines. */
void bench_parse(int argc, char **argv, const struct bench_option *options, const char *note);

#endif
