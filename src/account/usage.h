/* account/usage.h - recipients of a rolling 24 hours, in a ring of minutes. Pure. */
#ifndef ACCOUNT_USAGE_H
#define ACCOUNT_USAGE_H

#include <stdint.h>

enum {
	USAGE_MINUTES = 1440
};

struct usage {
	int64_t minute; /* the newest minute in the ring, since 1970 */
	int64_t sum;	/* of all of it */
	uint32_t count[USAGE_MINUTES];
};

/* The recipients of the 24 hours up to `minute`. Nothing is forgotten when the clock goes back: what is in minutes that are
 * still to come counts, and when it goes back by a day or more, all counts as sent in the minute it goes back to. A clock
 * that jumps ahead by more than a day empties the ring. */
int64_t usage_sum(struct usage *usage, int64_t minute);
/* A minute has no more than UINT32_MAX. */
void usage_add(struct usage *usage, int64_t minute, uint32_t recipients);
/* From the minute to which usage_add has put them; nothing happens when that is over. */
void usage_remove(struct usage *usage, int64_t minute, uint32_t recipients);

#endif
