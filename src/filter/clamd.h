/* filter/clamd.h - clamd's INSTREAM command as a state machine: bytes in, bytes out (clamd(8), COMMANDS). Pure. */
#ifndef FILTER_CLAMD_H
#define FILTER_CLAMD_H

#include "util/buf.h"

enum clamd_state {
	CLAMD_STREAM, /* the message is on its way */
	CLAMD_REPLY,  /* all of it was sent */
	CLAMD_CLEAN,
	CLAMD_VIRUS, /* `text` is its name */
	CLAMD_FAILED /* `text` says why */
};

enum {
	CLAMD_REPLY_MAX = 1024
};

struct clamd {
	enum clamd_state state;
	char reply[CLAMD_REPLY_MAX];
	size_t reply_len;
	char text[256]; /* one line, without control bytes */
};

void clamd_begin(struct clamd *clamd, struct buf *out);
/* In CLAMD_STREAM: more of the message, not empty, below 4 GiB; then its end. */
void clamd_chunk(struct clamd *clamd, struct span bytes, struct buf *out);
void clamd_end(struct clamd *clamd, struct buf *out);
/* What clamd says. It may refuse a message before its end, but not find it clean. */
void clamd_feed(struct clamd *clamd, struct span in);
/* The connection is over: without a verdict that is a failure. */
void clamd_closed(struct clamd *clamd, const char *why);

#endif
