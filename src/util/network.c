/* util/network.c - prefixes over 128 bits; IPv4 lies in ::ffff:0:0/96. */
#include "config.h"

#include "util/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

bool
network_parse(struct span text, struct network *out)
{
	size_t mark = span_find(text, '/');
	char copy[INET6_ADDRSTRLEN];
	unsigned offset = 0;
	uint64_t bits;

	if (!span_copy(span_first(text, mark), copy, sizeof copy))
		return false;
	if (inet_pton(AF_INET, copy, &out->address[sizeof mapped]) == 1) {
		memcpy(out->address, mapped, sizeof mapped);
		offset = 8 * sizeof mapped;
	} else if (inet_pton(AF_INET6, copy, out->address) != 1) {
		return false;
	}
	bits = 128 - offset;
	if (mark < text.len && !span_uint(span_skip(text, mark + 1), bits, &bits))
		return false;
	out->bits = offset + (unsigned)bits;
	return true;
}

static bool
has_prefix(const struct network *network, const unsigned char address[16])
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	return memcmp(network->address, address, whole) == 0 &&
	       (rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0);
}

bool
network_has(const struct network *network, const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
	unsigned char bytes[16];

	if (address->sa_family == AF_INET6)
		return has_prefix(network, v6->sin6_addr.s6_addr);
	if (address->sa_family != AF_INET)
		return false;
	memcpy(bytes, mapped, sizeof mapped);
	memcpy(&bytes[sizeof mapped], &v4->sin_addr, sizeof v4->sin_addr);
	return has_prefix(network, bytes);
}
