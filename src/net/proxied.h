/* net/proxied.h - connections that come through a load balancer: takes the PROXY header off their front and tells whom
 * they are from. One loop.
 *
 * Not one byte behind the header is read, so that the connection can go to a conn, or into a TLS handshake, as if
 * nothing had been there. */
#ifndef NET_PROXIED_H
#define NET_PROXIED_H

#include <sys/socket.h>

#include "net/loop.h"

struct proxied; /* the connections whose header has not come yet */

struct proxied_ops {
	/* The descriptor is the callee's from then on; `client` is AF_UNSPEC when the balancer speaks for itself. */
	void (*on_client)(void *arg, int fd, const struct sockaddr *client, socklen_t len);
	/* No header came in time, or something else did; the descriptor is closed already. */
	void (*on_refused)(void *arg, const char *why);
};

/* NULL: out of memory. */
struct proxied *proxied_new(struct loop *loop, const struct proxied_ops *ops);
/* Closes those that wait, without a callback. NULL is fine. */
void proxied_free(struct proxied *proxied);

/* Takes the descriptor, also on failure (closed then; no callback). `arg` goes to the callbacks. */
MUST_CHECK enum rc proxied_add(struct proxied *proxied, int fd, int64_t timeout_ms, void *arg);

#endif
