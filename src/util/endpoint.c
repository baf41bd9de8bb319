/* util/endpoint.c - from text to the address of a socket. */
#include "config.h"

#include "util/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static bool
parse_path(struct span path, struct sockaddr_storage *address, socklen_t *len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)(void *)address;

	if (path.len < 2 || path.p[0] != '/' || !span_copy(path, un->sun_path, sizeof un->sun_path))
		return false;
	un->sun_family = AF_UNIX;
	*len = sizeof *un;
	return true;
}

static bool
parse_host(struct span host, uint16_t port, struct sockaddr_storage *address, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)address;
	char text[INET6_ADDRSTRLEN];
	bool bracketed = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';

	if (bracketed)
		host = span_first(span_skip(host, 1), host.len - 2);
	if (!span_copy(host, text, sizeof text))
		return false;
	if (bracketed && inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*len = sizeof *v6;
		return true;
	}
	if (bracketed || inet_pton(AF_INET, text, &v4->sin_addr) != 1)
		return false;
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	*len = sizeof *v4;
	return true;
}

bool
endpoint_parse(struct span text, struct sockaddr_storage *address, socklen_t *len)
{
	size_t colon;
	uint64_t port;

	*address = (struct sockaddr_storage){ 0 };
	*len = 0;
	if (span_starts(text, SPAN_LIT("unix:")))
		return parse_path(span_skip(text, 5), address, len);
	if (span_starts(text, SPAN_LIT("/")))
		return parse_path(text, address, len);
	if (span_starts(text, SPAN_LIT("inet:")))
		text = span_skip(text, 5);
	colon = span_find_last(text, ':');
	return colon < text.len && span_uint(span_skip(text, colon + 1), 65535, &port) &&
	       port > 0 && parse_host(span_first(text, colon), (uint16_t)port, address, len);
}
