/* http/control.c - the socket file, the connections, start and stop.
 *
 * The library's server has no bound on connections and does not tell when one ends. So every connection is kept as a
 * guest: the socket's descriptor and inode, learnt once evhttp has put the descriptor into the bufferevent we made for
 * it. A guest whose descriptor is closed, or belongs to another socket, is gone; that is looked up only when the house is
 * full, and nobody is let in meanwhile. */
#include "config.h"

#include "http/internal.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "util/fsutil.h"
#include "util/log.h"

enum {
	GUESTS_MAX = 64,
	BACKLOG = 128,
	FULL_MS = 100,		 /* until the next look for guests that have left */
	ERROR_MS = 500,		 /* after accept has failed */
	IDLE_S = 60,		 /* nothing comes or goes on a connection */
	LAST_WORDS_MS = 1000,	 /* at the stop, for answers to be read */
	HEADERS_MAX = 64 * 1024, /* a call with a hundred recipients fits */
	BODY_SLACK = 1024 * 1024 /* messages that are not much too large get a proper answer */
};

/* ------------------------------------------------------------------ guests -------------------- */

struct guest {
	struct list node;
	struct loop_msg msg;
	struct control *control;   /* NULL: freed meanwhile */
	struct bufferevent *bufev; /* a reference while the descriptor is not known */
	int fd;
	ino_t ino;
};

static bool
has_left(const struct guest *guest)
{
	struct stat st;

	return guest->bufev == NULL && (fstat(guest->fd, &st) != 0 || st.st_ino != guest->ino);
}

static void
guest_free(struct guest *guest)
{
	list_del(&guest->node);
	if (guest->control != NULL)
		guest->control->guest_count--;
	free(guest);
}

/* The round after the accept. evhttp may have dropped the connection already; our reference has kept it. */
static void
learn(struct loop_msg *msg)
{
	struct guest *guest = container_of(msg, struct guest, msg);
	struct stat st;

	guest->fd = bufferevent_getfd(guest->bufev);
	if (guest->fd < 0 || fstat(guest->fd, &st) != 0)
		guest->fd = -1;
	else
		guest->ino = st.st_ino;
	(void)bufferevent_decref(guest->bufev);
	guest->bufev = NULL;
	if (guest->fd < 0 || guest->control == NULL)
		guest_free(guest);
}

static void
let_in_again(struct control *control)
{
	LIST_FOREACH_SAFE (node, &control->guests) {
		struct guest *guest = container_of(node, struct guest, node);

		if (has_left(guest))
			guest_free(guest);
	}
	if (control->guest_count < GUESTS_MAX)
		(void)evconnlistener_enable(control->listener);
	else
		timer_set(&control->accept_timer, FULL_MS);
}

static void
on_accept_timer(void *arg)
{
	let_in_again(arg);
}

static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct control *control = arg;

	log_line(LOG_LEVEL_WARNING, "control", "accept: %s: pausing for %d ms", strerror(errno),
	    ERROR_MS);
	(void)evconnlistener_disable(listener);
	timer_set(&control->accept_timer, ERROR_MS);
}

/* For evhttp, at each accept: before the limits of the connection are set, so a reload's limit counts from now on. */
static struct bufferevent *
make_bufferevent(struct event_base *base, void *arg)
{
	struct control *control = arg;
	struct control_daemon daemon = { .config = NULL };
	struct bufferevent *bufev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct guest *guest = calloc(1, sizeof *guest);

	control->context.daemon(control->context.arg, &daemon);
	evhttp_set_max_body_size(
	    control->http, (ev_ssize_t)(daemon.config->smtp.max_message_bytes + BODY_SLACK));
	if (bufev == NULL || guest == NULL) {
		free(guest);
		return bufev; /* not counted; memory is short anyway */
	}
	guest->control = control;
	guest->bufev = bufev;
	bufferevent_incref(bufev);
	list_add_tail(&control->guests, &guest->node);
	guest->msg.run = learn;
	loop_post(control->context.core, &guest->msg);
	if (++control->guest_count >= GUESTS_MAX) {
		(void)evconnlistener_disable(control->listener);
		timer_set(&control->accept_timer, 0);
	}
	return bufev;
}

/* ------------------------------------------------------------------ the socket file ----------- */

/* Our umask hides from others what we make; the way to the socket has to be open, its own mode decides. */
static enum rc
make_directory(const char *path, struct why *why)
{
	char copy[PATH_MAX];
	const char *directory;
	enum rc rc;

	if (!span_copy(span_of(path), copy, sizeof copy))
		return why_set(why, RC_BAD, 0, "control.socket: the path is too long");
	directory = dirname(copy);
	if (access(directory, F_OK) == 0)
		return RC_OK;
	rc = fsutil_make_dir(directory, 0755, why);
	if (rc == RC_OK && chmod(directory, 0755) != 0)
		rc = why_errno(why, errno, "control.socket: %s", directory);
	return rc;
}

/* A socket file is in the way. It goes when nobody listens on it. */
static enum rc
remove_stale(const struct sockaddr_un *addr, struct why *why)
{
	struct stat st;
	int fd, err;

	if (lstat(addr->sun_path, &st) != 0)
		return errno == ENOENT ? RC_OK : why_errno(why, errno, "%s", addr->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return why_set(why, RC_BAD, 0,
		    "control.socket: %s is there and is no socket: it is not removed",
		    addr->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return why_errno(why, errno, "control.socket");
	err = connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0 ? 0 : errno;
	(void)close(fd);
	if (err == ECONNREFUSED || err == ENOENT)
		return unlink(addr->sun_path) == 0 || errno == ENOENT
			   ? RC_OK
			   : why_errno(why, errno, "%s", addr->sun_path);
	if (err == 0 || err == EAGAIN)
		return why_set(why, RC_DENY, 0,
		    "control.socket: another process listens on %s (is another postriderd "
		    "running?)",
		    addr->sun_path);
	return why_errno(why, err, "%s", addr->sun_path);
}

/* Nobody can connect before listen, so nobody finds the socket with a wrong mode. */
static enum rc
open_socket(struct control *control, int mode, int *out, struct why *why)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	enum rc rc;
	int fd;

	*out = -1;
	if (!span_copy(span_of(control->path), addr.sun_path, sizeof addr.sun_path))
		return why_set(why, RC_BAD, 0, "control.socket: the path is longer than %zu bytes",
		    sizeof addr.sun_path - 1);
	rc = make_directory(control->path, why);
	if (rc == RC_OK)
		rc = remove_stale(&addr, why);
	if (rc != RC_OK)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof addr) == 0) {
		*out = fd;
		if (chmod(addr.sun_path, (mode_t)mode) == 0 && lstat(addr.sun_path, &st) == 0 &&
		    listen(fd, BACKLOG) == 0) {
			control->dev = st.st_dev;
			control->ino = st.st_ino;
			control->gid = st.st_gid;
			return RC_OK;
		}
	}
	rc = why_errno(why, errno, "control.socket: %s", control->path);
	if (fd >= 0)
		(void)close(fd);
	*out = -1;
	return rc;
}

static void
remove_socket(const struct control *control)
{
	struct stat st;

	if (control->ino != 0 && lstat(control->path, &st) == 0 && st.st_dev == control->dev &&
	    st.st_ino == control->ino)
		(void)unlink(control->path);
}

/* ------------------------------------------------------------------ stop ---------------------- */

static bool
owes_results(const struct control *control)
{
	LIST_FOREACH (node, &control->calls)
		if (container_of(node, struct call, node)->held > 0)
			return true;
	return false;
}

void
control_check_idle(struct control *control)
{
	void (*on_idle)(void *arg) = control->on_idle;

	if (on_idle == NULL || owes_results(control) ||
	    (control->patient && !list_is_empty(&control->calls)))
		return;
	control->on_idle = NULL;
	timer_cancel(&control->stop_timer);
	on_idle(control->on_idle_arg);
}

static void
on_stop_timer(void *arg)
{
	struct control *control = arg;

	control->patient = false;
	control_check_idle(control);
}

void
control_stop(struct control *control, void (*on_idle)(void *arg), void *arg)
{
	control->stopping = true;
	LIST_FOREACH_SAFE (node, &control->calls)
		call_cut(container_of(node, struct call, node));
	control->patient = true;
	timer_set(&control->stop_timer, LAST_WORDS_MS);
	control->on_idle = on_idle;
	control->on_idle_arg = arg;
	control_check_idle(control);
}

/* ------------------------------------------------------------------ life ---------------------- */

static enum rc
serve(struct control *control, int fd, struct why *why)
{
	struct event_base *base = loop_base(control->context.core);

	control->listener = evconnlistener_new(
	    base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (control->listener == NULL) {
		(void)close(fd);
		return why_set(why, RC_LATER, 0, "control.socket: out of memory");
	}
	control->http = evhttp_new(base);
	if (control->http == NULL ||
	    evhttp_bind_listener(control->http, control->listener) == NULL) {
		evconnlistener_free(control->listener);
		return why_set(why, RC_LATER, 0, "control.socket: out of memory");
	}
	evconnlistener_set_error_cb(control->listener, on_accept_error);
	evhttp_set_allowed_methods(control->http, 0xffff); /* refused by us, in JSON */
	evhttp_set_max_headers_size(control->http, HEADERS_MAX);
	evhttp_set_timeout(control->http, IDLE_S);
	(void)evhttp_set_flags(control->http, EVHTTP_SERVER_LINGERING_CLOSE);
	evhttp_set_bevcb(control->http, make_bufferevent, control);
	evhttp_set_gencb(control->http, call_start, control);
	return RC_OK;
}

enum rc
control_new(const struct control_context *context, const char *path, int mode, struct control **out,
    struct why *why)
{
	struct control *control = calloc(1, sizeof *control);
	int fd = -1;
	enum rc rc;

	*out = NULL;
	if (control == NULL)
		return why_set(why, RC_LATER, 0, "control.socket: out of memory");
	control->context = *context;
	list_init(&control->calls);
	list_init(&control->guests);
	timer_init(&control->accept_timer, context->core, on_accept_timer, control);
	timer_init(&control->stop_timer, context->core, on_stop_timer, control);
	control->path = span_dup(span_of(path));
	rc = control->path != NULL ? open_socket(control, mode, &fd, why)
				   : why_set(why, RC_LATER, 0, "control.socket: out of memory");
	if (rc == RC_OK)
		rc = serve(control, fd, why);
	if (rc != RC_OK) {
		control_free(control);
		return rc;
	}
	*out = control;
	return RC_OK;
}

void
control_free(struct control *control)
{
	struct list *node;

	if (control == NULL)
		return;
	control->on_idle = NULL;
	timer_cancel(&control->accept_timer);
	timer_cancel(&control->stop_timer);
	if (control->path != NULL)
		remove_socket(control);
	if (control->http != NULL)
		evhttp_free(control->http); /* closes every connection: calls lose their peer */
	while ((node = list_pop(&control->calls)) != NULL)
		container_of(node, struct call, node)->control = NULL;
	while ((node = control->guests.next) != &control->guests) {
		struct guest *guest = container_of(node, struct guest, node);

		list_del(node);
		guest->control = NULL;
		if (guest->bufev == NULL)
			free(guest); /* else learn() is on its way and frees it */
	}
	free(control->path);
	free(control);
}
