/* util/rc.c - fills struct why. Always true: text is one NUL-terminated line without control bytes. */
#include "config.h"

#include "util/rc.h"

#include <stdio.h>
#include <string.h>

#undef why_set /* what the header tells a static analyzer instead */
#undef why_errno

static void
why_clean(struct why *why)
{
	for (char *p = why->text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

enum rc
why_set(struct why *why, enum rc rc, int code, const char *fmt, ...)
{
	va_list args;

	if (why == NULL)
		return rc;
	why->code = code;
	why->err = 0;
	va_start(args, fmt);
	(void)vsnprintf(why->text, sizeof why->text, fmt, args);
	va_end(args);
	why_clean(why);
	return rc;
}

enum rc
why_errno(struct why *why, int err, const char *fmt, ...)
{
	va_list args;
	char reason[128];
	size_t len;

	if (why == NULL)
		return RC_LATER;
	why->code = 0;
	why->err = err;
	va_start(args, fmt);
	(void)vsnprintf(why->text, sizeof why->text, fmt, args);
	va_end(args);
	len = strlen(why->text);
	(void)snprintf(why->text + len, sizeof why->text - len, ": %s",
	    strerror_r(err, reason, sizeof reason));
	why_clean(why);
	return RC_LATER;
}

const char *
rc_name(enum rc rc)
{
	static const char *const names[] = { "ok", "more", "bad", "deny", "later", "bug" };

	return (unsigned)rc < ARRAY_LEN(names) ? names[rc] : "unknown";
}
