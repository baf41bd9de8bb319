/* util/le.h - unsigned numbers of 1 to 8 bytes, the lowest first: what stands in files that outlive the process. */
#ifndef UTIL_LE_H
#define UTIL_LE_H

#include "util/buf.h"

static inline void
le_put(void *at, uint64_t value, size_t bytes)
{
	unsigned char *out = at;

	for (size_t i = 0; i < bytes; i++)
		out[i] = (unsigned char)(value >> (8 * i));
}

static inline uint64_t
le_get(const void *at, size_t bytes)
{
	const unsigned char *in = at;
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)in[i] << (8 * i);
	return value;
}

static inline void
le_add(struct buf *out, uint64_t value, size_t bytes)
{
	unsigned char text[8];

	le_put(text, value, bytes);
	buf_add(out, text, bytes);
}

#endif
