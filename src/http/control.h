/* http/control.h - the control socket: HTTP and JSON on a Unix socket, for `postrider` and for curl.
 *
 * Lives on the core loop. Who may connect is decided by the socket's mode and group; calls that change something
 * also need the peer to be root, the daemon's user, or in the socket's group (SO_PEERCRED). */
#ifndef HTTP_CONTROL_H
#define HTTP_CONTROL_H

#include "account/account.h"
#include "queue/queue.h"
#include "spool/spool.h"
#include "submit/submit.h"

struct control;

/* What the routes work on; borrowed, outlives the control object. */
struct control_context {
	struct loop *core;
	struct queue *queue;
	struct spool *spool;
	struct accounts *accounts;
	struct submit *submit;
	struct worker_pool *workers;
	struct config *(*config)(void *arg); /* the running one, borrowed */
	/* Start a reload; the answer comes later: RC_OK, or RC_BAD with the errors as text lines. */
	void (*reload)(
	    void *arg, void (*done)(void *done_arg, enum rc rc, struct span text), void *done_arg);
	/* SMTP sessions open now. */
	uint64_t (*sessions)(void *arg);
	void *arg;
};

MUST_CHECK enum rc control_new(const struct control_context *context, const char *path, int mode,
    struct control **out, struct why *why);
void control_free(struct control *control);

#endif
