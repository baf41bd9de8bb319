/* queue/reason.h - why recipients wait: each text once, however many messages wait for it. Core loop only. */
#ifndef QUEUE_REASON_H
#define QUEUE_REASON_H

#include "util/hash.h"

struct reason {
	unsigned refs;
	char text[];
};

/* One reference to the reason with that text; NULL: out of memory. reasons: text to struct reason. */
struct reason *reason_get(struct map *reasons, const char *text);
void reason_put(struct map *reasons, struct reason *reason); /* NULL is fine */

#endif
