/* util/endpoint.h - where a program on this or a near machine listens, as text: "/path", "unix:/path", "192.0.2.1:25",
 * "[2001:db8::1]:25", "inet:192.0.2.1:25". Host names are none of these: nothing is looked up. */
#ifndef UTIL_ENDPOINT_H
#define UTIL_ENDPOINT_H

#include <sys/socket.h>

#include "util/span.h"

bool endpoint_parse(struct span text, struct sockaddr_storage *address, socklen_t *len);

#endif
