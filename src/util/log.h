/* util/log.h - log lines: to stderr, the system log or the journal.
 *
 * A line is "postrider/COMPONENT[PID]: TEXT", the shape that Postfix's log readers know. TEXT is made of
 * key=value pairs. Callers never pass credentials or message text; bytes that came from outside go
 * through log_safe first. Any thread; never blocks for long: a line that cannot be written is lost. */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include "util/rc.h"
#include "util/span.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

enum log_sink {
	LOG_SINK_AUTO, /* the journal when stderr is connected to it, else stderr */
	LOG_SINK_STDERR,
	LOG_SINK_SYSLOG, /* /dev/log, facility mail */
	LOG_SINK_JOURNAL
};

/* Lines above `level` are dropped. Call again to change; before the first call: stderr, info. */
void log_open(enum log_sink sink, enum log_level level);
void log_close(void);
/* From now on lines for stderr may wait for log_flush, unless they are warnings or errors: whoever goes on runs loops,
 * and those flush after every round. */
void log_defer(bool on);
void log_flush(void);
bool log_wants(enum log_level level);

/* Warnings and errors get "warning: " and "error: " in front of the text, as Postfix has it. */
void log_line(enum log_level level, const char *component, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A field for the journal sink beside the text (name without "POSTRIDER_"). */
struct log_field {
	const char *name;
	const char *value;
};
void log_line_fields(enum log_level level, const char *component, const struct log_field *fields,
    size_t count, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Bytes from outside for one log value: control bytes, backslash and 8-bit as \xHH, cut with "..." when
 * `out` is full. Returns out. */
char *log_safe(struct span s, char *out, size_t size);

#endif
