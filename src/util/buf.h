/* util/buf.h - a byte buffer that grows and is read from the front.
 *
 * Running out of memory (or over `limit`) sets `failed` and drops what is added from then on; the
 * caller adds freely and checks once. Bytes are data: no NUL is kept behind them unless asked. */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include "util/rc.h"
#include "util/span.h"

struct buf {
	char *mem;    /* owned */
	size_t start; /* first byte not yet consumed */
	size_t end;   /* one behind the last byte */
	size_t cap;
	size_t limit; /* most bytes held at once; 0: no limit */
	bool failed;
};

#define BUF_EMPTY \
	{ \
		NULL, 0, 0, 0, 0, false \
	}

void buf_init(struct buf *buf, size_t limit);
void buf_free(struct buf *buf);	 /* releases the memory; the buffer is empty and usable again */
void buf_clear(struct buf *buf); /* forgets the bytes, keeps the memory, clears `failed` */

static inline size_t
buf_len(const struct buf *buf)
{
	return buf->end - buf->start;
}

static inline struct span
buf_span(const struct buf *buf)
{
	return buf->end == buf->start ? SPAN_EMPTY : span_make(buf->mem + buf->start, buf_len(buf));
}

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_span(struct buf *buf, struct span s);
void buf_add_char(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Room for at least `want` more bytes, to be written in place and then confirmed with
 * buf_commit; NULL when memory is out or the limit is in the way. *room gets what there is. */
char *buf_reserve(struct buf *buf, size_t want, size_t *room);
void buf_commit(struct buf *buf, size_t len);

/* Take `len` bytes off the front. */
void buf_consume(struct buf *buf, size_t len);

/* The bytes with a NUL behind them, still owned by the buffer; NULL when memory is out. */
const char *buf_cstr(struct buf *buf);

/* The bytes with a NUL behind them, now the caller's (free); the buffer is empty. NULL when adding
 * failed at some point. */
char *buf_steal(struct buf *buf);

#endif
