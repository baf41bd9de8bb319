/* net/listener.c - accepts in bounded turns; see robustness against EMFILE in on_readable. */
#include "config.h"

#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "net/conn.h"
#include "util/log.h"

enum {
	ACCEPTS_PER_TURN = 64,
	PAUSE_MS = 500,
	BACKLOG = 1024
};

struct listener {
	int fd;
	int reserve_fd; /* given up to answer one client when descriptors are out */
	struct event *event;
	struct timer pause;
	const char *busy_line;
	void (*on_accept)(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len);
	void *arg;
};

static int
reserve_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
on_pause_over(void *arg)
{
	struct listener *listener = arg;

	if (listener->reserve_fd < 0)
		listener->reserve_fd = reserve_open();
	(void)event_add(listener->event, NULL);
}

/* Out of descriptors: let one client know, then leave the rest in the backlog for a while. */
static void
out_of_descriptors(struct listener *listener, int err)
{
	int fd;

	if (listener->reserve_fd >= 0) {
		(void)close(listener->reserve_fd);
		listener->reserve_fd = -1;
		fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			if (listener->busy_line != NULL)
				(void)send(fd, listener->busy_line, strlen(listener->busy_line),
				    MSG_NOSIGNAL);
			(void)close(fd);
		}
		listener->reserve_fd = reserve_open();
	}
	log_line(
	    LOG_LEVEL_WARNING, "master", "accept: %s: pausing for %d ms", strerror(err), PAUSE_MS);
	(void)event_del(listener->event);
	timer_set(&listener->pause, PAUSE_MS);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof peer;
		int got = accept4(fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (got >= 0) {
			listener->on_accept(
			    listener->arg, got, (const struct sockaddr *)&peer, len);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			out_of_descriptors(listener, errno);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

struct listener *
listener_new(struct loop *loop, int fd, const char *busy_line,
    void (*on_accept)(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len),
    void *arg, struct why *why)
{
	struct listener *listener = calloc(1, sizeof *listener);

	if (listener == NULL) {
		(void)close(fd);
		(void)why_set(why, RC_LATER, 0, "listener: out of memory");
		return NULL;
	}
	listener->fd = fd;
	listener->reserve_fd = reserve_open();
	listener->busy_line = busy_line;
	listener->on_accept = on_accept;
	listener->arg = arg;
	timer_init(&listener->pause, loop, on_pause_over, listener);
	listener->event =
	    event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, listener);
	if (listener->event == NULL || event_priority_set(listener->event, 1) != 0 ||
	    event_add(listener->event, NULL) != 0) {
		(void)why_set(why, RC_LATER, 0, "listener: cannot watch the socket");
		listener_free(listener);
		return NULL;
	}
	return listener;
}

void
listener_stop(struct listener *listener)
{
	timer_cancel(&listener->pause);
	(void)event_del(listener->event);
}

void
listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	timer_cancel(&listener->pause);
	if (listener->event != NULL)
		event_free(listener->event);
	if (listener->reserve_fd >= 0)
		(void)close(listener->reserve_fd);
	(void)close(listener->fd);
	free(listener);
}

static bool
make_sockaddr(const char *address, unsigned port, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*len = sizeof *v4;
		return true;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof *v6;
		return true;
	}
	return false;
}

int
listener_bind(const char *address, unsigned port, struct why *why)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int fd, on = 1;

	if (!make_sockaddr(address, port, &addr, &len)) {
		(void)why_set(why, RC_BAD, 0, "%s is no IP address", address);
		return -1;
	}
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		(void)why_errno(why, errno, "socket for %s", address);
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (addr.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&addr, len) != 0 || listen(fd, BACKLOG) != 0) {
		(void)why_errno(why, errno, "listen on %s port %u", address, port);
		(void)close(fd);
		return -1;
	}
	return fd;
}

unsigned
listener_port(const struct listener *listener)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof addr;
	char text[CONN_ADDRESS_LEN];
	unsigned port;

	(void)getsockname(listener->fd, (struct sockaddr *)&addr, &len);
	conn_format_address((const struct sockaddr *)&addr, text, &port);
	return port;
}
