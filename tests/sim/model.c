/* tests/sim/model.c - the plan of a seed, and the oracle: what was promised, what has happened, and whether that fits.
 *
 * It learns from the answers to submissions, from the hosts, and from calls between the daemon's parts that the linker
 * leads through here (--wrap): events, commits of state and done records, reports, and what accounts are charged.
 *
 * The rules: a recipient whose delivery we were told of, or whose final event was written, gets nothing more in that
 * life, and never again once a state or done record that says so is durable. A delivery event needs a host's 250, a
 * bounce event a 5xx, a domain that takes no mail, or an age beyond the limit. */
#include "config.h"

#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>

#include "account/account.h"
#include "bounce/bounce.h"
#include "event/event.h"
#include "spool/spool.h"
#include "util/fsutil.h"
#include "util/log.h"
#include "wire/command.h"

/* ------------------------------------------------------------------ plan ---------------------- */

static void
plan_domain(unsigned k, unsigned level)
{
	struct sim_domain *d = &sim->plan.domains[k];
	unsigned kind = sim_below(20);

	d->kind = DOMAIN_MX;
	if (k < SIM_SENDERS_AT) {
		if (kind == 0)
			d->kind = DOMAIN_NULL_MX;
		else if (kind == 1)
			d->kind = DOMAIN_NXDOMAIN;
		else if (kind < 5)
			d->kind = DOMAIN_IMPLICIT;
		else if (kind == 5)
			d->kind = DOMAIN_ROUTED;
	} else if (kind == 0) {
		d->kind = DOMAIN_NULL_MX; /* reports to it cannot be delivered */
	}
	d->host_count = d->kind == DOMAIN_MX ? 1 + sim_below(3) : 1;
	for (unsigned i = 0; i < d->host_count; i++)
		d->hosts[i] = sim_below(SIM_HOSTS);
	if (d->kind == DOMAIN_ROUTED)
		d->hosts[0] = 0;
	d->fail_percent = level > 0 ? sim_below(60) : 0;
}

static void
plan_host(unsigned k, unsigned level)
{
	struct sim_host *h = &sim->plan.hosts[k];

	h->trouble = level > 0 ? level / 2 + sim_below(level) : 0;
	h->dead = level > 20 && sim_chance(80);
	h->pipelining = sim_chance(600);
	h->size = sim_chance(500);
	h->starttls = sim_has(FAULT_TLS) && sim_chance(300);
	h->slow_ms = sim_chance(800) ? sim_between(1, 300) : sim_between(300, 60000);
}

void
model_plan(void)
{
	static const unsigned levels[] = { 5, 30, 100, 300 };
	static const int64_t gaps[] = { 5, 200, 5000, 60000, 900000 };
	static const uint64_t segments[] = { 24576, 65536, 262144 };
	struct sim_plan *p = &sim->plan;
	unsigned level = sim_has(FAULT_NET) ? levels[sim_below(4)] : 0;
	bool crashes = sim_has(FAULT_KILL) || sim_has(FAULT_POWER) || sim_has(FAULT_STOP);

	for (unsigned k = 0; k < SIM_DOMAINS; k++)
		plan_domain(k, sim_has(FAULT_DNS) ? level : 0);
	for (unsigned k = 0; k < SIM_HOSTS; k++)
		plan_host(k, level);
	p->accounts[3].relay = true;
	if (sim_has(FAULT_LIMITS)) {
		p->accounts[1].rate = 0.05 * (double)sim_between(1, 100);
		p->accounts[1].burst = sim_chance(500) ? 0 : (double)sim_between(1, 20);
		p->accounts[2].quota = sim_between(3, 60);
	}
	p->messages =
	    (unsigned)sim_between(8, 60); /* drawn in any case: what follows stays the same */
	if (sim->options.steps > 0)
		p->messages = sim->options.steps;
	if (p->messages > SIM_MESSAGES)
		p->messages = SIM_MESSAGES;
	p->lives = crashes ? 1 + sim_below(6) : 1;
	p->loops = sim_below(SIM_LOOPS);
	p->gap_ms = gaps[sim_below(5)];
	p->retry_min_s = sim_between(2, 120);
	p->retry_max_s = p->retry_min_s * sim_between(1, 60);
	p->max_connections = sim_chance(300) ? 1 + sim_below(3) : 100;
	p->per_destination = 1 + sim_below(4);
	p->per_connection = 1 + sim_below(6);
	p->segment_bytes = segments[sim_below(3)];
	p->cold = sim_chance(500);
	p->disk_fault = sim_chance(500) ? 0 : 20 + sim_below(3000);
	p->large_percent = sim_chance(300) ? 5 + sim_below(20) : 0;
	sim->random ^= 0x5eed;
}

/* ------------------------------------------------------------------ addresses and bodies ------ */

void
model_address(unsigned n, unsigned i, char out[64])
{
	(void)snprintf(out, 64, "u%u-%u@d%u.test", n, i, sim->messages[n].recipients[i].domain);
}

void
model_sender(unsigned n, char out[64])
{
	(void)snprintf(out, 64, "s%u@d%d.test", n, SIM_SENDERS_AT + sim->messages[n].account);
}

bool
model_parse_address(struct span address, unsigned *n, unsigned *i)
{
	char text[64], want[64];

	*i = ~0U;
	if (!span_copy(address, text, sizeof text) ||
	    (sscanf(text, "s%u@", n) != 1 && sscanf(text, "u%u-%u@", n, i) != 2) ||
	    *n >= SIM_MESSAGES || (*i != ~0U && *i >= sim->messages[*n].recipient_count))
		return false;
	if (*i == ~0U)
		model_sender(*n, want);
	else
		model_address(*n, *i, want);
	return strcmp(text, want) == 0;
}

uint64_t
model_hash(struct span bytes)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* The same bytes for the same message; some lines begin with dots. */
void
model_body(unsigned n, char **out, size_t *len)
{
	size_t size = sim->messages[n].body_want, at = 0;
	char *bytes = malloc(size + 64);
	unsigned line = 0;

	if (bytes == NULL)
		abort();
	while (at + 2 < size) {
		char text[96];
		int k = snprintf(text, sizeof text, "%sline %u of message %u %.*s",
		    line % 5 == 3   ? "."
		    : line % 7 == 2 ? ".."
				    : "",
		    line, n, (int)((line * 7 + n) % 40),
		    "........................................");
		size_t room = size - at - 2;

		line++;
		if ((size_t)k > room || room - (size_t)k < 3)
			k = (int)(room < 64 ? room : 64);
		memcpy(bytes + at, text, (size_t)k < strlen(text) ? (size_t)k : strlen(text));
		for (size_t i = strlen(text); i < (size_t)k; i++)
			bytes[at + i] = 'x';
		at += (size_t)k;
		bytes[at++] = '\r';
		bytes[at++] = '\n';
	}
	sim->messages[n].body_len = (uint32_t)at;
	*out = bytes;
	*len = at;
}

void
model_submit(unsigned n)
{
	struct sim_message *m = &sim->messages[n];
	char *body;
	size_t len;

	memset(m, 0, sizeof *m);
	m->account = (uint8_t)sim_below(SIM_ACCOUNTS);
	m->null_sender = sim->plan.accounts[m->account].relay && sim_chance(200);
	m->recipient_count = (uint8_t)(1 + (sim_chance(500) ? sim_below(SIM_RECIPIENTS) : 0));
	for (unsigned i = 0; i < m->recipient_count; i++) {
		m->recipients[i].domain =
		    (uint8_t)(i > 0 && sim_chance(500) ? m->recipients[i - 1].domain
						       : sim_below(SIM_SENDERS_AT));
		m->recipients[i].silent = sim_chance(50);
	}
	m->large = sim_below(100) < sim->plan.large_percent;
	m->body_want = (uint32_t)(m->large ? sim_between(20000, 150000) : sim_between(40, 4000));
	m->at_ms = sim->mono_us / 1000;
	m->life = sim->life;
	m->fate = FATE_UNDER_WAY;
	model_body(n, &body, &len);
	m->body_hash = model_hash(span_make(body, len));
	free(body);
	sim_trace("submit %u: account %u, %u recipients, %u bytes%s", n, m->account,
	    m->recipient_count, m->body_want, m->large ? " in a file" : "");
}

/* ------------------------------------------------------------------ answers ------------------- */

static bool
same_id(const struct message_id *a, const struct message_id *b)
{
	return a->stamp == b->stamp && memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0;
}

void
model_answer(unsigned n, enum rc rc, int code, const char *text, const struct message_id *id)
{
	struct sim_message *m = &sim->messages[n];

	sim_trace("answer %u: %d %s", n, rc == RC_OK ? 250 : code, rc == RC_OK ? "Ok" : text);
	if (rc == RC_OK) {
		m->fate = FATE_ACCEPTED;
		if (!m->has_id || !same_id(&m->id, id))
			sim_fail(
			    "message %u is answered with another id than it was stored under", n);
		sim->accepted++;
		sim->outstanding[m->account] -= m->recipient_count;
		return;
	}
	m->fate = strcmp(text, "Temporary service failure") == 0 ? FATE_FAILED : FATE_REFUSED;
	if (m->fate == FATE_FAILED)
		sim->failed++;
	else
		sim->refused++;
	if (code < 400 || code > 599)
		sim_fail("message %u is refused with code %d", n, code);
}

/* ------------------------------------------------------------------ what hosts see ------------ */

/* Whatever happens to a message: may it? */
static void
check_lives(unsigned n)
{
	const struct sim_message *m = &sim->messages[n];

	if (m->fate == FATE_REFUSED || (m->fate == FATE_FAILED && m->life == sim->life))
		sim_fail("message %u was refused, and lives", n);
}

void
model_receipt(unsigned n, unsigned i, bool *first)
{
	struct sim_recipient *r = &sim->messages[n].recipients[i];

	sim_trace("taken: message %u recipient %u", n, i);
	check_lives(n);
	if (r->told != KNOWN_NOT)
		sim_fail("message %u goes to recipient %u again, though a host has said 250 to it",
		    n, i);
	if (r->final != KNOWN_NOT)
		sim_fail("message %u goes to recipient %u, which was settled before", n, i);
	*first = r->receipts == 0;
	sim->receipts++;
	if (r->receipts++ > 0)
		sim->repeats++;
	if (sim->messages[n].fate == FATE_FAILED || sim->messages[n].fate == FATE_LOST)
		sim->resurrected++;
}

void
model_told(unsigned n, unsigned i)
{
	sim->messages[n].recipients[i].told = KNOWN_HERE;
}

void
model_refused(unsigned n, unsigned i)
{
	if (i != ~0U)
		sim->messages[n].recipients[i].refused = true;
}

void
model_reported(unsigned n, unsigned i)
{
	check_lives(n);
	sim->messages[n].recipients[i].reported = true;
	sim_trace("reported: message %u recipient %u", n, i);
}

/* ------------------------------------------------------------------ lives --------------------- */

static void leave_counts(bool orderly);

void
model_new_life(void)
{
	sim->counted = false;
	for (unsigned a = 0; a < SIM_ACCOUNTS; a++) {
		const struct sim_account *p = &sim->plan.accounts[a];

		sim->level[a] = p->burst > 0 ? p->burst : 3 * p->rate;
		sim->level_us[a] = sim->mono_us;
		sim->outstanding[a] = 0;
	}
}

void
model_no_submissions(void)
{
	for (unsigned a = 0; a < SIM_ACCOUNTS; a++)
		if (sim->outstanding[a] != 0)
			sim_fail("account %u is charged for %lld recipients nobody accepted", a,
			    (long long)sim->outstanding[a]);
}

/* Of an orderly stop, too: its commits have come, and what was not durable by then never will be. */
void
model_crashed(bool orderly)
{
	for (unsigned n = 0; n < sim->submitted; n++) {
		struct sim_message *m = &sim->messages[n];

		if (m->fate == FATE_UNDER_WAY)
			m->fate = FATE_LOST;
		for (unsigned i = 0; i < m->recipient_count; i++) {
			struct sim_recipient *r = &m->recipients[i];

			if (r->final == KNOWN_DURABLE || r->final == KNOWN_MAYBE)
				continue;
			if (r->final == KNOWN_HERE && r->on_way) {
				r->final = KNOWN_MAYBE;
				continue;
			}
			r->final = r->told = KNOWN_NOT;
			r->bounced = false;
		}
	}
	leave_counts(orderly);
}

void
model_resolve(unsigned n, unsigned i, bool settled)
{
	struct sim_recipient *r = &sim->messages[n].recipients[i];

	r->final = settled ? KNOWN_DURABLE : KNOWN_NOT;
	r->told = settled && !r->bounced ? KNOWN_DURABLE : KNOWN_NOT;
	r->bounced &= settled;
	r->on_way = settled;
}

void
model_replayed(const char *client, const struct message_id *id)
{
	unsigned n;

	if (sscanf(client, "sim[%u]", &n) != 1)
		return;
	check_lives(n);
	sim->messages[n].id = *id;
	sim->messages[n].has_id = true;
}

static bool
report_was_given_up(unsigned n, unsigned i)
{
	for (unsigned k = 0; k < sim->report_count; k++)
		if (sim->reports[k].message == n && (sim->reports[k].recipients >> i & 1) != 0 &&
		    sim->reports[k].outcome == 2)
			return true;
	return false;
}

void
model_end(void)
{
	for (unsigned n = 0; n < sim->submitted; n++) {
		const struct sim_message *m = &sim->messages[n];

		if (m->fate != FATE_ACCEPTED)
			continue;
		for (unsigned i = 0; i < m->recipient_count; i++) {
			const struct sim_recipient *r = &m->recipients[i];

			if (r->final == KNOWN_NOT)
				sim_fail("message %u was accepted, and recipient %u has no final "
					 "event",
				    n, i);
			if (!r->bounced && r->receipts == 0)
				sim_fail("message %u never reached recipient %u", n, i);
			if (r->bounced && !m->null_sender && !r->silent && !r->reported &&
			    !report_was_given_up(n, i))
				sim_fail("message %u failed for recipient %u, and its sender was "
					 "not told",
				    n, i);
		}
	}
}

/* ------------------------------------------------------------------ events -------------------- */

void __real_event_send(const struct event_send *e);
void __wrap_event_send(const struct event_send *e);
void __real_event_recipient(const struct event_recipient *e);
void __wrap_event_recipient(const struct event_recipient *e);

static void
know_sequence(uint64_t sequence, unsigned n)
{
	if (sequence < SIM_SEQUENCES)
		sim->of_sequence[sequence] = (uint16_t)(n + 1);
}

void
__wrap_event_send(const struct event_send *e)
{
	unsigned n;

	if (sscanf(e->client, "sim[%u]", &n) != 1 || n >= sim->submitted)
		sim_fail("a Send event of \"%s\"", e->client);
	if (sim->messages[n].fate != FATE_UNDER_WAY)
		sim_fail("message %u has a second Send event", n);
	sim->messages[n].id = *e->id;
	sim->messages[n].has_id = true;
	know_sequence(e->sequence, n);
	__real_event_send(e);
}

static void
event_of_report(const struct event_recipient *e)
{
	for (unsigned k = 0; k < sim->report_count; k++) {
		struct sim_report *report = &sim->reports[k];

		if (!same_id(&report->id, e->id))
			continue;
		if (e->kind != EVENT_DELAY)
			report->outcome = e->kind == EVENT_DELIVERY ? 1 : 2;
		return;
	}
	sim_fail("an event of a report that nobody made, to %s", e->recipient);
}

static bool
may_bounce(const struct sim_message *m, const struct sim_recipient *r, const char *status)
{
	enum domain_kind kind = sim->plan.domains[r->domain].kind;

	if (strcmp(status, "4.4.7") == 0)
		return sim->mono_us / 1000 - m->at_ms >= (int64_t)SIM_MAX_AGE_S * 1000 - 1000;
	return r->refused || kind == DOMAIN_NULL_MX || kind == DOMAIN_NXDOMAIN;
}

void
__wrap_event_recipient(const struct event_recipient *e)
{
	struct sim_message *m;
	struct sim_recipient *r;
	unsigned n, i;

	__real_event_recipient(e);
	if (!model_parse_address(span_of(e->recipient), &n, &i))
		sim_fail("an event of %s", e->recipient);
	if (i == ~0U) {
		event_of_report(e);
		return;
	}
	know_sequence(e->sequence, n);
	m = &sim->messages[n];
	r = &m->recipients[i];
	check_lives(n);
	if (r->final != KNOWN_NOT)
		sim_fail("message %u has another %s event for recipient %u after the final one", n,
		    event_name(e->kind), i);
	if (e->kind == EVENT_DELAY)
		return;
	if (e->kind == EVENT_DELIVERY && r->told == KNOWN_NOT)
		sim_fail(
		    "message %u counts as delivered to recipient %u, but no host said 250", n, i);
	if (e->kind == EVENT_BOUNCE && r->told != KNOWN_NOT)
		sim_fail("message %u counts as failed for recipient %u, but a host said 250", n, i);
	if (e->kind == EVENT_BOUNCE && !may_bounce(m, r, e->status))
		sim_fail(
		    "message %u is given up for recipient %u without a cause (%s)", n, i, e->reply);
	r->final = KNOWN_HERE;
	r->on_way = false;
	r->final_ms = sim->mono_us / 1000;
	r->bounced = e->kind == EVENT_BOUNCE;
	sim->bounces += r->bounced;
}

/* ------------------------------------------------------------------ commits ------------------- */

enum rc __real_spool_append_state(struct spool *spool, struct spool_entry *entry, struct span state,
    spool_callback *callback, void *arg);
enum rc __wrap_spool_append_state(struct spool *spool, struct spool_entry *entry, struct span state,
    spool_callback *callback, void *arg);
enum rc __real_spool_append_done(
    struct spool *spool, struct spool_entry *entry, spool_callback *callback, void *arg);
enum rc __wrap_spool_append_done(
    struct spool *spool, struct spool_entry *entry, spool_callback *callback, void *arg);

/* What becomes durable with a record. */
struct commit {
	unsigned message; /* ~0u: not one of ours */
	unsigned settled; /* bits */
	spool_callback *callback;
	void *arg;
};

static struct commit *
commit_new(uint64_t sequence, spool_callback *callback, void *arg)
{
	struct commit *c = calloc(1, sizeof *c);
	unsigned n = sequence < SIM_SEQUENCES ? sim->of_sequence[sequence] : 0;

	if (c == NULL)
		abort();
	c->callback = callback;
	c->arg = arg;
	c->message = n - 1;
	for (unsigned i = 0; n > 0 && i < sim->messages[n - 1].recipient_count; i++)
		if (sim->messages[n - 1].recipients[i].final != KNOWN_NOT) {
			c->settled |= 1U << i;
			sim->messages[n - 1].recipients[i].on_way = true;
		}
	return c;
}

static void
on_commit(void *arg, enum rc rc, const struct why *why)
{
	struct commit *c = arg;

	for (unsigned i = 0; rc == RC_OK && i < SIM_RECIPIENTS; i++)
		if ((c->settled >> i & 1) != 0) {
			struct sim_recipient *r = &sim->messages[c->message].recipients[i];

			r->final = KNOWN_DURABLE;
			if (!r->bounced)
				r->told = KNOWN_DURABLE;
		}
	if (c->callback != NULL)
		c->callback(c->arg, rc, why);
	free(c);
}

enum rc
__wrap_spool_append_state(struct spool *spool, struct spool_entry *entry, struct span state,
    spool_callback *callback, void *arg)
{
	struct commit *c = commit_new(entry->sequence, callback, arg);
	enum rc rc = __real_spool_append_state(spool, entry, state, on_commit, c);

	if (rc != RC_OK)
		free(c);
	return rc;
}

enum rc
__wrap_spool_append_done(
    struct spool *spool, struct spool_entry *entry, spool_callback *callback, void *arg)
{
	struct commit *c = commit_new(entry->sequence, callback, arg);
	enum rc rc = __real_spool_append_done(spool, entry, on_commit, c);

	if (rc != RC_OK)
		free(c);
	return rc;
}

static void name_take(const struct message *message);

/* The interface says it may refuse at any time; then the message was not accepted, and a report waits. */
enum rc __real_spool_append_message(struct spool *spool, struct spool_entry *entry,
    struct message *message, spool_callback *callback, void *arg, struct why *why);
enum rc __wrap_spool_append_message(struct spool *spool, struct spool_entry *entry,
    struct message *message, spool_callback *callback, void *arg, struct why *why);

enum rc
__wrap_spool_append_message(struct spool *spool, struct spool_entry *entry, struct message *message,
    spool_callback *callback, void *arg, struct why *why)
{
	name_take(message);
	if (sim_has(FAULT_FULL) && !sim->healed && sim_chance(20))
		return why_set(why, RC_LATER, 452, "4.3.1 Insufficient system storage");
	return __real_spool_append_message(spool, entry, message, callback, arg, why);
}

/* ------------------------------------------------------------------ reports ------------------- */

enum rc __real_bounce_make(const struct config *config, const struct message *message,
    const struct bounce_recipient *recipients, size_t count, struct message **out, struct why *why);
enum rc __wrap_bounce_make(const struct config *config, const struct message *message,
    const struct bounce_recipient *recipients, size_t count, struct message **out, struct why *why);

enum rc
__wrap_bounce_make(const struct config *config, const struct message *message,
    const struct bounce_recipient *recipients, size_t count, struct message **out, struct why *why)
{
	enum rc rc = __real_bounce_make(config, message, recipients, count, out, why);
	struct sim_report *report = &sim->reports[sim->report_count];
	unsigned n, i;

	if (rc != RC_OK)
		return rc;
	if (sim->report_count == SIM_REPORTS - 1 || sscanf(message->client, "sim[%u]", &n) != 1)
		sim_fail("a report on mail that is none of ours");
	sim->report_count++;
	*report = (struct sim_report){ .id = (*out)->id, .message = (uint16_t)n };
	for (size_t k = 0; k < count; k++)
		if (model_parse_address(
			span_of(message->recipients[recipients[k].index].address), &n, &i))
			report->recipients |= (uint8_t)(1U << i);
	return rc;
}

/* ------------------------------------------------------------------ limits -------------------- */

enum rc __real_account_take(struct account *account, unsigned recipients, unsigned of_quota,
    struct account_charge **charge, struct why *why);
enum rc __wrap_account_take(struct account *account, unsigned recipients, unsigned of_quota,
    struct account_charge **charge, struct why *why);
void __real_account_keep(struct account_charge *charge);
void __wrap_account_keep(struct account_charge *charge);
void __real_account_refund(struct account_charge *charge);
void __wrap_account_refund(struct account_charge *charge);

static unsigned
account_index(const struct account *account)
{
	return (unsigned)(account_name(account)[1] - '0');
}

static double
full(unsigned a)
{
	const struct sim_account *p = &sim->plan.accounts[a];

	return p->burst > 0 ? p->burst : 3 * p->rate;
}

static int64_t
wall_ms(int64_t mono_ms)
{
	return mono_ms + (sim->wall_us - sim->mono_us) / 1000;
}

/* What the daemon has counted in its window of a day. */
static int64_t
counted(unsigned a)
{
	int64_t sum = 0, now = wall_ms(sim->mono_us / 1000) / 60000;

	for (unsigned k = 0; k < sim->take_count; k++)
		if (sim->takes[k].account == a && sim->takes[k].state != TAKE_GONE &&
		    wall_ms(sim->takes[k].at_ms) / 60000 > now - 1440)
			sum += sim->takes[k].recipients;
	return sum;
}

void
model_check_count(const char *account, int64_t sent_24h)
{
	unsigned a = (unsigned)(account[1] - '0');

	if (sent_24h != counted(a))
		sim_fail("account %u has used %lld of its quota, and counts %lld", a,
		    (long long)counted(a), (long long)sent_24h);
}

static void
check_rate(unsigned a, unsigned recipients, bool taken, bool refused)
{
	const struct sim_account *p = &sim->plan.accounts[a];
	double need = recipients < full(a) ? recipients : full(a);

	if (p->rate <= 0) {
		if (refused)
			sim_fail("account %u has no rate, and is refused for it", a);
		return;
	}
	sim->level[a] += p->rate * (double)(sim->mono_us - sim->level_us[a]) / 1e6;
	sim->level_us[a] = sim->mono_us;
	if (sim->level[a] > full(a))
		sim->level[a] = full(a);
	if (taken && sim->level[a] < need - 1e-3)
		sim_fail("account %u takes %u recipients beyond its rate", a, recipients);
	if (refused && sim->level[a] > need + 1e-3)
		sim_fail("account %u is below its rate, and refused for it", a);
	if (taken)
		sim->level[a] -= recipients;
}

enum rc
__wrap_account_take(struct account *account, unsigned recipients, unsigned of_quota,
    struct account_charge **charge, struct why *why)
{
	enum rc rc = __real_account_take(account, recipients, of_quota, charge, why);
	unsigned a = account_index(account);
	int64_t quota = sim->plan.accounts[a].quota, now_ms = sim->mono_us / 1000;
	bool by_quota = rc != RC_OK && strstr(why->text, "quota") != NULL;

	check_rate(a, recipients, rc == RC_OK, rc != RC_OK && !by_quota);
	if (by_quota && (quota == 0 || counted(a) + recipients <= quota))
		sim_fail("account %u is below its quota, and refused for it", a);
	if (rc != RC_OK)
		return rc;
	if (quota > 0 && counted(a) + recipients > quota)
		sim_fail("account %u takes %u recipients beyond its quota", a, recipients);
	sim->outstanding[a] += recipients;
	if (sim->take_count == SIM_TAKES)
		sim_fail("too many submissions for the simulation");
	sim->takes[sim->take_count++] = (struct sim_take){ .account = (uint8_t)a,
		.recipients = (uint8_t)recipients,
		.charge = *charge,
		.at_ms = now_ms,
		.known_ms = now_ms };
	return RC_OK;
}

/* The newest of that address: older ones are settled, and their memory was given back. */
static struct sim_take *
settle(const struct account_charge *charge, enum take_state state)
{
	struct sim_take *take = &sim->takes[sim->take_count];

	do {
		if (take-- == sim->takes)
			sim_fail("a charge is settled that never was");
	} while (take->charge != charge);
	if (take->state != TAKE_OPEN)
		sim_fail("account %u settles a charge twice", take->account);
	take->state = (uint8_t)state;
	take->settled_ms = sim->mono_us / 1000;
	return take;
}

void
__wrap_account_keep(struct account_charge *charge)
{
	(void)settle(charge, TAKE_KEPT);
	__real_account_keep(charge);
}

void
__wrap_account_refund(struct account_charge *charge)
{
	const struct sim_take *take = settle(charge, TAKE_GONE);
	unsigned a = take->account;

	__real_account_refund(charge);
	sim->outstanding[a] -= take->recipients;
	sim->level[a] += take->recipients;
	if (sim->level[a] > full(a))
		sim->level[a] = full(a);
}

/* The message that was just charged for goes to the spool. */
static void
name_take(const struct message *message)
{
	struct sim_take *take = &sim->takes[sim->take_count];

	if (message->notice)
		return;
	if (take-- == sim->takes || take->state != TAKE_OPEN ||
	    take->recipients != message->recipient_count ||
	    wall_ms(take->at_ms) != message->accepted_ms)
		sim_fail("a message goes to the spool that was not charged for");
	take->id = message->id;
}

/* ------------------------------------------------------------------ counts over a crash ------- */

/* The file is up to date but for the last second, and what came behind a message that waited for its store then. */
static void
leave_counts(bool orderly)
{
	int64_t now_ms = sim->mono_us / 1000, waiting_ms = INT64_MAX;
	int64_t flush_ms = now_ms <= sim->stall_end_ms + FLUSH_MS ? sim->stall_ms : now_ms;
	int64_t from_ms = orderly ? now_ms : flush_ms - FLUSH_MS - 1;

	for (unsigned k = 0; k < sim->take_count; k++) {
		const struct sim_take *t = &sim->takes[k];

		if ((t->state == TAKE_OPEN || t->settled_ms > from_ms) && t->at_ms < waiting_ms)
			waiting_ms = t->at_ms;
	}
	for (unsigned k = 0; k < sim->take_count; k++) {
		struct sim_take *t = &sim->takes[k];

		if (sim->counted) /* otherwise the crash came in the replay: nothing has changed */
			t->may_forget =
			    sim->usage_torn || t->known_ms > from_ms || t->at_ms >= waiting_ms;
		t->charge = NULL;
		t->told = false;
	}
}

/* Up to the last mark in the file, nothing that replay tells counts. */
void
model_usage_found(const char *path)
{
	struct buf text = BUF_EMPTY;
	struct why why = WHY_EMPTY;
	struct span rest, line;
	long long mark_ms;
	char copy[64];

	sim->usage_mark_ms = 0;
	if (fsutil_read_file(path, 1 << 24, &text, &why) == RC_OK)
		for (rest = buf_span(&text); span_next(&rest, '\n', &line) && rest.p != NULL;)
			if (span_copy(line, copy, sizeof copy) &&
			    sscanf(copy, "flushed %lld", &mark_ms) == 1)
				sim->usage_mark_ms = mark_ms;
	buf_free(&text);
}

void
model_count_replayed(const struct message_id *id)
{
	for (unsigned k = 0; k < sim->take_count; k++)
		if (same_id(&sim->takes[k].id, id))
			sim->takes[k].told = true;
}

/* A message that is stored counts, and no other: whether it was answered or not. Gone from the spool, and not in the
 * file yet: forgotten. */
static void
count_again(struct sim_take *t)
{
	bool in_file = wall_ms(t->at_ms) <= sim->usage_mark_ms;

	if (t->state == TAKE_OPEN)
		t->state = t->told ? TAKE_KEPT : TAKE_GONE;
	else if (t->state == TAKE_GONE && t->told && !in_file)
		t->state = TAKE_KEPT; /* refused, and yet on the disk: what lives counts */
	if (t->state == TAKE_GONE)
		return;
	t->known_ms = sim->mono_us / 1000;
	if (in_file || t->told)
		return;
	if (!t->may_forget)
		sim_fail("account %u: the usage file should have the recipients of %lld",
		    t->account, (long long)wall_ms(t->at_ms));
	t->state = TAKE_GONE;
	sim->forgotten++;
}

void
model_counts(void)
{
	for (unsigned k = 0; k < sim->take_count; k++)
		count_again(&sim->takes[k]);
	sim->counted = true;
}

/* ------------------------------------------------------------------ randomness and log -------- */

void __wrap_crypto_random(void *out, size_t len);
void __wrap_log_line(enum log_level level, const char *component, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void __wrap_log_line_fields(enum log_level level, const char *component,
    const struct log_field *fields, size_t count, const char *fmt, ...) PRINTF_LIKE(5, 6);

void
__wrap_crypto_random(void *out, size_t len)
{
	unsigned char *bytes = out;

	for (size_t i = 0; i < len; i++) {
		sim->crypto_random = sim->crypto_random * UINT64_C(6364136223846793005) +
				     UINT64_C(1442695040888963407);
		bytes[i] = (unsigned char)(sim->crypto_random >> 33);
	}
}

static void log_trace(const char *component, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

static void
log_trace(const char *component, const char *fmt, va_list args)
{
	char text[SIM_TRACE_LEN];

	(void)vsnprintf(text, sizeof text, fmt, args);
	sim_trace("log: %s: %s", component, text);
}

void
__wrap_log_line(enum log_level level, const char *component, const char *fmt, ...)
{
	va_list args;

	(void)level;
	va_start(args, fmt);
	log_trace(component, fmt, args);
	va_end(args);
}

void
__wrap_log_line_fields(enum log_level level, const char *component, const struct log_field *fields,
    size_t count, const char *fmt, ...)
{
	va_list args;

	(void)level;
	(void)fields;
	(void)count;
	va_start(args, fmt);
	log_trace(component, fmt, args);
	va_end(args);
}
