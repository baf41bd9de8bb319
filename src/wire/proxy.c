/* wire/proxy.c - a line of text, or a signature of twelve bytes and a binary header behind it. */
#include "config.h"

#include "wire/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum {
	LINE_MAX_LEN = 107, /* with CR LF */
	FIXED_LEN = 16,	    /* of version 2: signature, command, family, length */
	V4_LEN = 12,	    /* two addresses and two ports */
	V6_LEN = 36
};

#define SIGNATURE SPAN_LIT("\r\n\r\n\0\r\nQUIT\n")

static void
set_v4(struct sockaddr_storage *out, const void *address, uint16_t port_in_net_order)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;

	v4->sin_family = AF_INET;
	v4->sin_port = port_in_net_order;
	memcpy(&v4->sin_addr, address, sizeof v4->sin_addr);
}

static void
set_v6(struct sockaddr_storage *out, const void *address, uint16_t port_in_net_order)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

	v6->sin6_family = AF_INET6;
	v6->sin6_port = port_in_net_order;
	memcpy(&v6->sin6_addr, address, sizeof v6->sin6_addr);
}

/* ------------------------------------------------------------------ version 1 ----------------- */

static bool
next_address(struct span *rest, int family, unsigned char out[sizeof(struct in6_addr)])
{
	struct span part;
	char copy[INET6_ADDRSTRLEN];

	return span_next(rest, ' ', &part) && span_copy(part, copy, sizeof copy) &&
	       inet_pton(family, copy, out) == 1;
}

static bool
next_port(struct span *rest, uint16_t *out)
{
	struct span part;
	uint64_t port;

	if (!span_next(rest, ' ', &part) || !span_uint(part, 65535, &port))
		return false;
	*out = htons((uint16_t)port);
	return true;
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443": source and destination, then their ports. */
static enum rc
parse_words(struct span words, struct sockaddr_storage *client)
{
	unsigned char source[sizeof(struct in6_addr)], target[sizeof(struct in6_addr)];
	uint16_t source_port, target_port;
	struct span protocol;
	int family;

	(void)span_next(&words, ' ', &protocol);
	if (span_eq(protocol, SPAN_LIT("UNKNOWN")))
		return RC_OK; /* whatever follows is to be ignored */
	if (span_eq(protocol, SPAN_LIT("TCP4")))
		family = AF_INET;
	else if (span_eq(protocol, SPAN_LIT("TCP6")))
		family = AF_INET6;
	else
		return RC_BAD;
	if (!next_address(&words, family, source) || !next_address(&words, family, target) ||
	    !next_port(&words, &source_port) || !next_port(&words, &target_port) || words.p != NULL)
		return RC_BAD;
	if (family == AF_INET)
		set_v4(client, source, source_port);
	else
		set_v6(client, source, source_port);
	return RC_OK;
}

static enum rc
parse_line(struct span in, struct sockaddr_storage *client, size_t *used)
{
	struct span window = span_first(in, LINE_MAX_LEN);
	size_t cr = span_find(window, '\r');

	if (cr + 1 >= window.len)
		return window.len < LINE_MAX_LEN ? RC_MORE : RC_BAD;
	if (window.p[cr + 1] != '\n')
		return RC_BAD;
	*used = cr + 2;
	return parse_words(span_skip(span_first(window, cr), sizeof "PROXY " - 1), client);
}

/* ------------------------------------------------------------------ version 2 ----------------- */

static uint16_t
port_at(const char *p)
{
	uint16_t port;

	memcpy(&port, p, sizeof port);
	return port;
}

static enum rc
parse_binary(struct span in, struct sockaddr_storage *client, size_t *used)
{
	const unsigned char *head = (const unsigned char *)in.p;
	struct span body;
	size_t len;

	if (in.len < FIXED_LEN)
		return RC_MORE;
	len = (size_t)head[14] << 8 | head[15];
	if (head[12] >> 4 != 2 || (head[12] & 0xf) > 1 || FIXED_LEN + len > PROXY_HEADER_MAX)
		return RC_BAD;
	if (in.len < FIXED_LEN + len)
		return RC_MORE;
	*used = FIXED_LEN + len;
	body = span_make(in.p + FIXED_LEN, len);
	if ((head[12] & 0xf) == 0) /* LOCAL: the balancer itself */
		return RC_OK;
	switch (head[13]) {
	case 0x11: /* TCP over IPv4 */
		if (len < V4_LEN)
			return RC_BAD;
		set_v4(client, body.p, port_at(body.p + 8));
		return RC_OK;
	case 0x21: /* TCP over IPv6 */
		if (len < V6_LEN)
			return RC_BAD;
		set_v6(client, body.p, port_at(body.p + 32));
		return RC_OK;
	case 0x00: /* unspecified */
	case 0x31: /* a Unix socket */
		return RC_OK;
	default: /* datagrams, families that do not exist */
		return RC_BAD;
	}
}

enum rc
proxy_parse(struct span in, struct sockaddr_storage *client, size_t *used)
{
	*client = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	*used = 0;
	if (span_starts(in, SPAN_LIT("PROXY ")))
		return parse_line(in, client, used);
	if (span_starts(in, SIGNATURE))
		return parse_binary(in, client, used);
	return span_starts(SPAN_LIT("PROXY "), in) || span_starts(SIGNATURE, in) ? RC_MORE : RC_BAD;
}
