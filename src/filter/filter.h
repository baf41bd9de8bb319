/* filter/filter.h - asks other programs about a message before it is stored: clamd, milters. Core loop only.
 *
 * Nothing here blocks, and every question ends: a program has `timeout_ms` to say something, and FILTER_TOTAL_MS for all
 * of a message, which includes the wait for a place among the FILTER_AT_ONCE that are asked at the same time. */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include "net/worker.h"
#include "util/buf.h"

struct filters;

enum {
	FILTER_AT_ONCE = 64,
	FILTER_TOTAL_MS = 5 * 60 * 1000
};

enum filter_verdict {
	FILTER_PASS,
	FILTER_DROP,   /* nobody is to get it, and its sender need not know */
	FILTER_REFUSE, /* with the reply in code and text */
	FILTER_FAILED  /* there is no verdict; text says why */
};

struct filter_result {
	enum filter_verdict verdict;
	int code;
	char text[512]; /* one line; of DROP: what was found */
	/* Of PASS by a milter: what is to leave in place of the message's, or NULL. The header is without the empty line.
	 * The receiver may steal the bytes. */
	struct buf *header, *body;
};

/* The message as it would leave. All is borrowed until the callback. */
struct filter_message {
	const struct span
	    *pieces; /* the first is the header with the empty line, what follows of the body */
	size_t piece_count;
	int file_fd; /* -1, or the rest of the body is in a file */
	uint64_t file_at, file_size;
};

/* What milters are told beside the message. All is borrowed until the callback; "" where nothing is known. */
struct filter_envelope {
	const char *hostname;
	const char *daemon_name; /* of the listener */
	const char *id;
	const char *client_name; /* as it says in EHLO: a claim */
	const char *client_address;
	const char *auth_user, *auth_type;
	bool tls;
	const char *sender; /* "": null */
	const char *const *recipients;
	size_t recipient_count;
};

/* Never from inside the call that asks. `result` is good during the call. */
typedef void filter_callback(void *arg, const struct filter_result *result);

struct filters *filters_new(struct loop *core, struct worker_pool *workers); /* NULL: no memory */
/* All that is under way fails, and so does what is asked from now on. The callbacks come from the loop. */
void filters_cut(struct filters *filters);
void filters_free(struct filters *filters); /* when nothing is under way; NULL is fine */

/* Has clamd look at the whole message. endpoint: as util/endpoint.h reads it; borrowed until the callback. RC_LATER: out
 * of memory, no callback comes. */
MUST_CHECK enum rc filter_ask_clamd(struct filters *filters, const char *endpoint,
    int64_t timeout_ms, const struct filter_message *message, filter_callback *callback, void *arg);

/* Asks a milter. max_body: of a body that it may put in place of the message's. RC_LATER, RC_BAD: no callback comes. */
MUST_CHECK enum rc filter_ask_milter(struct filters *filters, const char *endpoint,
    int64_t timeout_ms, const struct filter_message *message,
    const struct filter_envelope *envelope, size_t max_body, filter_callback *callback, void *arg);

#endif
