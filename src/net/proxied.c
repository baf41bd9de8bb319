/* net/proxied.c - peeks until the header is whole, then reads exactly that much. */
#include "config.h"

#include "net/proxied.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "wire/proxy.h"

struct arrival {
	struct list node;
	struct proxied *proxied;
	struct event *readable;
	struct timer deadline;
	int fd;
	size_t seen; /* bytes of an unfinished header */
	void *arg;
};

struct proxied {
	struct loop *loop;
	const struct proxied_ops *ops;
	struct list arrivals;
};

/* The arrival without its descriptor, which is the caller's again. */
static int
forget(struct arrival *arrival)
{
	int fd = arrival->fd;

	list_del(&arrival->node);
	timer_cancel(&arrival->deadline);
	if (arrival->readable != NULL)
		event_free(arrival->readable);
	free(arrival);
	return fd;
}

static void
turn_away(struct arrival *arrival, const char *why)
{
	const struct proxied_ops *ops = arrival->proxied->ops;
	void *arg = arrival->arg;

	(void)close(forget(arrival));
	ops->on_refused(arg, why);
}

/* The socket counts as readable from so many bytes on. */
static void
call_from(int fd, int bytes)
{
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

static void
on_deadline(void *arg)
{
	turn_away(arg, "no PROXY header in time");
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct arrival *arrival = arg;
	const struct proxied_ops *ops = arrival->proxied->ops;
	void *owner = arrival->arg;
	char bytes[PROXY_HEADER_MAX];
	struct sockaddr_storage client;
	ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK);
	size_t used;

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		turn_away(arrival, "closed before the PROXY header");
		return;
	}
	switch (proxy_parse(span_make(bytes, (size_t)n), &client, &used)) {
	case RC_OK:
		break;
	case RC_MORE:
		if (arrival->seen == (size_t)n) {
			turn_away(arrival, "closed within the PROXY header");
			return;
		}
		/* What has come stays in the socket: to be called for more than that, or for the end. */
		arrival->seen = (size_t)n;
		call_from(fd, (int)n + 1);
		return;
	default:
		turn_away(arrival, "no PROXY header");
		return;
	}
	call_from(fd, 1);
	if (recv(fd, bytes, used, 0) != (ssize_t)used) {
		turn_away(arrival, "the PROXY header cannot be read");
		return;
	}
	ops->on_client(owner, forget(arrival), (const struct sockaddr *)&client, sizeof client);
}

struct proxied *
proxied_new(struct loop *loop, const struct proxied_ops *ops)
{
	struct proxied *proxied = calloc(1, sizeof *proxied);

	if (proxied == NULL)
		return NULL;
	proxied->loop = loop;
	proxied->ops = ops;
	list_init(&proxied->arrivals);
	return proxied;
}

enum rc
proxied_add(struct proxied *proxied, int fd, int64_t timeout_ms, void *arg)
{
	struct arrival *arrival = calloc(1, sizeof *arrival);

	if (arrival == NULL) {
		(void)close(fd);
		return RC_LATER;
	}
	arrival->proxied = proxied;
	arrival->fd = fd;
	arrival->arg = arg;
	list_add_tail(&proxied->arrivals, &arrival->node);
	timer_init(&arrival->deadline, proxied->loop, on_deadline, arrival);
	arrival->readable =
	    event_new(loop_base(proxied->loop), fd, EV_READ | EV_PERSIST, on_readable, arrival);
	if (arrival->readable == NULL || event_add(arrival->readable, NULL) != 0) {
		(void)close(forget(arrival));
		return RC_LATER;
	}
	timer_set(&arrival->deadline, timeout_ms);
	return RC_OK;
}

void
proxied_free(struct proxied *proxied)
{
	if (proxied == NULL)
		return;
	LIST_FOREACH_SAFE (node, &proxied->arrivals)
		(void)close(forget(container_of(node, struct arrival, node)));
	free(proxied);
}
