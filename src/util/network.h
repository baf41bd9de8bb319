/* util/network.h - a range of IP addresses: "192.0.2.0/24", "2001:db8::/32", or one address. Pure. */
#ifndef UTIL_NETWORK_H
#define UTIL_NETWORK_H

#include <stdbool.h>
#include <sys/socket.h>

#include "util/span.h"

struct network {
	unsigned char address[16]; /* IPv4 as IPv4-mapped IPv6 */
	unsigned bits;		   /* of the 128 that count */
};

/* False when the text is none. Bits of the address behind the prefix are ignored. */
bool network_parse(struct span text, struct network *out);

/* An IPv4-mapped IPv6 address counts as IPv4. */
bool network_has(const struct network *network, const struct sockaddr *address);

#endif
