/* Unit tests of delivery/channel.c: attempts over loopback to scripted hosts, all on one loop. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/net/net_test.h"
#include "delivery/channel.h"
#include "net/listener.h"
#include "util/fsutil.h"

enum {
	STEPS_MAX = 24,
	SESSIONS_MAX = 4,
	INPUT_MAX = 256 * 1024
};

enum then {
	GO_ON,
	CLOSE,	 /* behind the reply */
	TLS,	 /* does the handshake */
	RUBBISH, /* answers the handshake with no TLS */
	DATA,	 /* content follows, up to the end of data, which is the next step */
	HANG	 /* says nothing more */
};

struct step {
	const char *command; /* how the line begins */
	const char *reply;   /* NULL: none */
	enum then then;
};

/* What a host does in one session, after its greeting. */
struct script {
	const char *greeting;
	enum then then;
	struct step steps[STEPS_MAX];
};

struct world;

struct session { /* of the host */
	struct world *world;
	const struct script *script;
	struct conn *conn;
	size_t step;
	bool in_data, hangs, no_tls;
};

struct world {
	struct loop *loop;
	struct worker_pool *workers;
	struct listener *listener;
	unsigned port;
	const struct script *scripts; /* one for each session, in order */
	struct session sessions[SESSIONS_MAX];
	unsigned session_count;
	struct buf content; /* all that came as content, still dot-stuffed */
	struct delivery_policy *policy;
	struct channel *channel;
	unsigned done, wanted;	      /* attempts */
	size_t dead, hosts;	      /* of each attempt */
	const char *text;	      /* of each message; NULL: a short one */
	int file_fd;		      /* where the body is, or 0 */
	struct attempt_report report; /* of the last one */
	struct buf outcomes;	      /* of all, one a line */
	struct give_up give_up;
};

static struct config *config;

/* ------------------------------------------------------------------ the host ------------------ */

static void
close_session(struct session *s)
{
	struct conn *conn = s->conn;

	s->conn = NULL;
	conn_close(conn);
}

static void
act(struct session *s, enum then then)
{
	size_t dropped;

	switch (then) {
	case GO_ON:
		break;
	case CLOSE:
		close_session(s);
		break;
	case TLS:
		assert_rc(conn_start_tls_server(s->conn, server_tls, &dropped), RC_OK);
		break;
	case RUBBISH:
		s->no_tls = true;
		break;
	case DATA:
		s->in_data = true;
		break;
	case HANG:
		s->hangs = true;
		break;
	}
}

static void
run_step(struct session *s, struct span line)
{
	const struct step *step = &s->script->steps[s->step++];

	assert_true(s->step <= STEPS_MAX);
	if (step->command == NULL || !span_starts(line, span_of(step->command)))
		fail_msg("step %zu: got %.*s", s->step, SPAN_ARG(line));
	if (step->reply != NULL)
		conn_write(s->conn, span_of(step->reply));
	act(s, step->then);
}

static size_t
host_on_data(void *arg, struct span in)
{
	struct session *s = arg;
	size_t used = 0;

	if (s->no_tls) {
		conn_write(s->conn, SPAN_LIT("this is not TLS\r\n"));
		s->hangs = true;
	}
	while (s->conn != NULL && !s->hangs && used < in.len) {
		struct span rest = span_skip(in, used);
		size_t lf = span_find(rest, '\n');
		struct span line = span_first(rest, lf + 1);

		if (lf == rest.len)
			break;
		used += line.len;
		if (s->in_data && !span_eq(line, SPAN_LIT(".\r\n"))) {
			buf_add_span(&s->world->content, line);
			continue;
		}
		s->in_data = false;
		run_step(s, line);
		if (s->conn != NULL && s->script->steps[s->step - 1].then == TLS)
			break;
	}
	return s->hangs ? in.len : used;
}

static void
host_on_end(void *arg, enum conn_end how, const char *why)
{
	struct session *s = arg;

	(void)how;
	(void)why;
	conn_free(s->conn);
	s->conn = NULL;
}

static void
ignore(void *arg)
{
	(void)arg;
}

static const struct conn_ops host_ops = { host_on_data, NULL, ignore, ignore, host_on_end };

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct world *w = arg;
	struct session *s = &w->sessions[w->session_count];

	(void)peer;
	(void)len;
	assert_true(w->session_count < SESSIONS_MAX);
	*s = (struct session){ .world = w, .script = &w->scripts[w->session_count++] };
	assert_non_null(s->script->greeting);
	s->conn = conn_new(w->loop, fd, INPUT_MAX, &host_ops, s);
	assert_non_null(s->conn);
	conn_write(s->conn, span_of(s->script->greeting));
	act(s, s->script->then);
}

/* ------------------------------------------------------------------ our side ------------------ */

static void
begin(struct world *w, const struct script *scripts, enum config_tls_policy tls)
{
	struct why why = WHY_EMPTY;
	struct sockaddr_in addr;

	*w = (struct world){ .scripts = scripts };
	w->loop = loop_new("test", &why);
	w->workers = worker_pool_new(0, 1, &why);
	assert_true(w->loop != NULL && w->workers != NULL);
	give_up_begin(&w->give_up, w->loop);
	w->listener =
	    listener_new(w->loop, listen_somewhere(&addr, SOCK_NONBLOCK), NULL, on_accept, w, &why);
	assert_non_null(w->listener);
	w->port = listener_port(w->listener);
	w->policy = calloc(1, sizeof *w->policy);
	assert_non_null(w->policy);
	*w->policy = (struct delivery_policy){ .refs = 1,
		.config = config_ref(config),
		.tls_client = tls_client_ref(client_tls),
		.workers = w->workers,
		.core = w->loop,
		.tls = tls,
		.ehlo_name = config->hostname,
		.source_ipv4 = "",
		.source_ipv6 = "",
		.username = span_dup(SPAN_EMPTY),
		.password = span_dup(SPAN_EMPTY) };
	w->channel = channel_new(w->loop, w->policy);
	assert_non_null(w->channel);
}

static void
add_host(struct mx_result *result, unsigned port)
{
	struct mx_host *host = &result->hosts[result->count++];
	struct sockaddr_in *addr = (struct sockaddr_in *)&host->addresses[0].addr;

	(void)snprintf(host->name, sizeof host->name, "mx%zu.example.net", result->count);
	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	host->addresses[0].len = sizeof *addr;
	host->address_count = 1;
}

#define CONTENT "From: a@example.com\r\n\r\n.hello\r\n"

static struct message *
new_message(const char *content)
{
	struct message *m = message_new();

	assert_non_null(m);
	assert_rc(message_set(&m->return_path, SPAN_LIT("a@example.com")), RC_OK);
	assert_rc(message_add_recipient(m, SPAN_LIT("b@example.net"), SPAN_EMPTY, 0), RC_OK);
	assert_rc(message_add_recipient(m, SPAN_LIT("c@example.net"), SPAN_EMPTY, 0), RC_OK);
	m->pieces = calloc(1, sizeof *m->pieces);
	assert_non_null(m->pieces);
	m->pieces[0] = span_of(content);
	m->piece_count = 1;
	m->size = m->pieces[0].len;
	return m;
}

static void start(struct world *w);

static void
on_done(struct attempt *attempt)
{
	struct world *w = attempt->owner;
	const struct outcome *outcome = &attempt->recipients[0].outcome;
	char text[OUTCOME_TEXT_MAX + 64];

	assert_ptr_equal(attempt->channel, w->channel);
	outcome_format(outcome, text, sizeof text);
	buf_addf(&w->outcomes, "%s %s\n", outcome_kind_name(outcome->kind), text);
	w->report = attempt->report;
	attempt_free(attempt);
	if (++w->done < w->wanted)
		start(w);
	else
		loop_stop(w->loop);
}

/* One more attempt, at our hosts behind dead ones where nobody listens. */
static void
start(struct world *w)
{
	static const uint8_t index[] = { 0 };
	struct message *m = new_message(w->text != NULL ? w->text : CONTENT);
	struct mx_result *result =
	    calloc(1, sizeof *result + (w->dead + w->hosts) * sizeof result->hosts[0]);
	struct attempt *attempt;

	assert_non_null(result);
	result->refs = 1;
	for (size_t i = 0; i < w->dead; i++)
		add_host(result, 22999);
	for (size_t i = 0; i < w->hosts; i++)
		add_host(result, w->port);
	if (w->file_fd > 0) {
		m->file_fd = dup(w->file_fd);
		m->file_at = 10;
		m->file_size = (uint64_t)lseek(w->file_fd, 0, SEEK_END) - 10;
		m->size += m->file_size;
	}
	attempt = attempt_new(m, result, index, 1);
	assert_non_null(attempt);
	attempt->tls = w->policy->tls;
	attempt->done = on_done;
	attempt->owner = w;
	mx_result_unref(result);
	message_unref(m);
	channel_send(w->channel, attempt);
}

static void
run(struct world *w, unsigned attempts, const char *want)
{
	w->wanted = attempts;
	if (w->dead + w->hosts == 0)
		w->hosts = 1;
	start(w);
	give_up_run(&w->give_up);
	assert_int_equal(w->done, attempts);
	assert_string_equal(buf_cstr(&w->outcomes), want);
}

static void
finish(struct world *w)
{
	channel_close(w->channel);
	delivery_policy_unref(w->policy);
	timer_cancel(&w->give_up.timer);
	for (unsigned i = 0; i < w->session_count; i++)
		conn_free(w->sessions[i].conn);
	listener_free(w->listener);
	worker_pool_free(w->workers);
	loop_free(w->loop); /* runs what was posted: the channel goes */
	buf_free(&w->content);
	buf_free(&w->outcomes);
}

/* ------------------------------------------------------------------ the scripts --------------- */

#define GREETING "220 mx\r\n"
#define OFFER \
	{ \
		"EHLO us.example", "250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n", GO_ON \
	}
#define SLOW \
	{ \
		"EHLO us.example", "250 mx\r\n", GO_ON \
	}
#define STARTTLS \
	{ \
		"EHLO us.example", "250-mx\r\n250 STARTTLS\r\n", GO_ON \
	}
#define MAIL \
	{ \
		"MAIL FROM:<a@example.com>", "250 ok\r\n", GO_ON \
	}
#define RCPT \
	{ \
		"RCPT TO:<b@example.net>", "250 ok\r\n", GO_ON \
	}
#define DATA_OK \
	{ \
		"DATA", "354 go\r\n", DATA \
	}
#define QUEUED \
	{ \
		".", "250 2.0.0 queued\r\n", GO_ON \
	}
#define MESSAGE MAIL, RCPT, DATA_OK, QUEUED
#define QUIT \
	{ \
		"QUIT", "221 bye\r\n", CLOSE \
	}
#define SENT	"sent 250 2.0.0 queued\n"
#define STUFFED "From: a@example.com\r\n\r\n..hello\r\n"

static void
test_reuse(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON, { OFFER, MESSAGE, MESSAGE, QUIT } } };
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 2, SENT SENT);
	assert_int_equal(w.session_count, 1);
	assert_true(w.report.reused);
	assert_string_equal(w.report.host, "mx1.example.net");
	assert_string_equal(w.report.address, "127.0.0.1");
	assert_string_equal(w.report.tls_version, "");
	assert_string_equal(buf_cstr(&w.content), STUFFED STUFFED);
	finish(&w);
}

/* A recipient refused is no reason to hang up. */
static void
test_reset_and_reuse(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON,
	    { SLOW, MAIL, { "RCPT", "550 5.1.1 unknown\r\n", GO_ON },
		{ "RSET", "250 ok\r\n", GO_ON }, MESSAGE, QUIT } } };
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 2, "bounced 550 5.1.1 unknown\n" SENT);
	assert_int_equal(w.session_count, 1);
	finish(&w);
}

/* Hosts that cannot be reached or do not want us are passed over. */
static void
test_next_host(void **state)
{
	const struct script scripts[] = { { "554 5.3.2 no service\r\n", CLOSE,
					      { { NULL, NULL, GO_ON } } },
		{ "220 mx\r\n", CLOSE, { { NULL, NULL, GO_ON } } },
		{ GREETING, GO_ON, { OFFER, MESSAGE, QUIT } } };
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	w.dead = 2;
	w.hosts = 3;
	run(&w, 1, SENT);
	assert_int_equal(w.session_count, 3);
	assert_string_equal(w.report.host, "mx5.example.net");
	finish(&w);
	/* When none is left, the last one's words are the reason. */
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	w.dead = 1;
	w.hosts = 1;
	run(&w, 1, "deferred 554 5.3.2 no service\n");
	finish(&w);
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	w.dead = 9; /* no more than five are asked */
	run(&w, 1, "deferred 421 4.4.1 connect: Connection refused\n");
	finish(&w);
}

/* ------------------------------------------------------------------ TLS ----------------------- */

static void
test_tls(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON,
	    { STARTTLS, { "STARTTLS", "220 go\r\n", TLS }, OFFER, MESSAGE, QUIT } } };
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 1, SENT);
	assert_string_equal(w.report.tls_version, "TLSv1.3");
	finish(&w);
	begin(&w, scripts, TLS_POLICY_REQUIRE);
	run(&w, 1, SENT);
	finish(&w);
}

/* A handshake that fails: in clear on a new connection where the policy allows, else not at all. */
static void
test_tls_fails(void **state)
{
	const struct script scripts[] = {
		{ GREETING, GO_ON, { STARTTLS, { "STARTTLS", "220 go\r\n", RUBBISH } } },
		{ GREETING, GO_ON, { STARTTLS, MESSAGE, QUIT } },
	};
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 1, SENT);
	assert_int_equal(w.session_count, 2);
	assert_string_equal(w.report.tls_version, "");
	finish(&w);
	begin(&w, scripts, TLS_POLICY_REQUIRE);
	w.wanted = 1;
	w.hosts = 1;
	start(&w);
	loop_run(w.loop);
	assert_int_equal(w.done, 1);
	assert_true(
	    span_starts(buf_span(&w.outcomes), SPAN_LIT("deferred 421 4.7.5 TLS handshake")));
	assert_int_equal(buf_len(&w.content), 0);
	finish(&w);
}

/* Replies said in clear behind the 220 are never taken as said in TLS. */
static void
test_injected_replies(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON,
	    { STARTTLS, { "STARTTLS", "220 go\r\n250 injected\r\n250 ok\r\n", HANG } } } };
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 1, "deferred 421 4.7.0 the host sent bytes behind its reply to STARTTLS\n");
	finish(&w);
}

/* ------------------------------------------------------------------ lost ---------------------- */

/* Nobody knows whether it has arrived: said so, and tried again later. */
static void
test_unknown(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON,
	    { OFFER, MAIL, RCPT, DATA_OK, { ".", NULL, CLOSE } } } };
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 1,
	    "deferred 421 4.4.2 outcome unknown: connection lost after end of data: connection "
	    "closed "
	    "by peer\n");
	assert_true(w.report.unknown);
	finish(&w);
}

static void
test_lost_early(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON, { OFFER, { "MAIL", NULL, CLOSE } } } };
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	w.wanted = 1;
	w.hosts = 1;
	start(&w);
	loop_run(w.loop);
	assert_int_equal(w.done, 1);
	assert_true(span_starts(
	    buf_span(&w.outcomes), SPAN_LIT("deferred 421 4.4.2 connection lost after MAIL: ")));
	assert_false(w.report.unknown);
	finish(&w);
}

/* 250 and the end of the connection together: delivered, once. */
static void
test_answer_and_end(void **state)
{
	const struct script scripts[] = {
		{ GREETING, GO_ON,
		    { OFFER, MAIL, RCPT, DATA_OK, { ".", "250 2.0.0 queued\r\n", CLOSE } } },
		{ GREETING, GO_ON,
		    { OFFER, MAIL, RCPT, DATA_OK,
			{ ".", "250 2.0.0 queued\r\n421 bye\r\n", CLOSE } } },
		{ GREETING, GO_ON, { OFFER, MESSAGE, QUIT } },
	};
	struct world w;

	(void)state;
	/* The kept connection that has gone says nothing about the host: the next message makes a new one. */
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 3, SENT SENT SENT);
	assert_int_equal(w.session_count, 3);
	assert_string_equal(buf_cstr(&w.content), STUFFED STUFFED STUFFED);
	finish(&w);
}

/* A host that has got tired of waiting says so when it is spoken to: the message is not to blame. */
static void
test_kept_too_long(void **state)
{
	const struct script scripts[] = {
		{ GREETING, GO_ON,
		    { OFFER, MESSAGE, { "MAIL", "421 4.4.2 idle too long\r\n", CLOSE } } },
		{ GREETING, GO_ON, { OFFER, { "MAIL", "421 4.3.2 stopping\r\n", CLOSE } } },
	};
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 2, SENT "deferred 421 4.3.2 stopping\n"); /* on a new one it counts */
	assert_int_equal(w.session_count, 2);
	assert_false(w.report.reused);
	finish(&w);
}

/* ------------------------------------------------------------------ content ------------------- */

static void
test_large(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON, { OFFER, MESSAGE, MESSAGE, QUIT } } };
	char name[] = "/tmp/postrider-channel-XXXXXX";
	struct buf body = BUF_EMPTY, want = BUF_EMPTY;
	struct dot_encoder dots;
	struct why why = WHY_EMPTY;
	struct world w;
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	(void)unlink(name);
	buf_addf(&body, "0123456789"); /* what is in front of file_at is not sent */
	for (int i = 0; i < 40000; i++)
		buf_addf(&body, "%s%060d\r\n", i % 7 == 0 ? "." : "", i);
	assert_rc(fsutil_write_all(fd, buf_span(&body).p, buf_len(&body), &why), RC_OK);
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	w.file_fd = fd;
	w.text = "From: a@example.com\r\n\r\n";
	run(&w, 2, SENT SENT);
	for (int i = 0; i < 2; i++) {
		dot_encoder_init(&dots);
		buf_addf(&want, "%s", w.text);
		dot_encode(&dots, span_skip(buf_span(&body), 10), &want);
	}
	assert_true(span_eq(buf_span(&w.content), buf_span(&want)));
	buf_free(&body);
	buf_free(&want);
	(void)close(fd);
	finish(&w);
}

/* ------------------------------------------------------------------ time and ends ------------- */

/* Each step has its second. */
static void
test_deadlines(void **state)
{
	const struct script scripts[] = { { "", HANG, { { NULL, NULL, GO_ON } } },
		{ GREETING, GO_ON, { OFFER, { "MAIL", NULL, HANG } } },
		{ GREETING, GO_ON, { OFFER, MAIL, RCPT, DATA_OK, { ".", NULL, HANG } } } };
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	run(&w, 3,
	    "deferred 421 4.4.2 timed out waiting for greeting\n"
	    "deferred 421 4.4.2 timed out waiting for MAIL\n"
	    "deferred 421 4.4.2 timed out waiting for end of data\n");
	assert_true(w.report.unknown);
	finish(&w);
}

/* The whole attempt has its time, too. Behind the end of data nobody knows what came of it. */
static void
test_attempt_deadline(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON,
	    { OFFER, MAIL, RCPT, DATA_OK, { ".", NULL, HANG } } } };
	struct config *old = config;
	struct world w;

	(void)state;
	config = must_parse("hostname = \"us.example\";");
	config->delivery.attempt_ms = 1000; /* less than the schema takes */
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	w.hosts = 2; /* no other host is asked */
	run(&w, 1, "deferred 421 4.4.2 the attempt took longer than delivery.attempt allows\n");
	assert_int_equal(w.session_count, 1);
	assert_true(w.report.unknown);
	finish(&w);
	config_unref(config);
	config = old;
}

static void
close_in_between(void *arg)
{
	struct world *w = arg;

	channel_close(w->channel);
}

static void
test_close(void **state)
{
	const struct script scripts[] = { { GREETING, GO_ON, { OFFER, { "MAIL", NULL, HANG } } } };
	struct timer timer;
	struct world w;

	(void)state;
	begin(&w, scripts, TLS_POLICY_OPPORTUNISTIC);
	timer_init(&timer, w.loop, close_in_between, &w);
	timer_set(&timer, 100);
	run(&w, 1, "deferred 421 4.3.2 shutting down\n");
	w.channel = channel_new(w.loop, w.policy); /* for finish() */
	finish(&w);
}

/* ------------------------------------------------------------------ set-up -------------------- */

static int
set_up(void **state)
{
	(void)state;
	config = tls_set_up(
	    "us.example", "delivery: { connect = \"1s\"; command = \"1s\"; final = \"1s\"; };");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	config_unref(config);
	return tls_tear_down();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_reset_and_reuse),
		cmocka_unit_test(test_next_host),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_tls_fails),
		cmocka_unit_test(test_injected_replies),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_lost_early),
		cmocka_unit_test(test_answer_and_end),
		cmocka_unit_test(test_kept_too_long),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_attempt_deadline),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
