/* http/control.h - the control socket: HTTP and JSON on a Unix socket, for `postrider` and for curl.
 *
 * Lives on the core loop. Who may connect is decided by the socket's mode and group; calls that change something
 * also need the peer to be root, the daemon's user, or in the socket's group (SO_PEERCRED). */
#ifndef HTTP_CONTROL_H
#define HTTP_CONTROL_H

#include "account/account.h"
#include "admin/admin.h"
#include "queue/queue.h"
#include "spool/spool.h"
#include "submit/submit.h"

struct control;

/* What only the daemon as a whole knows; all borrowed until the loop goes on. */
struct control_daemon {
	struct config *config; /* the running one */
	const char *config_path;
	int64_t started_ms; /* wall clock */
	uint64_t sessions;  /* SMTP sessions open now */
	/* The last reload: 0 when there was none, and its result as control_reload_callback has it. */
	int64_t reload_ms;
	enum rc reload_rc;
	struct span reload_text;
};

/* RC_OK with the names of settings that wait for a restart, or anything else with the errors, as lines of text. */
typedef void control_reload_callback(void *arg, enum rc rc, struct span text);

/* What the routes work on; borrowed, outlives the control object. */
struct control_context {
	struct loop *core;
	struct worker_pool *workers;
	struct spool *spool;
	struct accounts *accounts;
	struct queue *queue;
	struct submit *submit;
	struct admin *admin;
	struct identities *identities;
	struct credentials *credentials;
	struct config_sets *sets;
	struct suppressions *suppressions;
	struct store *store;
	void (*daemon)(void *arg, struct control_daemon *out);
	/* Start a reload; the callback comes once, later. */
	void (*reload)(void *arg, control_reload_callback *callback, void *callback_arg);
	void *arg;
};

/* Makes the socket at `path` with that mode, in a directory that is made when it is missing; a socket file that nobody
 * listens on any more is replaced. RC_DENY: another process listens there. Blocks shortly: at start. */
MUST_CHECK enum rc control_new(const struct control_context *context, const char *path, int mode,
    struct control **out, struct why *why);

/* Take no more changes, end listings. on_idle is called when every answer that was still owed is out. */
void control_stop(struct control *control, void (*on_idle)(void *arg), void *arg);

/* Closes every connection and removes the socket file. What calls under way are still waiting for ends without an
 * answer. NULL is fine. */
void control_free(struct control *control);

#endif
