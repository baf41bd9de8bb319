/* dns/mx.c - from a destination to the hosts to try (RFC 5321 section 5, RFC 7505).
 * In:   a domain, a resolver.   Out: one counted, immutable mx_result.
 * Always true: at most MX_HOSTS_MAX hosts and two lookups for each; a lookup that fails never turns into a
 * permanent error; the callback comes by a message, never from inside a call. */
#include "config.h"

#include "dns/mx.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/packet.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "util/list.h"
#include "util/log.h"

enum {
	FAILED_TTL_S = 10,
	TTL_MAX_S = 86400
};

struct mx_query;

/* One of the two address lookups of a host. */
struct address_lookup {
	struct mx_query *query;
	struct dns_query *handle; /* NULL: not under way */
	size_t host;
	int family;
	struct in6_addr found[MX_ADDRESSES_MAX];
	size_t count;
};

struct mx_query {
	struct loop_msg msg;
	struct resolver *resolver;
	struct loop *loop;
	void (*on_hosts)(void *arg, struct mx_result *result); /* NULL: cancelled */
	void *arg;
	struct mx_options options;
	char self_name[PACKET_NAME_MAX];
	char domain[PACKET_NAME_MAX];
	bool host_only, implicit;
	struct dns_query *mx_lookup; /* NULL: not under way */
	struct address_lookup *lookups;
	size_t lookup_count, lookups_left;
	size_t failed, nodata, nxdomain, skipped; /* of address lookups and addresses */
	int64_t ttl_s;
	struct mx_result *result;
};

struct mx_result *
mx_result_ref(struct mx_result *result)
{
	atomic_fetch_add(&result->refs, 1);
	return result;
}

void
mx_result_unref(struct mx_result *result)
{
	if (result != NULL && atomic_fetch_sub(&result->refs, 1) == 1)
		free(result);
}

static struct mx_result *
result_new(size_t hosts)
{
	struct mx_result *result = calloc(1, sizeof *result + hosts * sizeof result->hosts[0]);

	if (result != NULL) {
		result->refs = 1;
		result->count = hosts;
	}
	return result;
}

/* --- addresses ----------------------------------------------------------------------------------- */

static const struct range4 {
	uint32_t net, mask;
} private4[] = {
	{ 0x00000000, 0xff000000 },				/* this network, unspecified */
	{ 0x0a000000, 0xff000000 }, { 0x64400000, 0xffc00000 }, /* shared (RFC 6598) */
	{ 0x7f000000, 0xff000000 },				/* loopback */
	{ 0xa9fe0000, 0xffff0000 }, /* link-local: cloud metadata lives there */
	{ 0xac100000, 0xfff00000 }, { 0xc0a80000, 0xffff0000 },
	{ 0xe0000000, 0xe0000000 }, /* multicast, reserved, broadcast */
};

static bool
is_private4(const unsigned char *bytes)
{
	uint32_t address = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
			   (uint32_t)bytes[2] << 8 | bytes[3];

	for (size_t i = 0; i < ARRAY_LEN(private4); i++)
		if ((address & private4[i].mask) == private4[i].net)
			return true;
	return false;
}

static bool
is_private6(const struct in6_addr *address)
{
	const unsigned char *bytes = address->s6_addr;

	/* :: and ::1 are among the IPv4-compatible ones, which nobody uses any more */
	if (IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_LOOPBACK(address) ||
	    IN6_IS_ADDR_V4COMPAT(address))
		return true;
	if (IN6_IS_ADDR_V4MAPPED(address))
		return is_private4(bytes + 12);
	return (bytes[0] & 0xfe) == 0xfc || bytes[0] == 0xff ||
	       (bytes[0] == 0xfe && (bytes[1] & 0x80) == 0x80); /* link-local, site-local */
}

static bool
is_private(int family, const struct in6_addr *bytes)
{
	return family == AF_INET ? is_private4(bytes->s6_addr) : is_private6(bytes);
}

static void
host_add_address(struct mx_host *host, int family, const struct in6_addr *bytes, unsigned port)
{
	struct mx_address *address = &host->addresses[host->address_count++];

	if (family == AF_INET) {
		struct sockaddr_in in = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)port) };

		memcpy(&in.sin_addr, bytes, 4);
		memcpy(&address->addr, &in, sizeof in);
		address->len = sizeof in;
	} else {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
			.sin6_port = htons((uint16_t)port),
			.sin6_addr = *bytes };

		memcpy(&address->addr, &in6, sizeof in6);
		address->len = sizeof in6;
	}
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]"; the bare forms, too, where a host is named by an administrator. */
static bool
parse_literal(struct span text, bool bare, int *family, struct in6_addr *bytes)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len > 2 && text.p[0] == '[' && text.p[text.len - 1] == ']')
		text = span_make(text.p + 1, text.len - 2);
	else if (!bare)
		return false;
	if (span_istarts(text, SPAN_LIT("IPv6:")))
		text = span_skip(text, 5);
	if (!span_copy(text, copy, sizeof copy))
		return false;
	*family = AF_INET;
	if (inet_pton(AF_INET, copy, bytes) == 1)
		return true;
	*family = AF_INET6;
	return inet_pton(AF_INET6, copy, bytes) == 1;
}

/* --- the end of a query -------------------------------------------------------------------------- */

static void
query_free(struct mx_query *query)
{
	if (query->mx_lookup != NULL)
		resolver_cancel(query->resolver, query->mx_lookup);
	for (size_t i = 0; i < query->lookup_count; i++)
		if (query->lookups[i].handle != NULL)
			resolver_cancel(query->resolver, query->lookups[i].handle);
	free(query->lookups);
	mx_result_unref(query->result);
	free(query);
}

static void
run_done(struct loop_msg *msg)
{
	struct mx_query *query = container_of(msg, struct mx_query, msg);

	if (query->on_hosts != NULL) {
		query->on_hosts(query->arg, query->result);
		query->result = NULL; /* the reference is the caller's now */
	}
	query_free(query);
}

static void
finish(struct mx_query *query, enum mx_status status)
{
	int64_t ttl_s = status == MX_FAILED ? FAILED_TTL_S : query->ttl_s;

	query->result->status = status;
	query->result->expires_ms = clock_mono_ms() + ttl_s * 1000;
	if (status != MX_OK)
		query->result->count = 0;
	query->msg.run = run_done;
	loop_post(query->loop, &query->msg);
}

static void PRINTF_LIKE(3, 4)
    finish_with(struct mx_query *query, enum mx_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(query->result->why, sizeof query->result->why, fmt, args);
	va_end(args);
	finish(query, status);
}

static void
note_ttl(struct mx_query *query, int64_t ttl_s)
{
	if (ttl_s < query->ttl_s)
		query->ttl_s = ttl_s;
}

/* --- addresses of the hosts ---------------------------------------------------------------------- */

/* Take the two lists of a host in turns, so that one broken family costs one attempt, not all of them. */
static void
host_fill(struct mx_query *query, struct mx_host *host, const struct address_lookup *six,
    const struct address_lookup *four)
{
	size_t six_count = six != NULL ? six->count : 0,
	       four_count = four != NULL ? four->count : 0;

	for (size_t i = 0; i < MX_ADDRESSES_MAX; i++) {
		if (i < six_count && host->address_count < MX_ADDRESSES_MAX)
			host_add_address(host, AF_INET6, &six->found[i], query->options.port);
		if (i < four_count && host->address_count < MX_ADDRESSES_MAX)
			host_add_address(host, AF_INET, &four->found[i], query->options.port);
	}
}

static const struct address_lookup *
find_lookup(const struct mx_query *query, size_t host, int family)
{
	for (size_t i = 0; i < query->lookup_count; i++)
		if (query->lookups[i].host == host && query->lookups[i].family == family)
			return &query->lookups[i];
	return NULL;
}

/* The hosts that have addresses move up. */
static size_t
fill_hosts(struct mx_query *query)
{
	struct mx_result *result = query->result;
	size_t count = 0;

	for (size_t i = 0; i < result->count; i++) {
		struct mx_host *host = &result->hosts[i];

		host_fill(
		    query, host, find_lookup(query, i, AF_INET6), find_lookup(query, i, AF_INET));
		if (host->address_count > 0) {
			if (count != i)
				result->hosts[count] = *host;
			count++;
		}
	}
	return count;
}

/* No host has a usable address: permanent only when that is certain. */
static void
finish_without_addresses(struct mx_query *query)
{
	if (query->failed > 0)
		finish(query, MX_FAILED); /* the text is that of the failed lookup */
	else if (query->skipped > 0)
		finish_with(query, MX_NO_HOST, "%s has only private addresses", query->domain);
	else if (query->nxdomain == query->lookup_count && query->host_only)
		finish_with(query, MX_NO_DOMAIN, "%s does not exist", query->domain);
	else if (query->implicit || query->host_only)
		finish_with(query, MX_NO_HOST, "%s has neither MX nor address", query->domain);
	else if (query->nxdomain == query->lookup_count)
		finish_with(
		    query, MX_NO_HOST, "none of the mail hosts of %s exists", query->domain);
	else
		finish_with(query, MX_FAILED, "no mail host of %s has an address", query->domain);
}

static void
finish_addresses(struct mx_query *query)
{
	size_t count = fill_hosts(query);

	if (count == 0) {
		finish_without_addresses(query);
		return;
	}
	query->result->count = count;
	finish(query, MX_OK);
}

static void
take_addresses(struct address_lookup *lookup, const struct dns_answer *answer)
{
	struct mx_query *query = lookup->query;
	size_t size = lookup->family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < answer->count && lookup->count < MX_ADDRESSES_MAX; i++) {
		struct in6_addr bytes = { 0 };

		if (answer->records[i].len != size)
			continue;
		memcpy(&bytes, answer->records[i].p, size);
		if (!query->options.allow_private && is_private(lookup->family, &bytes)) {
			query->skipped++;
			continue;
		}
		lookup->found[lookup->count++] = bytes;
	}
	if (!answer->secure)
		query->result->hosts[lookup->host].secure = false;
}

static void
address_failed(struct address_lookup *lookup, const char *why)
{
	struct mx_query *query = lookup->query;

	query->failed++;
	(void)snprintf(query->result->why, sizeof query->result->why, "address of %.120s: %.100s",
	    query->result->hosts[lookup->host].name, why);
}

static void
on_address(void *arg, const struct dns_answer *answer)
{
	struct address_lookup *lookup = arg;
	struct mx_query *query = lookup->query;

	lookup->handle = NULL;
	switch (answer->status) {
	case DNS_OK:
		take_addresses(lookup, answer);
		break;
	case DNS_NODATA:
		query->nodata++;
		break;
	case DNS_NXDOMAIN:
		query->nxdomain++;
		break;
	case DNS_FAILED:
		address_failed(lookup, answer->why);
		break;
	}
	if (answer->status != DNS_FAILED)
		note_ttl(query, answer->ttl_s);
	if (--query->lookups_left == 0)
		finish_addresses(query);
}

static void
add_lookup(struct mx_query *query, size_t host, int family)
{
	query->lookups[query->lookup_count++] =
	    (struct address_lookup){ .query = query, .host = host, .family = family };
}

/* Ask for the addresses of all hosts of the result at once. */
static void
ask_addresses(struct mx_query *query)
{
	size_t hosts = query->result->count;

	query->lookups = calloc(2 * hosts, sizeof query->lookups[0]);
	if (query->lookups == NULL) {
		finish_with(query, MX_FAILED, "out of memory");
		return;
	}
	for (size_t i = 0; i < hosts; i++) {
		if (query->options.ipv6)
			add_lookup(query, i, AF_INET6);
		if (query->options.ipv4)
			add_lookup(query, i, AF_INET);
	}
	/* one more than there are, so that none that fails here ends the query while we still ask */
	query->lookups_left = query->lookup_count + 1;
	for (size_t i = 0; i < query->lookup_count; i++) {
		struct address_lookup *lookup = &query->lookups[i];

		lookup->handle =
		    resolver_lookup(query->resolver, query->result->hosts[lookup->host].name,
			lookup->family == AF_INET ? DNS_A : DNS_AAAA, on_address, lookup);
		if (lookup->handle == NULL) {
			address_failed(lookup, "lookup cannot be started");
			query->lookups_left--;
		}
	}
	if (--query->lookups_left == 0)
		finish_addresses(query);
}

/* --- MX records ---------------------------------------------------------------------------------- */

struct candidate {
	char name[PACKET_NAME_MAX];
	unsigned preference;
	uint32_t shuffle; /* random order among equals */
};

static int
candidate_cmp(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return a->shuffle < b->shuffle ? -1 : a->shuffle > b->shuffle;
}

/* RFC 7505: one record, and that is the root. Among others such a record says nothing. */
static bool
is_null_mx(const struct dns_answer *answer)
{
	char name[PACKET_NAME_MAX];
	unsigned preference;

	return answer->count == 1 &&
	       packet_parse_mx(answer->records[0], &preference, name) == RC_OK && name[0] == '\0';
}

static size_t
read_candidates(
    const struct mx_query *query, const struct dns_answer *answer, struct candidate *out)
{
	size_t count = 0;

	for (size_t i = 0; i < answer->count && count < PACKET_RECORDS_MAX; i++) {
		struct candidate *c = &out[count];
		char raw[96], domain[96];

		if (packet_parse_mx(answer->records[i], &c->preference, c->name) != RC_OK) {
			log_line(LOG_LEVEL_INFO, "dns", "event=mx_ignored domain=%s rdata=\"%s\"",
			    log_safe(span_of(query->domain), domain, sizeof domain),
			    log_safe(answer->records[i], raw, sizeof raw));
			continue;
		}
		if (c->name[0] == '\0')
			continue;
		crypto_random(&c->shuffle, sizeof c->shuffle);
		count++;
	}
	qsort(out, count, sizeof out[0], candidate_cmp);
	return count;
}

/* RFC 5321 5.1: ourselves and everything that is not nearer is out, or mail would go round. */
static size_t
cut_behind_self(const struct mx_query *query, const struct candidate *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (query->self_name[0] != '\0' &&
		    span_ieq(span_of(list[i].name), span_of(query->self_name))) {
			while (i > 0 && list[i - 1].preference == list[i].preference)
				i--;
			return i;
		}
	return count;
}

static bool
is_listed(const struct mx_result *result, const char *name)
{
	for (size_t i = 0; i < result->count; i++)
		if (strcmp(result->hosts[i].name, name) == 0)
			return true;
	return false;
}

static enum rc
make_hosts(struct mx_query *query, const struct candidate *list, size_t count, bool secure)
{
	struct mx_result *result = result_new(count < MX_HOSTS_MAX ? count : (size_t)MX_HOSTS_MAX);

	if (result == NULL)
		return RC_LATER;
	result->count = 0;
	for (size_t i = 0; i < count && result->count < MX_HOSTS_MAX; i++) {
		struct mx_host *host = &result->hosts[result->count];

		if (is_listed(result, list[i].name))
			continue;
		(void)span_copy(span_of(list[i].name), host->name, sizeof host->name);
		host->preference = list[i].preference;
		host->secure = secure;
		result->count++;
	}
	mx_result_unref(query->result);
	query->result = result;
	return RC_OK;
}

/* The domain itself is the host: no MX (RFC 5321 5.1, implicit), or a smarthost. */
static void
use_domain_as_host(struct mx_query *query, bool secure)
{
	struct candidate self = { .preference = 0 };

	(void)span_copy(span_of(query->domain), self.name, sizeof self.name);
	if (make_hosts(query, &self, 1, secure) == RC_OK)
		ask_addresses(query);
	else
		finish_with(query, MX_FAILED, "out of memory");
}

static void
use_records(struct mx_query *query, const struct dns_answer *answer)
{
	struct candidate *list = calloc(PACKET_RECORDS_MAX, sizeof *list);
	size_t found, count;

	if (list == NULL) {
		finish_with(query, MX_FAILED, "out of memory");
		return;
	}
	found = read_candidates(query, answer, list);
	count = cut_behind_self(query, list, found);
	if (found == 0)
		finish_with(query, MX_NO_HOST, "no MX of %s names a host", query->domain);
	else if (count == 0)
		finish_with(query, MX_LOOP, "mail for %s loops back to us", query->domain);
	else if (make_hosts(query, list, count, answer->secure) != RC_OK)
		finish_with(query, MX_FAILED, "out of memory");
	else
		ask_addresses(query);
	free(list);
}

static void
on_mx(void *arg, const struct dns_answer *answer)
{
	struct mx_query *query = arg;

	query->mx_lookup = NULL;
	if (answer->status != DNS_FAILED)
		note_ttl(query, answer->ttl_s);
	switch (answer->status) {
	case DNS_OK:
		if (is_null_mx(answer))
			finish_with(query, MX_NULL, "%s does not accept mail", query->domain);
		else
			use_records(query, answer);
		break;
	case DNS_NODATA:
		query->implicit = true;
		use_domain_as_host(query, answer->secure);
		break;
	case DNS_NXDOMAIN:
		finish_with(query, MX_NO_DOMAIN, "%s does not exist", query->domain);
		break;
	case DNS_FAILED:
		finish_with(query, MX_FAILED, "MX of %.120s: %.100s", query->domain, answer->why);
		break;
	}
}

/* --- the calls ----------------------------------------------------------------------------------- */

static void
finish_literal(struct mx_query *query, int family, const struct in6_addr *bytes)
{
	struct mx_host *host;

	if (!query->options.allow_private && is_private(family, bytes)) {
		finish_with(query, MX_NO_HOST, "%s is a private address", query->domain);
		return;
	}
	host = &query->result->hosts[0];
	(void)span_copy(span_of(query->domain), host->name, sizeof host->name);
	host_add_address(host, family, bytes, query->options.port);
	query->ttl_s = TTL_MAX_S;
	finish(query, MX_OK);
}

static void
start(struct mx_query *query)
{
	struct in6_addr bytes = { 0 };
	int family;

	if (parse_literal(span_of(query->domain), query->host_only, &family, &bytes)) {
		finish_literal(query, family, &bytes);
	} else if (!packet_is_host_name(span_of(query->domain))) {
		query->domain[0] = '\0'; /* not fit for a log */
		finish_with(query, MX_NO_DOMAIN, "not a domain name");
	} else if (!query->options.ipv4 && !query->options.ipv6) {
		finish_with(query, MX_FAILED, "neither IPv4 nor IPv6 is in use");
	} else if (query->host_only) {
		use_domain_as_host(query, true);
	} else {
		query->mx_lookup =
		    resolver_lookup(query->resolver, query->domain, DNS_MX, on_mx, query);
		if (query->mx_lookup == NULL)
			finish_with(query, MX_FAILED, "lookup cannot be started");
	}
}

struct mx_query *
mx_lookup(struct resolver *resolver, struct loop *loop, const char *domain, bool host_only,
    const struct mx_options *options, void (*on_hosts)(void *arg, struct mx_result *result),
    void *arg)
{
	struct mx_query *query = calloc(1, sizeof *query);

	if (query == NULL)
		return NULL;
	query->result = result_new(1);
	if (query->result == NULL) {
		free(query);
		return NULL;
	}
	query->resolver = resolver;
	query->loop = loop;
	query->on_hosts = on_hosts;
	query->arg = arg;
	query->options = *options;
	query->host_only = host_only;
	query->ttl_s = TTL_MAX_S;
	/* too long: stays empty, and that is no domain */
	(void)span_copy(span_of(domain), query->domain, sizeof query->domain);
	for (char *c = query->domain; *c != '\0'; c++)
		*c = ascii_lower(*c);
	if (options->self_name != NULL)
		(void)span_copy(
		    span_of(options->self_name), query->self_name, sizeof query->self_name);
	start(query);
	return query;
}

void
mx_cancel(struct mx_query *query)
{
	if (query == NULL)
		return;
	query->on_hosts = NULL;
	if (query->msg.run == NULL) /* else the message is under way and frees it */
		query_free(query);
}
