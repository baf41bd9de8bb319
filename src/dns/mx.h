/* dns/mx.h - from a destination to the hosts to try, in order (RFC 5321 section 5, RFC 7505, RFC 3974).
 *
 * Runs on the loop of its resolver. Bounded: MX_HOSTS_MAX hosts, MX_ADDRESSES_MAX addresses a host. Names are
 * escaped before they reach a log. */
#ifndef DNS_MX_H
#define DNS_MX_H

#include <netinet/in.h>

#include "dns/resolver.h"

enum {
	MX_HOSTS_MAX = 20,
	MX_ADDRESSES_MAX = 8
};

struct mx_address {
	struct sockaddr_storage addr; /* port set */
	socklen_t len;
};

struct mx_host {
	char name[256];
	unsigned preference;
	bool secure;				       /* MX and addresses validated by DNSSEC */
	struct mx_address addresses[MX_ADDRESSES_MAX]; /* IPv6 and IPv4 interleaved, IPv6 first */
	size_t address_count;
};

enum mx_status {
	MX_OK,	      /* hosts to try, by preference, random among equals */
	MX_NULL,      /* RFC 7505: 556 5.1.10, permanent */
	MX_NO_DOMAIN, /* NXDOMAIN: 5.1.2, permanent */
	MX_NO_HOST, /* neither MX nor address, or all names of MX do not exist: 5.4.4, permanent */
	MX_LOOP,    /* the best host is ourselves: 5.4.6, permanent */
	MX_FAILED   /* temporary: 4.4.3 */
};

/* Counted and immutable once given: the attempt on a connection loop keeps a reference. */
struct mx_result {
	_Atomic unsigned refs;
	enum mx_status status;
	char why[256];
	int64_t expires_ms; /* monotonic, from the smallest TTL */
	size_t count;
	struct mx_host hosts[];
};
struct mx_result *mx_result_ref(struct mx_result *result);
void mx_result_unref(struct mx_result *result);

struct mx_options {
	unsigned port;
	bool
	    allow_private; /* else loopback, private, link-local, unspecified, multicast addresses are skipped; when
				* nothing else is left: MX_NO_HOST */
	const char *
	    self_name; /* our host name: an MX of this name, and those behind it, are dropped (RFC 5321 5.1) */
	bool ipv4, ipv6; /* families to ask for */
};

struct mx_query;
/* `domain`: A-labels, lower or mixed case. With `host_only` no MX is asked: it is a smarthost name (or an IP
 * address in text). The callback gets a reference of its own (to unref), later, exactly once unless cancelled.
 * NULL when memory is out. */
struct mx_query *mx_lookup(struct resolver *resolver, struct loop *loop, const char *domain,
    bool host_only, const struct mx_options *options,
    void (*on_hosts)(void *arg, struct mx_result *result), void *arg);
void mx_cancel(struct mx_query *query);

/* A cache in front of mx_lookup: one lookup under way per domain, answers kept for their TTL, failures 10 s, at most
 * `max` domains (least recently used go first). */
struct mx_cache;
struct mx_cache *mx_cache_new(
    struct resolver *resolver, struct loop *loop, const struct mx_options *options, size_t max);
void mx_cache_free(struct mx_cache *cache);
/* Our host name, for lookups that begin from now on. RC_LATER: out of memory, the old one stays. */
MUST_CHECK enum rc mx_cache_set_self_name(struct mx_cache *cache, const char *self_name);
struct mx_wait; /* handle of a caller that waits */
/* The callback runs later, never from inside the call. NULL when memory is out. */
struct mx_wait *mx_cache_lookup(struct mx_cache *cache, const char *domain, bool host_only,
    unsigned port, bool allow_private, void (*on_hosts)(void *arg, struct mx_result *result),
    void *arg);
void mx_cache_cancel(struct mx_cache *cache, struct mx_wait *wait);

#endif
