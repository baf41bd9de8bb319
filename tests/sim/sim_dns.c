/* tests/sim/sim_dns.c - dns/resolver.h over the plan: MX, addresses, null MX, names that do not exist; answers late,
 * and failures until all heals. */
#include "config.h"

#include "sim.h"

#include <stdlib.h>

#include "dns/resolver.h"
#include "util/buf.h"

struct dns_query {
	struct timer timer;
	enum dns_type type;
	char name[256];
	void (*on_answer)(void *arg, const struct dns_answer *answer);
	void *arg;
};

struct fake {
	struct resolver resolver;
	struct loop *loop;
};

/* "mx3.test", wire format of a name. */
static void
put_name(struct buf *out, const char *text)
{
	struct span rest = span_of(text), label;

	while (span_next(&rest, '.', &label)) {
		buf_add_char(out, (char)label.len);
		buf_add_span(out, label);
	}
	buf_add_char(out, '\0');
}

static void
answer_mx(
    const struct sim_domain *d, struct buf mem[], struct span records[], struct dns_answer *answer)
{
	char name[32];

	if (d->kind == DOMAIN_IMPLICIT) {
		answer->status = DNS_NODATA;
		return;
	}
	for (unsigned i = 0; i < (d->kind == DOMAIN_NULL_MX ? 1 : d->host_count); i++) {
		(void)snprintf(name, sizeof name, "mx%u.test", d->hosts[i]);
		buf_add_char(&mem[i], '\0');
		buf_add_char(&mem[i], (char)(d->kind == DOMAIN_NULL_MX ? 0 : 10 * (i / 2 + 1)));
		if (d->kind == DOMAIN_NULL_MX)
			buf_add_char(&mem[i], '\0');
		else
			put_name(&mem[i], name);
		records[answer->count++] = buf_span(&mem[i]);
	}
	answer->status = DNS_OK;
}

static void
answer_address(unsigned host, char bytes[4], struct span records[], struct dns_answer *answer)
{
	memcpy(bytes, "\xc6\x33\x64\x00", 4);
	bytes[3] = (char)(host + 1);
	records[0] = span_make(bytes, 4);
	answer->count = 1;
	answer->status = DNS_OK;
}

static void
on_timer(void *arg)
{
	struct dns_query *q = arg;
	struct buf mem[3] = { BUF_EMPTY, BUF_EMPTY, BUF_EMPTY };
	struct span records[3];
	char bytes[4];
	struct dns_answer answer = { .status = DNS_NXDOMAIN, .records = records, .ttl_s = 5 };
	const struct sim_domain *d = NULL;
	unsigned n;
	char end;

	answer.ttl_s = (int64_t)sim_between(5, 600);
	if (sscanf(q->name, "d%u.test%c", &n, &end) == 1 && n < SIM_DOMAINS)
		d = &sim->plan.domains[n];
	if (sim_has(FAULT_DNS) && !sim->healed && d != NULL && sim_below(100) < d->fail_percent) {
		answer.status = DNS_FAILED;
		answer.why = "SERVFAIL";
	} else if (d != NULL && d->kind != DOMAIN_NXDOMAIN) {
		if (q->type == DNS_MX)
			answer_mx(d, mem, records, &answer);
		else if (q->type == DNS_A && d->kind == DOMAIN_IMPLICIT)
			answer_address(d->hosts[0], bytes, records, &answer);
		else
			answer.status = DNS_NODATA;
	} else if (sscanf(q->name, "mx%u.test%c", &n, &end) == 1 && n < SIM_HOSTS) {
		if (q->type == DNS_A)
			answer_address(n, bytes, records, &answer);
		else
			answer.status = DNS_NODATA;
	}
	sim_trace("dns: %s type %d: %d", q->name, (int)q->type, (int)answer.status);
	q->on_answer(q->arg, &answer);
	for (int i = 0; i < 3; i++)
		buf_free(&mem[i]);
	free(q);
}

static struct dns_query *
fake_lookup(struct resolver *resolver, const char *name, enum dns_type type,
    void (*on_answer)(void *arg, const struct dns_answer *answer), void *arg)
{
	struct fake *fake = container_of(resolver, struct fake, resolver);
	struct dns_query *q = calloc(1, sizeof *q);

	if (q == NULL)
		return NULL;
	q->type = type;
	(void)snprintf(q->name, sizeof q->name, "%s", name);
	q->on_answer = on_answer;
	q->arg = arg;
	timer_init(&q->timer, fake->loop, on_timer, q);
	timer_set(&q->timer,
	    sim_has(FAULT_DNS) && sim_chance(50) ? sim_between(1000, 20000) : sim_between(0, 80));
	return q;
}

static void
fake_cancel(struct resolver *resolver, struct dns_query *query)
{
	(void)resolver;
	timer_cancel(&query->timer);
	free(query);
}

static void
fake_free(struct resolver *resolver)
{
	free(container_of(resolver, struct fake, resolver));
}

static const struct resolver_ops fake_ops = { fake_lookup, fake_cancel, fake_free };

struct resolver *
sim_dns_new(struct loop *loop)
{
	struct fake *fake = calloc(1, sizeof *fake);

	if (fake == NULL)
		return NULL;
	fake->resolver.ops = &fake_ops;
	fake->loop = loop;
	return &fake->resolver;
}
