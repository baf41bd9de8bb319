/* util/buf.c - the growing byte buffer. Always true: start <= end <= cap. */
#include "config.h"

#include "util/buf.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	BUF_MIN = 256
};

void
buf_init(struct buf *buf, size_t limit)
{
	*buf = (struct buf)BUF_EMPTY;
	buf->limit = limit;
}

void
buf_free(struct buf *buf)
{
	size_t limit = buf->limit;

	free(buf->mem);
	buf_init(buf, limit);
}

void
buf_clear(struct buf *buf)
{
	buf->start = buf->end = 0;
	buf->failed = false;
}

static bool
buf_grow(struct buf *buf, size_t want)
{
	size_t len = buf_len(buf), cap;
	char *mem;

	if (buf->cap - buf->end >= want)
		return true;
	if (want > SIZE_MAX / 4 || len > SIZE_MAX / 4)
		return false;
	if (buf->limit != 0 && len + want > buf->limit)
		return false;
	if (buf->start > 0) {
		memmove(buf->mem, buf->mem + buf->start, len);
		buf->start = 0;
		buf->end = len;
		if (buf->cap - buf->end >= want)
			return true;
	}
	cap = buf->cap < BUF_MIN ? BUF_MIN : buf->cap;
	while (cap - len < want)
		cap *= 2;
	mem = realloc(buf->mem, cap);
	if (mem == NULL)
		return false;
	buf->mem = mem;
	buf->cap = cap;
	return true;
}

void
buf_add(struct buf *buf, const void *bytes, size_t len)
{
	if (buf->failed || len == 0)
		return;
	if ((buf->limit != 0 && buf_len(buf) + len > buf->limit) || !buf_grow(buf, len)) {
		buf->failed = true;
		return;
	}
	memcpy(buf->mem + buf->end, bytes, len);
	buf->end += len;
}

void
buf_add_span(struct buf *buf, struct span s)
{
	buf_add(buf, s.p, s.len);
}

void
buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void
buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	if (buf->failed)
		return;
	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0 || (buf->limit != 0 && buf_len(buf) + (size_t)len > buf->limit) ||
	    !buf_grow(buf, (size_t)len + 1)) {
		buf->failed = true;
		return;
	}
	va_start(args, fmt);
	(void)vsnprintf(buf->mem + buf->end, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->end += (size_t)len;
}

char *
buf_reserve(struct buf *buf, size_t want, size_t *room)
{
	*room = 0;
	if (buf->failed || !buf_grow(buf, want))
		return NULL;
	*room = buf->cap - buf->end;
	if (buf->limit != 0 && *room > buf->limit - buf_len(buf))
		*room = buf->limit - buf_len(buf);
	return buf->mem + buf->end;
}

void
buf_commit(struct buf *buf, size_t len)
{
	buf->end += len;
}

void
buf_consume(struct buf *buf, size_t len)
{
	buf->start += len;
	if (buf->start == buf->end)
		buf->start = buf->end = 0;
}

const char *
buf_cstr(struct buf *buf)
{
	size_t room;
	char *at;

	at = buf_reserve(buf, 1, &room);
	if (at == NULL)
		return NULL;
	*at = '\0';
	return buf->mem + buf->start;
}

char *
buf_steal(struct buf *buf)
{
	char *text;

	if (buf->failed || buf_cstr(buf) == NULL) {
		buf_free(buf);
		return NULL;
	}
	if (buf->start > 0)
		memmove(buf->mem, buf->mem + buf->start, buf_len(buf) + 1);
	text = buf->mem;
	buf->mem = NULL;
	buf_free(buf);
	return text;
}
