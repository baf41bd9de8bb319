/* queue/state.c - version 1, count u16, then per recipient: what u8 (0 open, 1 settled, 2 held), attempts u16, due u64. */
#include "config.h"

#include "queue/state.h"
#include "util/le.h"

enum {
	STATE_VERSION = 1,
	STATE_HEAD = 3,
	STATE_EACH = 11,
	SETTLED = 1,
	HELD = 2
};

void
state_encode(const struct recipient_state *states, size_t count, struct buf *out)
{
	le_add(out, STATE_VERSION, 1);
	le_add(out, count, 2);
	for (size_t i = 0; i < count; i++) {
		le_add(out, states[i].settled ? SETTLED : states[i].held ? HELD : 0, 1);
		le_add(out, states[i].attempts, 2);
		le_add(out, (uint64_t)states[i].due_ms, 8);
	}
}

enum rc
state_decode(struct span bytes, struct recipient_state *out, size_t count)
{
	if (bytes.len != STATE_HEAD + count * STATE_EACH || le_get(bytes.p, 1) != STATE_VERSION ||
	    le_get(bytes.p + 1, 2) != count)
		return RC_BAD;
	for (size_t i = 0; i < count; i++) {
		const char *at = bytes.p + STATE_HEAD + i * STATE_EACH;

		if (le_get(at, 1) > HELD)
			return RC_BAD;
		out[i].settled = le_get(at, 1) == SETTLED;
		out[i].held = le_get(at, 1) == HELD;
		out[i].attempts = (uint16_t)le_get(at + 1, 2);
		out[i].due_ms = (int64_t)le_get(at + 3, 8);
	}
	return RC_OK;
}
