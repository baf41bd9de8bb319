/* util/crc32c.c - CRC-32C by the processor's instruction where it has one, by table elsewhere. */
#include "config.h"

#include "util/crc32c.h"

#include <pthread.h>
#include <string.h>

static uint32_t table[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t (*update)(uint32_t crc, const unsigned char *p, size_t len);

static uint32_t
update_table(uint32_t crc, const unsigned char *p, size_t len)
{
	while (len-- > 0)
		crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
update_sse42(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t wide = crc, word;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	while (len-- > 0)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

static void
choose(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? UINT32_C(0x82f63b78) : 0);
		table[i] = crc;
	}
	update = update_table;
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		update = update_sse42;
#endif
}

uint32_t
crc32c(uint32_t crc, const void *bytes, size_t len)
{
	(void)pthread_once(&once, choose);
	return ~update(~crc, bytes, len);
}
