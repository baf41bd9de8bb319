/* filter/milter.h - the MTA's side of the milter protocol, versions 2 to 6, as a state machine: bytes in, bytes out
 * (libmilter's mfdef.h). Pure.
 *
 * One connection is one message. Offered are changes of the header and of the body, and quarantine; recipients and sender
 * are not the milter's to change. What a milter sends is not trusted: a packet out of its place, a change that was not
 * offered or cannot stand in a message, more than was agreed on: all end the session without a verdict. */
#ifndef FILTER_MILTER_H
#define FILTER_MILTER_H

#include "filter/edits.h"
#include "filter/filter.h"

/* The command that is to be sent next, or whose answer is awaited. */
enum milter_state {
	MILTER_OPTIONS,
	MILTER_CONNECT,
	MILTER_HELO,
	MILTER_MAIL,
	MILTER_RCPT, /* one for each recipient */
	MILTER_DATA,
	MILTER_FIELDS, /* one for each field */
	MILTER_EOH,
	MILTER_BODY, /* the caller brings chunks */
	MILTER_END,
	MILTER_OVER /* there is a result */
};

enum {
	MILTER_PACKET_MAX = 1024 * 1024 + 16, /* of what we take */
	MILTER_CHUNK = 64 * 1024 - 1
};

struct milter {
	enum milter_state state;
	const struct filter_envelope *envelope; /* borrowed */
	uint32_t version, protocol;
	bool waiting; /* for an answer */
	size_t item;  /* of RCPT and FIELDS: what comes next */
	struct buf in;
	struct edits edits;
	size_t changes;	 /* made to it, whether they have an effect or not */
	struct buf body; /* what replaces it */
	bool replaces_body, quarantined;
	size_t max_body;
	struct filter_result
	    result;	   /* in OVER; header and body are the milter's until milter_free */
	struct buf header; /* of the result */
};

/* header: without the empty line, borrowed until milter_free. max_body: of a body that replaces the message's. In any case
 * milter_free follows. RC_BAD: not a header. */
MUST_CHECK enum rc milter_begin(struct milter *milter, const struct filter_envelope *envelope,
    struct span header, size_t max_body, struct buf *out);
/* All of `in` is used. */
void milter_feed(struct milter *milter, struct span in, struct buf *out);
bool milter_wants_chunk(const struct milter *milter);
/* When it wants one: up to MILTER_CHUNK bytes; none: that was all. */
void milter_chunk(struct milter *milter, struct span bytes, struct buf *out);
/* The connection is over: without a result that is FILTER_FAILED. */
void milter_closed(struct milter *milter, const char *why);
void milter_free(struct milter *milter);

#endif
