/* util/crc32c.h - CRC-32C (Castagnoli), the spool's checksum. Any thread. */
#ifndef UTIL_CRC32C_H
#define UTIL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `bytes` appended to data whose checksum is `crc`; start with 0. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
