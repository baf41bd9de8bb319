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

/* The recipients of the 24 hours up to `minute`. A clock that goes back counts into the newest minute, so
 * that nothing is forgotten; one that jumps ahead by more than a day empties the ring. */
int64_t usage_sum(struct usage *usage, int64_t minute);
void usage_add(struct usage *usage, int64_t minute, uint32_t recipients);
/* The last ones that were counted. */
void usage_remove(struct usage *usage, int64_t minute, uint32_t recipients);

#endif
