/* wire/proxy.h - the header with which a load balancer says whom it speaks for: the PROXY protocol, versions 1 and 2
 * (haproxy's doc/proxy-protocol.txt). Pure. */
#ifndef WIRE_PROXY_H
#define WIRE_PROXY_H

#include <sys/socket.h>

#include "util/rc.h"
#include "util/span.h"

enum {
	/* A header of version 1 has 107 bytes at most. One of version 2 says its length; with more than this it is refused:
	 * two IPv6 addresses and whatever a balancer likes to add fit. */
	PROXY_HEADER_MAX = 1024
};

/* RC_OK: a header, of *used bytes; `client` is the address of the one that connected to the balancer, or AF_UNSPEC when
 * the balancer speaks for itself (a health check) or does not say (UNKNOWN, a Unix socket).
 * RC_MORE: the beginning of one. RC_BAD: none. */
MUST_CHECK enum rc proxy_parse(struct span in, struct sockaddr_storage *client, size_t *used);

#endif
