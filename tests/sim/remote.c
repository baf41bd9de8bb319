/* tests/sim/remote.c - the other side: an SMTP host that does what the seed says at every step.
 *
 * It may answer 4xx or 5xx, say 421 and go, close, reset, fall silent, talk rubbish, answer too early, and after the
 * final dot do any of that with or without having taken the message. It never says 250 for what it has not taken: a
 * host that lies cannot be told from one that does not. */
#include "config.h"

#include "sim.h"

#include <stdlib.h>

#include "util/buf.h"
#include "util/list.h"

enum {
	RCPTS_MAX = 100
};

enum state {
	COMMANDS,
	CONTENT,
	SILENT, /* or closed: hears nothing any more */
};

enum act {
	ACT_WELL,
	ACT_LATER,   /* 4xx */
	ACT_NEVER,   /* 5xx */
	ACT_GOODBYE, /* 421 and close */
	ACT_CLOSE,
	ACT_RESET,
	ACT_SILENT,
	ACT_RUBBISH,
	ACTS
};

/* A 250 to the final dot: when it is read, these are told. */
struct mark {
	struct list node;
	uint64_t upto;
	unsigned message;
	unsigned recipients; /* bits */
};

struct rcpt {
	char address[64];
	unsigned message, index;
};

struct remote {
	const struct remote_ops *ops;
	void *arg;
	unsigned host;
	enum state state;
	struct buf in, content;
	bool in_mail, mail_refused, early, tls;
	char sender[64];
	struct rcpt rcpts[RCPTS_MAX];
	size_t rcpt_count;
	uint64_t said;
	struct list marks;
};

struct remote *
remote_new(unsigned host, const struct remote_ops *ops, void *arg)
{
	struct remote *r = calloc(1, sizeof *r);

	if (r == NULL)
		abort();
	r->ops = ops;
	r->arg = arg;
	r->host = host;
	list_init(&r->marks);
	return r;
}

void
remote_free(struct remote *r)
{
	struct list *node;

	if (r == NULL)
		return;
	while ((node = list_pop(&r->marks)) != NULL)
		free(container_of(node, struct mark, node));
	buf_free(&r->in);
	buf_free(&r->content);
	free(r);
}

static enum act
choose(const struct remote *r)
{
	if (!sim_has(FAULT_NET) || sim->healed || !sim_chance(sim->plan.hosts[r->host].trouble))
		return ACT_WELL;
	return (enum act)(1 + sim_below(ACTS - 1));
}

static void
say(struct remote *r, const char *text)
{
	int64_t slow_ms = sim->plan.hosts[r->host].slow_ms;

	if (sim->healed && slow_ms > 1000)
		slow_ms = 1000;
	sim_trace("mx%u: %.*s", r->host, (int)strcspn(text, "\r\n"), text);
	r->said += strlen(text);
	r->ops->say(r->arg, span_of(text), sim_between(0, slow_ms));
}

static void
hang_up(struct remote *r, bool reset)
{
	sim_trace("mx%u: %s", r->host, reset ? "resets" : "closes");
	r->state = SILENT;
	r->ops->close(r->arg, reset, sim_between(0, 50));
}

/* The step goes wrong; true for what is a plain 4xx or 5xx, which the caller may want to know of. */
static void
misbehave(struct remote *r, enum act act, const char *later, const char *never)
{
	switch (act) {
	case ACT_LATER:
		say(r, later);
		break;
	case ACT_NEVER:
		say(r, never);
		break;
	case ACT_GOODBYE:
		say(r, "421 4.3.2 closing down\r\n");
		hang_up(r, false);
		break;
	case ACT_CLOSE:
	case ACT_RESET:
		hang_up(r, act == ACT_RESET);
		break;
	case ACT_SILENT:
		sim_trace("mx%u: says nothing", r->host);
		r->state = SILENT;
		break;
	default:
		say(r, sim_chance(500) ? "what do you want?\r\n" : "2x0 ok\r\n");
		r->state = SILENT;
	}
}

void
remote_greet(struct remote *r)
{
	enum act act = choose(r);

	if (act == ACT_WELL)
		say(r, "220 sim ESMTP\r\n");
	else
		misbehave(r, act, "450 4.3.2 too busy\r\n", "554 5.7.1 go away\r\n");
}

/* ------------------------------------------------------------------ the content --------------- */

static void
end_mail(struct remote *r)
{
	r->in_mail = r->mail_refused = r->early = false;
	r->rcpt_count = 0;
	buf_clear(&r->content);
}

static void
refuse_all(struct remote *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++)
		model_refused(r->rcpts[i].message, r->rcpts[i].index);
}

static void
take_report(struct remote *r, struct span text, struct mark *mark)
{
	static const char field[] = "Final-Recipient: rfc822; ";
	struct span rest = text, line;
	unsigned n, i;

	if (r->sender[0] != '\0')
		sim_fail("mail without a mark from <%s>", r->sender);
	mark->message = r->rcpts[0].message;
	while (span_next(&rest, '\n', &line)) {
		if (!span_istarts(line, span_of(field)))
			continue;
		line = span_trim_lines(span_skip(line, sizeof field - 1));
		if (!model_parse_address(line, &n, &i) || i == ~0U)
			sim_fail("a report names %.*s", SPAN_ARG(line));
		if (n != r->rcpts[0].message)
			sim_fail("a report on message %u goes to the sender of %u", n,
			    r->rcpts[0].message);
		model_reported(n, i);
	}
}

static void
take_mail(struct remote *r, unsigned n, struct span body, struct mark *mark)
{
	const struct sim_message *m = &sim->messages[n];

	if (body.len != m->body_len || model_hash(body) != m->body_hash)
		sim_fail("message %u arrives with a body of %zu bytes that is not its own (%u)", n,
		    body.len, m->body_len);
	mark->message = n;
	for (size_t k = 0; k < r->rcpt_count; k++) {
		const struct rcpt *rcpt = &r->rcpts[k];
		bool first;

		if (rcpt->message != n || rcpt->index == ~0U)
			sim_fail("message %u is sent to <%s>", n, rcpt->address);
		model_receipt(n, rcpt->index, &first);
		mark->recipients |= 1U << rcpt->index;
	}
}

/* Keep the message. */
static struct mark *
take(struct remote *r)
{
	struct span text = buf_span(&r->content), header, rest, line;
	const char *end = text.len > 0 ? memmem(text.p, text.len, "\r\n\r\n", 4) : NULL;
	struct mark *mark = calloc(1, sizeof *mark);
	uint64_t n = 0;
	bool marked = false;

	if (mark == NULL)
		abort();
	if (end == NULL)
		sim_fail("a message without an end of its header");
	list_init(&mark->node);
	header = span_first(text, (size_t)(end - text.p));
	for (rest = header; span_next(&rest, '\n', &line);)
		if (span_starts(line, SPAN_LIT("X-Sim: ")) &&
		    span_uint(span_trim_lines(span_skip(line, 7)), SIM_MESSAGES - 1, &n))
			marked = true;
	if (marked)
		take_mail(r, (unsigned)n, span_skip(text, header.len + 4), mark);
	else
		take_report(r, text, mark);
	return mark;
}

static void
content_over(struct remote *r)
{
	enum act act = choose(r);
	struct mark *mark = NULL;
	bool keeps = r->rcpt_count > 0 && !r->early &&
		     (act == ACT_WELL || (act >= ACT_CLOSE && sim_chance(500)));

	r->state = COMMANDS;
	if (r->early) { /* it has said all it had to say */
		end_mail(r);
		return;
	}
	if (keeps)
		mark = take(r);
	if (act == ACT_WELL && mark != NULL) {
		say(r, sim_chance(200) ? "250-2.0.0 taken\r\n250 2.0.0 queued\r\n"
				       : "250 2.0.0 queued\r\n");
		mark->upto = r->said;
		list_add_tail(&r->marks, &mark->node);
	} else if (act == ACT_WELL) {
		say(r, "554 5.5.1 no valid recipients\r\n");
	} else {
		if (act == ACT_NEVER)
			refuse_all(r);
		misbehave(r, act, "451 4.3.0 try again\r\n", "554 5.7.1 not wanted\r\n");
		free(mark);
	}
	end_mail(r);
}

static void
content_line(struct remote *r, struct span line)
{
	if (span_eq(line, SPAN_LIT(".\r\n"))) {
		content_over(r);
		return;
	}
	if (line.p[0] == '.')
		line = span_skip(line, 1);
	buf_add_span(&r->content, line);
	if (!r->early && sim_has(FAULT_NET) && !sim->healed &&
	    sim_below(20000) < sim->plan.hosts[r->host].trouble) {
		r->early = true;
		if (sim_chance(300)) {
			refuse_all(r);
			say(r, "552 5.2.2 mailbox full\r\n");
		} else {
			say(r, "451 4.3.0 no more, please\r\n");
		}
	}
}

/* ------------------------------------------------------------------ commands ------------------ */

static struct span
path_of(struct span line)
{
	size_t open = span_find(line, '<'), shut = span_find(line, '>');

	return shut > open ? span_first(span_skip(line, open + 1), shut - open - 1) : SPAN_EMPTY;
}

static void
on_ehlo(struct remote *r)
{
	const struct sim_host *host = &sim->plan.hosts[r->host];
	enum act act = choose(r);
	char text[256];

	if (act != ACT_WELL) {
		misbehave(r, act, "451 4.3.0 later\r\n", "502 5.5.1 what?\r\n");
		return;
	}
	(void)snprintf(text, sizeof text, "250-sim\r\n%s%s%s250 8BITMIME\r\n",
	    host->pipelining ? "250-PIPELINING\r\n" : "", host->size ? "250-SIZE 50000000\r\n" : "",
	    host->starttls && !r->tls ? "250-STARTTLS\r\n" : "");
	say(r, text);
}

static void
on_mail(struct remote *r, struct span line)
{
	enum act act = choose(r);
	unsigned n, i;

	end_mail(r);
	(void)span_copy(path_of(line), r->sender, sizeof r->sender);
	/* Whom it concerns is not known yet: from the sender, when there is one. */
	if (act == ACT_NEVER &&
	    (r->sender[0] == '\0' || !model_parse_address(span_of(r->sender), &n, &i)))
		act = ACT_LATER;
	if (act == ACT_NEVER)
		for (i = 0; i < sim->messages[n].recipient_count; i++)
			model_refused(n, i);
	r->in_mail = act == ACT_WELL;
	if (act == ACT_WELL)
		say(r, "250 2.1.0 ok\r\n");
	else
		misbehave(r, act, "450 4.7.1 greylisted\r\n", "550 5.7.1 not from you\r\n");
}

static bool
is_ours(const struct remote *r, unsigned n, unsigned i)
{
	const struct sim_message *m = &sim->messages[n];
	const struct sim_domain *d =
	    &sim->plan.domains[i == ~0U ? SIM_SENDERS_AT + m->account : m->recipients[i].domain];

	for (unsigned k = 0; k < d->host_count; k++)
		if (d->hosts[k] == r->host)
			return true;
	return false;
}

static void
on_rcpt(struct remote *r, struct span line)
{
	enum act act = choose(r);
	struct rcpt *rcpt = &r->rcpts[r->rcpt_count];
	struct span address = path_of(line);

	if (!span_copy(address, rcpt->address, sizeof rcpt->address) ||
	    !model_parse_address(address, &rcpt->message, &rcpt->index))
		sim_fail("mx%u is asked for <%.*s>", r->host, SPAN_ARG(address));
	if (!is_ours(r, rcpt->message, rcpt->index))
		sim_fail("mx%u gets <%s>, which is not its own", r->host, rcpt->address);
	if (!r->in_mail) {
		say(r, "503 5.5.1 no MAIL\r\n");
		return;
	}
	if (act == ACT_NEVER)
		model_refused(rcpt->message, rcpt->index);
	if (act == ACT_WELL) {
		if (r->rcpt_count < RCPTS_MAX - 1)
			r->rcpt_count++;
		say(r, "250 2.1.5 ok\r\n");
	} else {
		misbehave(r, act, "450 4.2.1 busy\r\n", "550 5.1.1 no such user\r\n");
	}
}

static void
on_data(struct remote *r)
{
	enum act act = choose(r);

	if (r->rcpt_count == 0 && sim_chance(500)) {
		say(r, "503 5.5.1 no recipients\r\n");
		return;
	}
	if (act == ACT_NEVER)
		refuse_all(r);
	if (act == ACT_WELL) {
		say(r, "354 go on\r\n");
		r->state = CONTENT;
	} else {
		misbehave(r, act, "451 4.3.0 not now\r\n", "554 5.6.0 never\r\n");
	}
}

static void
on_starttls(struct remote *r)
{
	say(r, sim_chance(900) ? "220 2.0.0 go ahead\r\n" : "454 4.7.0 not now\r\n");
}

static void
command(struct remote *r, struct span line)
{
	sim_trace("mx%u < %.*s", r->host, SPAN_ARG(span_trim_lines(line)));
	if (span_starts(line, SPAN_LIT("EHLO ")))
		on_ehlo(r);
	else if (span_starts(line, SPAN_LIT("HELO ")))
		say(r, "250 sim\r\n");
	else if (span_starts(line, SPAN_LIT("STARTTLS")))
		on_starttls(r);
	else if (span_starts(line, SPAN_LIT("MAIL FROM:<")))
		on_mail(r, line);
	else if (span_starts(line, SPAN_LIT("RCPT TO:<")))
		on_rcpt(r, line);
	else if (span_starts(line, SPAN_LIT("DATA")))
		on_data(r);
	else if (span_starts(line, SPAN_LIT("RSET"))) {
		end_mail(r);
		say(r, "250 2.0.0 ok\r\n");
	} else if (span_starts(line, SPAN_LIT("QUIT"))) {
		say(r, "221 2.0.0 bye\r\n");
		hang_up(r, false);
	} else {
		sim_fail("mx%u is told \"%.*s\"", r->host, SPAN_ARG(span_trim_lines(line)));
	}
}

void
remote_bytes(struct remote *r, struct span bytes)
{
	buf_add_span(&r->in, bytes);
	while (r->state != SILENT) {
		struct span in = buf_span(&r->in);
		size_t lf = span_find(in, '\n');
		struct span line = span_first(in, lf + 1);

		if (lf == in.len)
			return;
		if (r->state == CONTENT)
			content_line(r, line);
		else
			command(r, line);
		buf_consume(&r->in, lf + 1);
	}
}

void
remote_read(struct remote *r, uint64_t upto)
{
	while (!list_is_empty(&r->marks)) {
		struct mark *mark = container_of(r->marks.next, struct mark, node);

		if (mark->upto > upto)
			return;
		list_del(&mark->node);
		for (unsigned i = 0; i < SIM_RECIPIENTS; i++)
			if ((mark->recipients >> i & 1) != 0)
				model_told(mark->message, i);
		free(mark);
	}
}

void
remote_tls(struct remote *r)
{
	r->tls = true;
	end_mail(r);
	buf_clear(&r->in);
}

bool
remote_wants_tls(const struct remote *r)
{
	return r->state == COMMANDS && (sim->healed || sim_chance(800));
}
