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

/* The recipients of the 24 hours up to `minute`. A minute that is long over counts as the newest, so that nothing is
 * forgotten when the clock goes back; a clock that jumps ahead by more than a day empties the ring. */
int64_t usage_sum(struct usage *usage, int64_t minute);
/* Returns the minute they are in. */
int64_t usage_add(struct usage *usage, int64_t minute, uint32_t recipients);
/* From where usage_add has put them; nothing happens when that is over. */
void usage_remove(struct usage *usage, int64_t minute, uint32_t recipients);

#endif
