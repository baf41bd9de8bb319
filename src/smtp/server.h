/* smtp/server.h - the SMTP door: listeners and admission on the core loop, sessions on the connection loops.
 *
 * A reload gives a new context to sessions that begin from then on; open ones keep theirs. */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "auth/credentials.h"
#include "config/config.h"
#include "net/tls.h"
#include "submit/submit.h"

struct smtp_server;

struct smtp_server_options {
	struct loop *core;
	struct loop **loops; /* borrowed */
	size_t loop_count;
	struct worker_pool *workers;
	struct spool *spool;
	struct submit *submit;
	struct credentials *credentials; /* of the store */
};

MUST_CHECK enum rc smtp_server_new(
    const struct smtp_server_options *options, struct smtp_server **out, struct why *why);
void smtp_server_free(struct smtp_server *server); /* when smtp_server_sessions is 0 */

/* For sessions that begin from now on. Takes its own references. RC_LATER: out of memory, nothing changed. */
MUST_CHECK enum rc smtp_server_configure(struct smtp_server *server, struct config *config,
    struct credential_table *credentials, struct tls_server *tls);

/* Listen as the configuration says; `inherited` gives descriptors from the service manager by listener name (-1: none;
 * asked again until -1). Logs each address. */
MUST_CHECK enum rc smtp_server_listen(struct smtp_server *server,
    int (*inherited)(void *arg, const char *name), void *arg, struct why *why);

/* Accept no more, say 421 to idle sessions, let transactions finish; on_empty is called when the last session has
 * ended. A second call replaces on_empty. smtp_server_cut ends those that are left. */
void smtp_server_stop(struct smtp_server *server, void (*on_empty)(void *arg), void *arg);
void smtp_server_cut(struct smtp_server *server);

uint64_t smtp_server_sessions(const struct smtp_server *server);

#endif
