/* net/listener.h - a listening socket on a loop.
 *
 * Survives running out of descriptors without spinning: accepting pauses for a while, a descriptor kept
 * in reserve answers the waiting client with one line. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <sys/socket.h>

#include "net/loop.h"

struct listener;

/* `fd` is taken: from listener_bind or from the service manager. on_accept gets a non-blocking descriptor, which
 * is its own from then on. `busy_line` (borrowed, static) is sent when descriptors are out; NULL: close. */
struct listener *listener_new(struct loop *loop, int fd, const char *busy_line,
    void (*on_accept)(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len),
    void *arg, struct why *why);
void listener_free(struct listener *listener); /* closes the socket; NULL is fine */
void listener_stop(struct listener *listener); /* accepts no more, keeps the socket open */

/* Bind and listen; the descriptor, or -1 with why. `address`: an IP address in text. */
int listener_bind(const char *address, unsigned port, struct why *why);

/* The port a descriptor is bound to. */
unsigned listener_port(const struct listener *listener);

#endif
