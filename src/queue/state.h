/* queue/state.h - the state record of a message: which recipients are settled, and when the rest is due.
 * Its bytes are described in postrider-spool(5). Pure. */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include "util/buf.h"

struct recipient_state {
	bool settled; /* delivered or failed for good */
	bool held;    /* not settled, and not to be tried before an operator says so */
	uint16_t attempts;
	int64_t due_ms; /* wall clock; when not settled */
};

void state_encode(const struct recipient_state *states, size_t count, struct buf *out);

/* RC_BAD when the bytes are no state of `count` recipients. */
MUST_CHECK enum rc state_decode(struct span bytes, struct recipient_state *out, size_t count);

#endif
