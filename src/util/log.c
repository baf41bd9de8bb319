/* util/log.c - formats lines and hands them to the sink.
 *
 * Lines for stderr gather in one buffer and are written together when a loop has done its round (log_flush), at once
 * when they are warnings or errors, and before log_defer. Always true: a line is whole, lines are in the order in which
 * they were made, and those of several threads never mix. */
#include "config.h"

#include "util/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

enum {
	LINE_MAX_BYTES = 4096,
	GATHER_BYTES = 64 * 1024
};

/* What waits for stderr; the stamp is made once a second. */
static pthread_mutex_t gather_lock = PTHREAD_MUTEX_INITIALIZER;
static char gathered[GATHER_BYTES];
static atomic_size_t gathered_len; /* written under the lock */
static char stamp_text[32];
static time_t stamp_of;
static atomic_bool deferring;

static _Atomic int max_level = LOG_LEVEL_INFO;
static _Atomic int sink_kind = LOG_SINK_STDERR;
static _Atomic int sink_fd = -1; /* datagram socket of syslog or journal */
static char host_name[256] = "localhost";
static _Atomic int process_id;

static const struct {
	int priority;
	const char *prefix;
} levels[] = {
	[LOG_LEVEL_ERROR] = { LOG_ERR, "error: " },
	[LOG_LEVEL_WARNING] = { LOG_WARNING, "warning: " },
	[LOG_LEVEL_INFO] = { LOG_INFO, "" },
	[LOG_LEVEL_DEBUG] = { LOG_DEBUG, "" },
};

static int
connect_datagram(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)span_copy(span_of(path), addr.sun_path, sizeof addr.sun_path);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

void
log_open(enum log_sink sink, enum log_level level)
{
	int fd = -1, old;

	if (sink == LOG_SINK_AUTO)
		sink = getenv("JOURNAL_STREAM") != NULL ? LOG_SINK_JOURNAL : LOG_SINK_STDERR;
	process_id = (int)getpid();
	if (gethostname(host_name, sizeof host_name - 1) != 0)
		(void)span_copy(SPAN_LIT("localhost"), host_name, sizeof host_name);
	host_name[strcspn(host_name, ".")] = '\0';
	if (sink == LOG_SINK_JOURNAL)
		fd = connect_datagram("/run/systemd/journal/socket");
	else if (sink == LOG_SINK_SYSLOG)
		fd = connect_datagram("/dev/log");
	if (fd < 0)
		sink = LOG_SINK_STDERR;
	max_level = level;
	old = atomic_exchange(&sink_fd, fd);
	sink_kind = sink;
	if (old >= 0)
		(void)close(old);
}

void
log_close(void)
{
	int old = atomic_exchange(&sink_fd, -1);

	log_defer(false);
	sink_kind = LOG_SINK_STDERR;
	if (old >= 0)
		(void)close(old);
}

bool
log_wants(enum log_level level)
{
	return (int)level <= max_level;
}

static size_t
format_stamp(time_t now, char *out, size_t size)
{
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL)
		return 0;
	return strftime(out, size, "%b %e %H:%M:%S", &tm);
}

static void
write_gathered(void)
{
	size_t done = 0, len = gathered_len;

	while (done < len) {
		ssize_t n = write(STDERR_FILENO, gathered + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* nowhere left to say so */
		done += (size_t)n;
	}
	gathered_len = 0;
}

void
log_flush(void)
{
	if (gathered_len == 0)
		return;
	(void)pthread_mutex_lock(&gather_lock);
	write_gathered();
	(void)pthread_mutex_unlock(&gather_lock);
}

void
log_defer(bool on)
{
	deferring = on;
	log_flush();
}

static void
write_stderr(enum log_level level, const char *component, const char *text)
{
	enum {
		ROOM = LINE_MAX_BYTES + 512
	};
	time_t now = (time_t)(clock_wall_us() / 1000000);
	char *line;
	int n;

	(void)pthread_mutex_lock(&gather_lock);
	if (gathered_len + ROOM > sizeof gathered)
		write_gathered();
	if (now != stamp_of) {
		stamp_text[format_stamp(now, stamp_text, sizeof stamp_text - 1)] = '\0';
		stamp_of = now;
	}
	line = gathered + gathered_len;
	n = snprintf(line, ROOM, "%s %s postrider/%s[%d]: %s\n", stamp_text, host_name, component,
	    process_id, text);
	if (n >= ROOM) {
		n = ROOM - 1;
		line[n - 1] = '\n';
	}
	if (n > 0)
		gathered_len += (size_t)n;
	if (!deferring || level <= LOG_LEVEL_WARNING)
		write_gathered();
	(void)pthread_mutex_unlock(&gather_lock);
}

static void
write_syslog(int fd, int priority, const char *component, const char *text)
{
	char line[LINE_MAX_BYTES + 512], stamp[32];
	int n;

	stamp[format_stamp((time_t)(clock_wall_us() / 1000000), stamp, sizeof stamp - 1)] = '\0';
	n = snprintf(line, sizeof line, "<%d>%s postrider/%s[%d]: %s", LOG_MAIL | priority, stamp,
	    component, process_id, text);
	if (n > 0)
		(void)send(fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The journal's native protocol: KEY=value lines; no value of ours holds a line end. */
static void
write_journal(int fd, int priority, const char *component, const char *text,
    const struct log_field *fields, size_t count)
{
	char data[LINE_MAX_BYTES + 2048];
	size_t len;
	int n;

	n = snprintf(data, sizeof data,
	    "PRIORITY=%d\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postrider/%s\nSYSLOG_PID=%d\n"
	    "MESSAGE=%s\n",
	    priority, component, process_id, text);
	if (n < 0 || (size_t)n >= sizeof data)
		return;
	len = (size_t)n;
	for (size_t i = 0; i < count; i++) {
		n = snprintf(data + len, sizeof data - len, "POSTRIDER_%s=%s\n", fields[i].name,
		    fields[i].value);
		if (n < 0 || (size_t)n >= sizeof data - len)
			break;
		len += (size_t)n;
	}
	(void)send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void log_va(enum log_level level, const char *component, const struct log_field *fields,
    size_t count, const char *fmt, va_list args) PRINTF_LIKE(5, 0);

static void
log_va(enum log_level level, const char *component, const struct log_field *fields, size_t count,
    const char *fmt, va_list args)
{
	char text[LINE_MAX_BYTES];
	size_t len;
	int fd = sink_fd, kind = sink_kind;

	len = (size_t)snprintf(text, sizeof text, "%s", levels[level].prefix);
	(void)vsnprintf(text + len, sizeof text - len, fmt, args);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	switch (kind) {
	case LOG_SINK_SYSLOG:
		write_syslog(fd, levels[level].priority, component, text);
		break;
	case LOG_SINK_JOURNAL:
		write_journal(fd, levels[level].priority, component, text, fields, count);
		break;
	default:
		write_stderr(level, component, text);
	}
}

void
log_line(enum log_level level, const char *component, const char *fmt, ...)
{
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, fmt);
	log_va(level, component, NULL, 0, fmt, args);
	va_end(args);
}

void
log_line_fields(enum log_level level, const char *component, const struct log_field *fields,
    size_t count, const char *fmt, ...)
{
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, fmt);
	log_va(level, component, fields, count, fmt, args);
	va_end(args);
}

char *
log_safe(struct span s, char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';

		if (n + (plain ? 1 : 4) + 4 > size) {
			for (int dots = 0; dots < 3 && n + 1 < size; dots++)
				out[n++] = '.';
			break;
		}
		if (plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = digits[c >> 4];
		out[n++] = digits[c & 15];
	}
	if (size > 0)
		out[n] = '\0';
	return out;
}
