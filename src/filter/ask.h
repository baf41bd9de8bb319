/* filter/ask.h - one message's visit to one program: a place among those that may be asked at once, the connection, the
 * deadlines, the message in chunks. What is said is the protocol's (ask_ops). Core loop only. Internal to filter/. */
#ifndef FILTER_ASK_H
#define FILTER_ASK_H

#include "filter/filter.h"
#include "filter/feed.h"
#include "net/conn.h"

struct ask;

struct ask_ops {
	void (*on_connected)(struct ask *ask);
	void (*on_data)(struct ask *ask, struct span in); /* all of it is used */
	/* The next chunk of the message is to be sent; it comes when the connection has room. None: that was all. */
	bool (*wants_chunk)(const struct ask *ask);
	void (*on_chunk)(struct ask *ask, struct span chunk);
	/* No connection, no answer in time, connection lost. ask_close has been called. */
	void (*on_failed)(struct ask *ask, const char *why);
	/* From the loop, some time after ask_close: the owner tells what came of it, and frees. */
	void (*on_closed)(struct ask *ask);
};

enum ask_state {
	ASK_NEW,
	ASK_WAITING, /* for a place */
	ASK_OPEN,
	ASK_CLOSED
};

struct ask {
	struct list node; /* of the waiting or of those under way */
	struct filters *filters;
	const struct ask_ops *ops;
	enum ask_state state;
	const char *endpoint; /* borrowed */
	int64_t timeout_ms;   /* without a word, once it is asked */
	int64_t end_ms;	      /* monotonic: of all */
	struct conn *conn;
	struct feed *feed;
	struct timer timer;	  /* the deadline */
	struct timer again_timer; /* the program's queue of connections was full */
	struct loop_msg msg;
	bool pumping;
};

/* on_closed follows in any case, never from inside the call. */
void ask_begin(struct ask *ask, struct filters *filters, const struct ask_ops *ops,
    const char *endpoint, int64_t timeout_ms, const struct feed_content *content);
void ask_write(struct ask *ask, struct buf *bytes); /* and empties it */
void ask_extend(struct ask *ask);		    /* the program has said something */
/* polite: what was written last is still sent. */
void ask_close(struct ask *ask, bool polite);
/* wants_chunk may have become true. */
void ask_pump(struct ask *ask);

#endif
