/* util/rc.h - what a function that can fail tells its caller.
 *
 * enum rc is named for what the caller does next. struct why carries the cause from the first place
 * that knows it to the one place that decides and logs; the doors (smtp/, http/) turn rc + why into
 * a reply. A function that returns RC_OK leaves why untouched. */
#ifndef UTIL_RC_H
#define UTIL_RC_H

#include <stdarg.h>

#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(array)  (sizeof(array) / sizeof((array)[0]))

enum rc {
	RC_OK = 0,
	RC_MORE,  /* feed more bytes and call again */
	RC_BAD,	  /* the input breaks its grammar or a limit: refuse it for good */
	RC_DENY,  /* policy says no: do not retry unchanged */
	RC_LATER, /* a peer or a resource failed: retry later */
	RC_BUG	  /* our own mistake: log it and refuse */
};

#define WHY_TEXT_MAX 768

struct why {
	int code;		 /* SMTP reply code the cause demands, 0 when the door decides */
	int err;		 /* errno of the failed call, 0 when there was none */
	char text[WHY_TEXT_MAX]; /* one line, no CR or LF; cut to size */
};

#define WHY_EMPTY \
	{ \
		0, 0, "" \
	}

/* Fill why (which may be NULL) and return rc, so that a failure is one statement:
 *	return why_set(why, RC_BAD, 501, "Invalid MAIL FROM address provided");
 * Control bytes that came in through an argument are replaced by '?'. */
enum rc why_set(struct why *why, enum rc rc, int code, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* The same for a failed system call: ": " and strerror(err) are appended. Returns RC_LATER. */
enum rc why_errno(struct why *why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

#ifdef __clang_analyzer__ /* it reads one file at a time: tell it what the two return */
#define why_set(why, rc, ...) ((void)(why_set)(why, rc, __VA_ARGS__), (rc))
#define why_errno(...)	      ((void)(why_errno)(__VA_ARGS__), RC_LATER)
#endif

/* "ok", "more", "bad", ...: for logs and test output. */
const char *rc_name(enum rc rc);

#endif
