/* dns/resolver.h - asynchronous DNS lookups behind a small interface.
 *
 * The daemon's resolver is libunbound on the core loop (dns/unbound.c, the library's home); tests and the
 * simulation put their own table of functions in place. Used from the loop that made it. */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "net/loop.h"
#include "util/span.h"

enum dns_type {
	DNS_A = 1,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52
};

enum dns_status {
	DNS_OK,	      /* records are there */
	DNS_NODATA,   /* the name exists, not with this type */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_FAILED    /* SERVFAIL, REFUSED, timeout, garbage, bogus DNSSEC: try again later */
};

/* Valid during the callback only. Wire-format record data, exactly those of the asked type and name (or reached
 * from it by CNAME). */
struct dns_answer {
	enum dns_status status;
	bool secure;	 /* validated by DNSSEC */
	const char *why; /* for DNS_FAILED: "timeout", "SERVFAIL", "bogus: ..." */
	const struct span *records;
	size_t count;
	int64_t ttl_s; /* capped to 5 s .. 1 day, negative answers to 5 min */
};

struct dns_query; /* handle of a lookup under way */

struct resolver {
	const struct resolver_ops *ops;
};

struct resolver_ops {
	/* Start a lookup; the callback comes later, never from inside the call, exactly once unless cancelled.
	 * NULL (and no callback) when it cannot be started; `name` is copied. */
	struct dns_query *(*lookup)(struct resolver *resolver, const char *name, enum dns_type type,
	    void (*on_answer)(void *arg, const struct dns_answer *answer), void *arg);
	void (*cancel)(struct resolver *resolver, struct dns_query *query);
	void (*free)(struct resolver *resolver); /* cancels what is under way */
};

static inline struct dns_query *
resolver_lookup(struct resolver *r, const char *name, enum dns_type type,
    void (*on_answer)(void *arg, const struct dns_answer *answer), void *arg)
{
	return r->ops->lookup(r, name, type, on_answer, arg);
}

static inline void
resolver_cancel(struct resolver *r, struct dns_query *query)
{
	r->ops->cancel(r, query);
}

static inline void
resolver_free(struct resolver *r)
{
	if (r != NULL)
		r->ops->free(r);
}

struct config;
/* libunbound on `loop`, with servers, timeout and trust anchor of config->dns. NULL with why. */
struct resolver *resolver_unbound_new(
    struct loop *loop, const struct config *config, struct why *why);

#endif
