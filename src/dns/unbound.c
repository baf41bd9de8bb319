/* dns/unbound.c - the resolver: libunbound on the loop. The home of libunbound.
 * In:   names and types.   Out: parsed answers, by callback on the loop.
 * Always true: a lookup ends within the configured time, whatever the library does; at most IN_FLIGHT_MAX are with
 * the library, the rest wait in a queue; no callback runs from inside a call.
 *
 * Thread rules of libunbound: a context made for an event base runs on the thread of that base and makes no
 * threads of its own; all calls come from there. Its callbacks may run inside ub_resolve_event (cached answers)
 * and inside ub_ctx_delete, and starting another lookup there re-enters it: so an answer is copied, and
 * delivered by a message to the loop. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <unbound.h>
#include <unbound-event.h>

#include "config/config.h"
#include "dns/packet.h"
#include "dns/resolver.h"
#include "util/clock.h"
#include "util/list.h"
#include "util/log.h"

enum {
	IN_FLIGHT_MAX = 500,
	TTL_MIN_S = 5,
	TTL_MAX_S = 86400,
	TTL_NEGATIVE_MAX_S = 300,
	LOG_EVERY_MS = 60000
};

enum {
	RCODE_NOERROR = 0,
	RCODE_NXDOMAIN = 3,
	SEC_BOGUS = 1,
	SEC_SECURE = 2
};

struct unbound {
	struct resolver resolver;
	struct ub_ctx *ctx;
	struct loop *loop;
	struct list waiting; /* for one of the library's places */
	struct list asked;   /* with the library, or answered and not yet delivered */
	size_t in_flight;
	struct timer pump; /* fills free places, outside of the library's callbacks */
	int64_t timeout_ms;
	int64_t logged_ms; /* 0: never */
	bool closing;
};

/* Lives until nobody needs it: the caller, the library and the message under way. */
struct dns_query {
	struct loop_msg msg;
	struct list node;
	struct unbound *owner; /* NULL: the resolver is gone */
	struct timer timer;
	void (*on_answer)(void *arg, const struct dns_answer *answer); /* NULL: nobody waits */
	void *arg;
	char *name;
	enum dns_type type;
	bool held;   /* by the library */
	bool posted; /* the message is on its way, or a callback under way */
	struct buf packet;
	int security;
	char error[128]; /* why there is no packet, or why it is not believed */
};

static void
query_free_if_unused(struct dns_query *query)
{
	if (query->held || query->posted || query->on_answer != NULL)
		return;
	list_del(&query->node);
	timer_cancel(&query->timer);
	buf_free(&query->packet);
	free(query->name);
	free(query);
}

/* One line a minute, however many lookups fail. */
static void
log_failure(struct unbound *u, const struct dns_query *query, const char *text)
{
	int64_t now_ms = clock_mono_ms();
	char name[128], reason[160];

	if (u->logged_ms != 0 && now_ms - u->logged_ms < LOG_EVERY_MS)
		return;
	u->logged_ms = now_ms;
	log_line(LOG_LEVEL_WARNING, "dns", "event=lookup_failed name=%s type=%d reason=\"%s\"",
	    log_safe(span_of(query->name), name, sizeof name), (int)query->type,
	    log_safe(span_of(text), reason, sizeof reason));
}

/* The caller's one callback. It may cancel others or free the resolver: nothing of it is touched after. */
static void
deliver(struct dns_query *query, const struct dns_answer *answer)
{
	void (*on_answer)(void *, const struct dns_answer *) = query->on_answer;

	timer_cancel(&query->timer);
	if (on_answer == NULL)
		return;
	query->on_answer = NULL;
	if (answer->status == DNS_FAILED && query->owner != NULL)
		log_failure(query->owner, query, answer->why);
	on_answer(query->arg, answer);
}

static void
deliver_failure(struct dns_query *query, const char *text)
{
	struct dns_answer answer = { .status = DNS_FAILED, .why = text, .ttl_s = TTL_MIN_S };

	deliver(query, &answer);
}

static int64_t
limit(int64_t n, int64_t max)
{
	return n < TTL_MIN_S ? TTL_MIN_S : n > max ? max : n;
}

static const char *
rcode_text(int rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED" };

	return rcode >= 0 && (size_t)rcode < ARRAY_LEN(names) ? names[rcode] : "unknown RCODE";
}

static void
deliver_packet(struct dns_query *query)
{
	struct packet_answer packet;
	struct dns_answer answer = { .why = "" };

	if (packet_parse(buf_span(&query->packet), query->type, &packet) != RC_OK) {
		deliver_failure(query, "malformed answer");
		return;
	}
	if (packet.rcode != RCODE_NOERROR && packet.rcode != RCODE_NXDOMAIN) {
		packet_answer_free(&packet);
		deliver_failure(query, rcode_text(packet.rcode));
		return;
	}
	answer.secure = query->security == SEC_SECURE;
	answer.records = packet.records;
	answer.count = packet.count;
	if (packet.rcode == RCODE_NXDOMAIN)
		answer.status = DNS_NXDOMAIN;
	else
		answer.status = packet.count > 0 ? DNS_OK : DNS_NODATA;
	answer.ttl_s =
	    limit(packet.ttl_s, answer.status == DNS_OK ? TTL_MAX_S : TTL_NEGATIVE_MAX_S);
	deliver(query, &answer);
	packet_answer_free(&packet);
}

static void
run_answer(struct loop_msg *msg)
{
	struct dns_query *query = container_of(msg, struct dns_query, msg);

	if (query->error[0] != '\0')
		deliver_failure(query, query->error);
	else
		deliver_packet(query);
	query->posted = false; /* only now: the callback may have freed the resolver */
	query_free_if_unused(query);
}

static void
post(struct dns_query *query)
{
	timer_cancel(&query->timer);
	query->posted = true;
	query->msg.run = run_answer;
	loop_post(query->owner->loop, &query->msg);
}

static void
set_error(struct dns_query *query, const char *text, const char *more)
{
	(void)snprintf(query->error, sizeof query->error, "%s%s", text, more);
}

/* From the library. rcode is the library's own trouble; the server's is in the packet. security: 0 insecure,
 * 1 bogus, 2 secure. */
static void
on_library_answer(
    void *arg, int rcode, void *packet, int len, int security, char *why_bogus, int ratelimited)
{
	struct dns_query *query = arg;
	struct unbound *u = query->owner;

	(void)ratelimited;
	query->held = false;
	u->in_flight--;
	if (!list_is_empty(&u->waiting) && !u->closing)
		timer_set(&u->pump, 0);
	if (query->on_answer == NULL) {
		query_free_if_unused(query);
		return;
	}
	query->security = security;
	if (security == SEC_BOGUS)
		set_error(query, "bogus: ", why_bogus != NULL ? why_bogus : "");
	else if (rcode != RCODE_NOERROR)
		set_error(query, rcode_text(rcode), "");
	else if (packet == NULL || len <= 0)
		set_error(query, "no answer", "");
	else
		buf_add(&query->packet, packet, (size_t)len);
	if (query->packet.failed)
		set_error(query, "out of memory", "");
	post(query);
}

static void
ask(struct dns_query *query)
{
	struct unbound *u = query->owner;
	int err;

	list_del(&query->node);
	list_add_tail(&u->asked, &query->node);
	query->held = true;
	u->in_flight++;
	err = ub_resolve_event(
	    u->ctx, query->name, (int)query->type, 1, query, on_library_answer, NULL);
	if (err == 0)
		return;
	query->held = false;
	u->in_flight--;
	set_error(query, "lookup cannot be started: ", ub_strerror(err));
	post(query);
}

static void
on_pump(void *arg)
{
	struct unbound *u = arg;

	while (u->in_flight < IN_FLIGHT_MAX && !list_is_empty(&u->waiting))
		ask(container_of(u->waiting.next, struct dns_query, node));
}

/* The library goes on (its answer fills its cache); the caller gets his now. */
static void
on_timeout(void *arg)
{
	struct dns_query *query = arg;

	query->posted = true; /* keeps it when the callback frees the resolver */
	deliver_failure(query, "timeout");
	query->posted = false;
	query_free_if_unused(query);
}

static struct dns_query *
unbound_lookup(struct resolver *resolver, const char *name, enum dns_type type,
    void (*on_answer)(void *arg, const struct dns_answer *answer), void *arg)
{
	struct unbound *u = container_of(resolver, struct unbound, resolver);
	struct dns_query *query = calloc(1, sizeof *query);

	if (query == NULL)
		return NULL;
	query->name = strdup(name);
	if (query->name == NULL) {
		free(query);
		return NULL;
	}
	query->owner = u;
	query->type = type;
	query->on_answer = on_answer;
	query->arg = arg;
	list_init(&query->node);
	timer_init(&query->timer, u->loop, on_timeout, query);
	timer_set(&query->timer, u->timeout_ms);
	list_add_tail(&u->waiting, &query->node);
	if (u->in_flight < IN_FLIGHT_MAX)
		ask(query);
	return query;
}

static void
unbound_cancel(struct resolver *resolver, struct dns_query *query)
{
	(void)resolver;
	timer_cancel(&query->timer);
	query->on_answer = NULL;
	query_free_if_unused(query);
}

/* Whoever still waits is forgotten. What has a message under way goes with that. */
static void
abandon(struct list *queries)
{
	LIST_FOREACH_SAFE (node, queries) {
		struct dns_query *query = container_of(node, struct dns_query, node);

		timer_cancel(&query->timer);
		query->on_answer = NULL;
		if (!query->held) {
			query->owner = NULL;
			list_del(&query->node);
			query_free_if_unused(query);
		}
	}
}

static void
unbound_free(struct resolver *resolver)
{
	struct unbound *u = container_of(resolver, struct unbound, resolver);

	u->closing = true;
	timer_cancel(&u->pump);
	abandon(&u->waiting);
	abandon(&u->asked);
	if (u->ctx != NULL)
		ub_ctx_delete(u->ctx); /* may answer what it holds */
	while (!list_is_empty(&u->asked)) {
		struct dns_query *query = container_of(u->asked.next, struct dns_query, node);

		query->held = false;
		query->owner = NULL;
		list_del(&query->node);
		query_free_if_unused(query);
	}
	free(u);
}

static const struct resolver_ops unbound_ops = { unbound_lookup, unbound_cancel, unbound_free };

static const struct ub_option {
	const char *name, *value;
} ub_options[] = {
	{ "do-not-query-localhost:", "no" }, /* a resolver on this host is the usual case */
	/* A resolver that was down must be found again within seconds, not after the 15 minutes for which the
	 * library remembers it as dead. */
	{ "infra-host-ttl:", "5" },
	{ "infra-keep-probing:", "yes" },
	{ "cache-max-ttl:", "86400" },
	{ "cache-max-negative-ttl:", "300" },
	/* Names for private use are the configured resolver's to answer; the library would say they do not exist. */
	{ "local-zone:", "test. transparent" },
	{ "local-zone:", "home.arpa. transparent" },
	{ "use-syslog:", "no" },
	{ "verbosity:", "0" },
};

static int
set_options(struct ub_ctx *ctx, bool validate)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_LEN(ub_options) && err == 0; i++)
		err = ub_ctx_set_option(ctx, ub_options[i].name, ub_options[i].value);
	if (err == 0)
		err = ub_ctx_set_option(
		    ctx, "module-config:", validate ? "validator iterator" : "iterator");
	return err;
}

static enum rc
set_servers(struct ub_ctx *ctx, const struct config *config, struct why *why)
{
	int err = 0;

	for (size_t i = 0; i < config->dns.server_count; i++) {
		err = ub_ctx_set_fwd(ctx, config->dns.servers[i]);
		if (err != 0)
			return why_set(why, RC_BAD, 0, "dns.servers: %s: %s",
			    config->dns.servers[i], ub_strerror(err));
	}
	if (config->dns.server_count == 0)
		err = ub_ctx_resolvconf(ctx, NULL);
	return err == 0 ? RC_OK
			: why_set(why, RC_LATER, 0, "/etc/resolv.conf: %s", ub_strerror(err));
}

static enum rc
set_up(struct unbound *u, const struct config *config, struct why *why)
{
	const char *anchor = config->dns.trust_anchor;
	bool validate = anchor != NULL && anchor[0] != '\0';
	enum rc rc;
	int err;

	u->ctx = ub_ctx_create_event(loop_base(u->loop));
	if (u->ctx == NULL)
		return why_set(why, RC_LATER, 0, "libunbound cannot be started");
	(void)ub_ctx_debugout(u->ctx, NULL); /* its log lines are not ours */
	(void)ub_ctx_debuglevel(u->ctx, 0);
	err = set_options(u->ctx, validate);
	if (err != 0)
		return why_set(why, RC_LATER, 0, "libunbound's options: %s", ub_strerror(err));
	rc = set_servers(u->ctx, config, why);
	if (rc != RC_OK || !validate)
		return rc;
	err = ub_ctx_add_ta_file(u->ctx, anchor);
	return err == 0 ? RC_OK : why_set(why, RC_BAD, 0, "dns.trust_anchor: %s", ub_strerror(err));
}

struct resolver *
resolver_unbound_new(struct loop *loop, const struct config *config, struct why *why)
{
	struct unbound *u = calloc(1, sizeof *u);

	if (u == NULL) {
		(void)why_errno(why, ENOMEM, "resolver");
		return NULL;
	}
	u->resolver.ops = &unbound_ops;
	u->loop = loop;
	u->timeout_ms = config->dns.timeout_ms;
	list_init(&u->waiting);
	list_init(&u->asked);
	timer_init(&u->pump, loop, on_pump, u);
	if (set_up(u, config, why) != RC_OK) {
		unbound_free(&u->resolver);
		return NULL;
	}
	return &u->resolver;
}
