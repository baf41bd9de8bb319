/* main/notify.c - datagrams to the service manager, descriptors from it. */
#include "config.h"

#include "main/notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/span.h"

enum {
	FIRST_FD = 3,
	FDS_MAX = 64
};

static struct {
	int fd;
	char name[64];
} inherited[FDS_MAX];
static size_t inherited_count;

void
notify_send(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char text[512];
	va_list args;
	socklen_t len;
	int fd, n;

	if (path == NULL || path[0] == '\0' ||
	    !span_copy(span_of(path), addr.sun_path, sizeof addr.sun_path))
		return;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (addr.sun_path[0] == '@')
		addr.sun_path[0] = '\0'; /* an abstract socket */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || n < 0)
		return;
	(void)sendto(fd, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, MSG_NOSIGNAL,
	    (const struct sockaddr *)&addr, len);
	(void)close(fd);
}

static bool
meant_for_us(const char *pid_variable)
{
	const char *text = getenv(pid_variable);
	uint64_t pid;

	return text != NULL && span_uint(span_of(text), INT32_MAX, &pid) && (pid_t)pid == getpid();
}

int64_t
notify_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	uint64_t usec;

	if (text == NULL || (getenv("WATCHDOG_PID") != NULL && !meant_for_us("WATCHDOG_PID")) ||
	    !span_uint(span_of(text), INT64_MAX, &usec))
		return 0;
	return (int64_t)(usec / 1000);
}

void
notify_take_sockets(void)
{
	const char *count_text = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	struct span rest = span_of(names != NULL ? names : ""), name = SPAN_EMPTY;
	uint64_t count = 0;

	if (!meant_for_us("LISTEN_PID") || count_text == NULL ||
	    !span_uint(span_of(count_text), FDS_MAX, &count))
		count = 0;
	for (uint64_t i = 0; i < count; i++) {
		int fd = FIRST_FD + (int)i;

		if (!span_next(&rest, ':', &name))
			name = SPAN_EMPTY;
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		inherited[inherited_count].fd = fd;
		(void)span_copy(name, inherited[inherited_count].name, sizeof inherited[0].name);
		inherited_count++;
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}

int
notify_next_socket(void *arg, const char *name)
{
	(void)arg;
	for (size_t i = 0; i < inherited_count; i++)
		if (inherited[i].fd >= 0 && strcmp(inherited[i].name, name) == 0) {
			int fd = inherited[i].fd;

			inherited[i].fd = -1;
			return fd;
		}
	return -1;
}

unsigned
notify_close_rest(void)
{
	unsigned closed = 0;

	for (size_t i = 0; i < inherited_count; i++)
		if (inherited[i].fd >= 0) {
			(void)close(inherited[i].fd);
			inherited[i].fd = -1;
			closed++;
		}
	return closed;
}
