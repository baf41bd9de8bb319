/* delivery/channel.c - drives a client (delivery/client.h) over a connection: hosts, handshake, content,
 * deadlines.
 *
 * Always true: `attempt` is NULL or will get exactly one finish(); without an attempt the connection is closed or idle in
 * CLIENT_READY. */
#include "config.h"

#include "delivery/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"

enum {
	CONNECTS_MAX = 5,
	FILE_CHUNK = 256 * 1024,
	INPUT_MAX = 128 * 1024
};

struct chunk_job {
	struct worker_job job;
	struct channel *channel; /* NULL: the channel has moved on */
	struct message *message;
	uint64_t at;
	size_t len;
	ssize_t got;
	char bytes[FILE_CHUNK];
};

struct channel {
	struct loop *loop;
	struct delivery_policy *policy;
	struct conn *conn;
	struct client client;
	struct attempt *attempt;
	struct client_mail mail;
	struct loop_msg close_msg, free_msg;
	struct timer step_timer, total_timer;

	/* Place in the list of hosts. */
	size_t host, address;
	unsigned connects;
	bool in_clear;		     /* the next connection does without TLS: it failed before */
	bool fresh;		     /* the connection was made for this attempt */
	struct outcome last;	     /* why the last host did not do */
	uint64_t mails;		     /* on this connection */
	bool verified;		     /* its certificate was checked */
	char peer[CONN_ADDRESS_LEN]; /* of the connection */
	char peer_name[256];
	unsigned peer_port;

	/* Content under way. */
	size_t piece;
	uint64_t piece_at, file_at;
	struct chunk_job *chunk;
	int64_t started_us, ready_us;
	bool closing;
};

static void connect_next(struct channel *channel);
static void pump(struct channel *channel, struct buf *out);

/* ------------------------------------------------------------------ small objects ------------- */

struct delivery_policy *
delivery_policy_ref(struct delivery_policy *policy)
{
	policy->refs++;
	return policy;
}

void
delivery_policy_unref(struct delivery_policy *policy)
{
	if (policy == NULL || --policy->refs > 0)
		return;
	config_unref(policy->config);
	tls_client_unref(policy->tls_client);
	free(policy->username);
	free(policy->password);
	free(policy);
}

struct attempt *
attempt_new(struct message *message, struct mx_result *hosts, const uint8_t *index, size_t count)
{
	struct attempt *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->index = malloc(count > 0 ? count : 1);
	a->recipients = calloc(count > 0 ? count : 1, sizeof *a->recipients);
	if (a->index == NULL || a->recipients == NULL) {
		free(a->index);
		free(a->recipients);
		free(a);
		return NULL;
	}
	a->message = message_ref(message);
	a->hosts = mx_result_ref(hosts);
	a->count = count;
	memcpy(a->index, index, count);
	for (size_t i = 0; i < count; i++)
		a->recipients[i].address = message->recipients[index[i]].address;
	return a;
}

void
attempt_free(struct attempt *attempt)
{
	if (attempt == NULL)
		return;
	message_unref(attempt->message);
	mx_result_unref(attempt->hosts);
	free(attempt->index);
	free(attempt->recipients);
	free(attempt);
}

/* ------------------------------------------------------------------ the end of an attempt ----- */

static void
run_done(struct loop_msg *msg)
{
	struct attempt *attempt = container_of(msg, struct attempt, msg);

	attempt->done(attempt);
}

static void
drop_connection(struct channel *channel, bool polite)
{
	if (channel->conn == NULL)
		return;
	if (polite) {
		conn_write(channel->conn, SPAN_LIT("QUIT\r\n"));
		conn_close(channel->conn);
	} else {
		conn_free(channel->conn);
	}
	channel->conn = NULL;
}

static void
stop_chunk(struct channel *channel)
{
	if (channel->chunk != NULL)
		channel->chunk->channel = NULL;
	channel->chunk = NULL;
}

static void
finish(struct channel *channel)
{
	struct attempt *attempt = channel->attempt;

	channel->attempt = NULL;
	timer_cancel(&channel->step_timer);
	timer_cancel(&channel->total_timer);
	stop_chunk(channel);
	if (channel->ready_us > 0) {
		attempt->report.setup_us = channel->ready_us - channel->started_us;
		attempt->report.transmit_us = clock_mono_us() - channel->ready_us;
	} else {
		attempt->report.setup_us = clock_mono_us() - channel->started_us;
	}
	if (channel->conn != NULL &&
	    (channel->client.state != CLIENT_READY ||
		channel->mails >=
		    (uint64_t)channel->policy->config->delivery.messages_per_connection))
		drop_connection(channel, channel->client.state >= CLIENT_READY);
	attempt->report.kept = channel->conn != NULL;
	attempt->msg.run = run_done;
	loop_post(channel->policy->core, &attempt->msg);
}

/* Every recipient without an outcome gets the last host's. */
static void
give_up(struct channel *channel)
{
	struct attempt *attempt = channel->attempt;
	outcome_set(&channel->last, OUTCOME_DEFERRED, 421, "4.4.1", "no host could be reached");
	for (size_t i = 0; i < attempt->count; i++)
		if (attempt->recipients[i].outcome.kind == OUTCOME_NONE)
			attempt->recipients[i].outcome = channel->last;
	finish(channel);
}

static void
note_failure(struct channel *channel, int code, const char *status, const char *text)
{
	channel->last.kind = OUTCOME_NONE;
	outcome_set(&channel->last, OUTCOME_DEFERRED, code, status, text);
}

/* ------------------------------------------------------------------ client and connection ----- */

static int64_t
step_ms(const struct channel *channel)
{
	const struct config *c = channel->policy->config;

	switch (channel->client.state) {
	case CLIENT_BODY:
		return c->delivery.data_ms;
	case CLIENT_FINAL:
		return c->delivery.final_ms;
	case CLIENT_TLS:
		return c->delivery.connect_ms;
	default:
		return c->delivery.command_ms;
	}
}

static void
note_tls(struct channel *channel)
{
	struct attempt_report *report = &channel->attempt->report;

	(void)snprintf(
	    report->tls_version, sizeof report->tls_version, "%s", conn_tls_version(channel->conn));
	(void)snprintf(
	    report->tls_cipher, sizeof report->tls_cipher, "%s", conn_tls_cipher(channel->conn));
}

/* The session is over before it could take the mail: the next address, or this one again when it was a kept
 * connection that failed. */
static void
host_failed(struct channel *channel)
{
	const struct outcome *end = &channel->client.end;

	if (end->kind != OUTCOME_NONE)
		channel->last = *end;
	drop_connection(channel, false);
	if (channel->fresh) {
		channel->in_clear = false;
		channel->address++;
	}
	connect_next(channel);
}

static void
begin_mail(struct channel *channel, struct buf *out)
{
	struct attempt *attempt = channel->attempt;
	struct message *m = attempt->message;

	channel->ready_us = clock_mono_us();
	channel->mail = (struct client_mail){ .sender = m->return_path,
		.recipients = attempt->recipients,
		.count = attempt->count,
		.size = m->size,
		.has_8bit = m->has_8bit };
	channel->piece = 0;
	channel->piece_at = channel->file_at = 0;
	channel->mails++;
	note_tls(channel);
	client_mail(&channel->client, &channel->mail, out);
}

/* A kept connection answered the mail with "421, idle too long": the host is well, and the message was not looked at. */
static bool
was_kept_too_long(const struct channel *channel)
{
	const struct client *client = &channel->client;

	return !channel->fresh && client->state == CLIENT_OVER && client->answered == 1 &&
	       client->end.code == 421 && client->end.remote;
}

/* As if the attempt had just begun, on a new connection. */
static void
begin_anew(struct channel *channel)
{
	struct attempt *attempt = channel->attempt;

	for (size_t i = 0; i < attempt->count; i++)
		attempt->recipients[i].outcome.kind = OUTCOME_NONE;
	attempt->report.reused = false;
	drop_connection(channel, false);
	channel->ready_us = 0;
	connect_next(channel);
}

/* After anything happened to the client: send what it wrote, see what it wants. */
static void
settle(struct channel *channel, struct buf *out)
{
	enum client_state state;

	if (channel->client.state == CLIENT_READY && channel->attempt != NULL &&
	    channel->ready_us == 0)
		begin_mail(channel, out);
	if (channel->client.state == CLIENT_BODY)
		pump(channel, out);
	state = channel->client.state;
	if (out->failed) {
		client_abort(&channel->client, OUTCOME_DEFERRED, 451, "4.3.0", "out of memory");
		state = CLIENT_OVER;
	}
	if (buf_len(out) > 0 && channel->conn != NULL)
		conn_write(channel->conn, buf_span(out));
	buf_free(out);
	if (channel->attempt == NULL) {
		if (state != CLIENT_READY && state != CLIENT_RSET)
			drop_connection(channel, true);
		return;
	}
	if (channel->ready_us != 0 && was_kept_too_long(channel)) {
		begin_anew(channel);
		return;
	}
	if (channel->ready_us != 0 &&
	    (state == CLIENT_READY || state == CLIENT_RSET || state == CLIENT_OVER)) {
		if (state != CLIENT_RSET)
			finish(channel);
		return; /* RSET: its reply makes the connection ready again, then it is finished */
	}
	if (state == CLIENT_OVER) {
		host_failed(channel);
		return;
	}
	timer_set(&channel->step_timer, step_ms(channel));
}

static void
on_tls(void *arg)
{
	struct channel *channel = arg;
	struct buf out = BUF_EMPTY;

	if (channel->policy->tls == TLS_POLICY_IMPLICIT)
		timer_set(&channel->step_timer, step_ms(channel)); /* the greeting comes now */
	else
		client_tls_done(&channel->client, &out);
	settle(channel, &out);
}

static bool
verifies(const struct channel *channel)
{
	return channel->attempt->tls >= TLS_POLICY_VERIFY;
}

static bool
start_tls(struct channel *channel)
{
	const struct mx_host *host = &channel->attempt->hosts->hosts[channel->host];
	size_t dropped = 0;
	enum rc rc = conn_start_tls_client(
	    channel->conn, channel->policy->tls_client, host->name, verifies(channel), &dropped);

	if (rc == RC_OK && dropped == 0)
		return true;
	/* Bytes behind the 220 were said in clear and would be taken as said in TLS. */
	client_abort(&channel->client, OUTCOME_DEFERRED, 421, "4.7.0",
	    dropped > 0 ? "the host sent bytes behind its reply to STARTTLS" : "out of memory");
	return false;
}

static size_t
on_data(void *arg, struct span in)
{
	struct channel *channel = arg;
	struct buf out = BUF_EMPTY;
	size_t used = 0, n;

	do {
		client_feed(&channel->client, span_skip(in, used), &n, &out);
		used += n;
		if (channel->client.state == CLIENT_TLS) {
			/* One reply of several may be in `in`: what follows the 220 is an injection. */
			if (used < in.len || !start_tls(channel)) {
				client_abort(&channel->client, OUTCOME_DEFERRED, 421, "4.7.0",
				    "the host sent bytes behind its reply to STARTTLS");
				used = in.len;
			}
		} else if (channel->client.state == CLIENT_BODY && n > 0) {
			pump(channel, &out);
		}
	} while (n > 0 && used < in.len && channel->client.state != CLIENT_OVER &&
		 channel->client.state != CLIENT_TLS);
	settle(channel, &out);
	return channel->conn != NULL ? used : in.len;
}

static void
on_connected(void *arg)
{
	struct channel *channel = arg;
	size_t dropped;

	timer_set(&channel->step_timer, channel->policy->config->delivery.connect_ms);
	if (channel->policy->tls != TLS_POLICY_IMPLICIT)
		return;
	if (conn_start_tls_client(channel->conn, channel->policy->tls_client,
		channel->attempt->hosts->hosts[channel->host].name, true, &dropped) != RC_OK) {
		struct buf out = BUF_EMPTY;

		client_abort(&channel->client, OUTCOME_DEFERRED, 421, "4.3.0", "out of memory");
		settle(channel, &out);
	}
}

/* A connection that ended: fall back to clear text after a failed handshake where that is allowed. */
static void
lost(struct channel *channel, int code, const char *status, const char *text)
{
	struct buf out = BUF_EMPTY;
	bool handshake = channel->client.state == CLIENT_TLS;

	if (channel->attempt == NULL) {
		drop_connection(channel, false);
		return;
	}
	if (channel->client.state == CLIENT_FINAL)
		channel->attempt->report.unknown = true;
	if (handshake && channel->attempt->tls == TLS_POLICY_OPPORTUNISTIC && !channel->in_clear) {
		note_failure(channel, code, status, text);
		drop_connection(channel, false);
		channel->in_clear = true;
		connect_next(channel);
		return;
	}
	/* A kept connection that died before it took the mail says nothing about the host. */
	if (!channel->fresh && channel->client.state == CLIENT_ENVELOPE &&
	    channel->client.answered == 0) {
		begin_anew(channel);
		return;
	}
	client_abort(&channel->client, OUTCOME_DEFERRED, code, status, text);
	drop_connection(channel, false);
	settle(channel, &out);
}

static void
on_end(void *arg, enum conn_end how, const char *why)
{
	struct channel *channel = arg;
	char text[OUTCOME_TEXT_MAX];
	bool connecting = channel->client.state == CLIENT_GREETING;
	const char *status = connecting ? "4.4.1" : "4.4.2";

	(void)how;
	if (channel->client.state == CLIENT_TLS) { /* RFC 3463: security, cryptographic failure */
		lost(channel, 421, "4.7.5", why);
		return;
	}
	(void)snprintf(text, sizeof text, "%s%s%s%s",
	    channel->client.state == CLIENT_FINAL ? "outcome unknown: " : "",
	    connecting ? "" : "connection lost after ",
	    connecting ? "" : client_state_name(channel->client.state), connecting ? "" : ": ");
	(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s", why);
	lost(channel, 421, status, text);
}

static void
on_step_deadline(void *arg)
{
	struct channel *channel = arg;
	char text[128];

	(void)snprintf(text, sizeof text, "timed out waiting for %s",
	    client_state_name(channel->client.state));
	lost(channel, 421, "4.4.2", text);
}

static void
on_total_deadline(void *arg)
{
	struct channel *channel = arg;
	struct buf out = BUF_EMPTY;

	if (channel->client.state == CLIENT_FINAL)
		channel->attempt->report.unknown = true;
	channel->address = SIZE_MAX / 2; /* no further host */
	client_abort(&channel->client, OUTCOME_DEFERRED, 421, "4.4.2",
	    "the attempt took longer than delivery.attempt allows");
	drop_connection(channel, false);
	note_failure(channel, 421, "4.4.2", "the attempt took longer than delivery.attempt allows");
	channel->host = MX_HOSTS_MAX;
	settle(channel, &out);
}

static void
on_drained(void *arg)
{
	struct channel *channel = arg;
	struct buf out = BUF_EMPTY;

	settle(channel, &out);
}

static const struct conn_ops conn_callbacks = {
	.on_data = on_data,
	.on_drained = on_drained,
	.on_connected = on_connected,
	.on_tls = on_tls,
	.on_end = on_end,
};

/* ------------------------------------------------------------------ connecting ---------------- */

enum binding {
	BIND_NONE,
	BIND_SOURCE,
	BIND_IMPOSSIBLE /* the source has no address of that family */
};

static enum binding
source_address(
    const struct delivery_policy *policy, int family, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	const char *text = family == AF_INET ? policy->source_ipv4 : policy->source_ipv6;
	bool good;

	memset(out, 0, sizeof *out);
	if (text[0] == '\0')
		return policy->is_pool ? BIND_IMPOSSIBLE : BIND_NONE;
	if (family == AF_INET) {
		v4->sin_family = AF_INET;
		*len = sizeof *v4;
		good = inet_pton(AF_INET, text, &v4->sin_addr) == 1;
	} else {
		v6->sin6_family = AF_INET6;
		*len = sizeof *v6;
		good = inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
	}
	return good ? BIND_SOURCE : BIND_IMPOSSIBLE;
}

static bool
try_address(struct channel *channel, const struct mx_host *host, const struct mx_address *address)
{
	const struct config *config = channel->policy->config;
	const struct sockaddr *to = (const struct sockaddr *)&address->addr;
	struct sockaddr_storage source;
	socklen_t source_len = 0;
	enum binding binding = source_address(channel->policy, to->sa_family, &source, &source_len);
	struct attempt_report *report = &channel->attempt->report;
	struct why why = WHY_EMPTY;
	struct client_options options = { .ehlo_name = channel->policy->ehlo_name,
		.username = channel->policy->username,
		.password = channel->policy->password,
		.tls = channel->in_clear ? TLS_POLICY_NONE : channel->attempt->tls,
		.in_tls = channel->policy->tls == TLS_POLICY_IMPLICIT };

	if (binding == BIND_IMPOSSIBLE) {
		if (channel->last.kind == OUTCOME_NONE)
			note_failure(channel, 421, "4.4.1",
			    "the source has no address for the hosts that were found");
		return false;
	}
	(void)snprintf(report->host, sizeof report->host, "%s", host->name);
	conn_format_address(to, channel->peer, &channel->peer_port);
	(void)snprintf(report->address, sizeof report->address, "%s", channel->peer);
	report->port = channel->peer_port;
	(void)snprintf(channel->peer_name, sizeof channel->peer_name, "%s", host->name);
	channel->connects++;
	channel->conn = conn_connect(channel->loop, to, address->len,
	    binding == BIND_SOURCE ? (const struct sockaddr *)&source : NULL, source_len, INPUT_MAX,
	    &conn_callbacks, channel, &why);
	if (channel->conn == NULL) {
		note_failure(channel, 421, "4.4.1", why.text);
		return false;
	}
	client_init(&channel->client, &options);
	channel->verified = verifies(channel);
	channel->fresh = true;
	channel->mails = 0;
	timer_set(&channel->step_timer, config->delivery.connect_ms);
	return true;
}

static void
connect_next(struct channel *channel)
{
	const struct mx_result *hosts = channel->attempt->hosts;

	while (channel->host < hosts->count && channel->connects < CONNECTS_MAX) {
		const struct mx_host *host = &hosts->hosts[channel->host];

		if (channel->address >= host->address_count) {
			channel->host++;
			channel->address = 0;
			channel->in_clear = false;
			continue;
		}
		if (try_address(channel, host, &host->addresses[channel->address]))
			return;
		channel->address++;
	}
	give_up(channel);
}

/* The connection may have been made for another domain of the same provider. */
static bool
is_host_of(const struct mx_result *hosts, const char *name)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (strcasecmp(hosts->hosts[i].name, name) == 0)
			return true;
	return false;
}

/* Whether the kept connection leads to a host of this mail, and is as safe as the message asks for. */
static bool
connection_fits(const struct channel *channel)
{
	enum config_tls_policy asked = channel->attempt->tls;

	if (!is_host_of(channel->attempt->hosts, channel->peer_name))
		return false;
	if (asked >= TLS_POLICY_REQUIRE && !conn_is_tls(channel->conn))
		return false;
	return asked < TLS_POLICY_VERIFY || channel->verified;
}

static void
start_attempt(struct loop_msg *msg)
{
	struct attempt *attempt = container_of(msg, struct attempt, msg);
	struct channel *channel = attempt->channel;
	struct buf out = BUF_EMPTY;

	channel->attempt = attempt;
	channel->host = channel->address = 0;
	channel->connects = 0;
	channel->in_clear = false;
	channel->last.kind = OUTCOME_NONE;
	channel->started_us = clock_mono_us();
	channel->ready_us = 0;
	timer_set(&channel->total_timer, channel->policy->config->delivery.attempt_ms);
	if (channel->closing) {
		give_up(channel);
		return;
	}
	if (channel->conn != NULL && !connection_fits(channel))
		drop_connection(channel, true);
	if (channel->conn == NULL) {
		connect_next(channel);
		return;
	}
	channel->fresh = false;
	attempt->report.reused = true;
	timer_set(&channel->step_timer, channel->policy->config->delivery.command_ms);
	(void)snprintf(attempt->report.host, sizeof attempt->report.host, "%s", channel->peer_name);
	(void)snprintf(
	    attempt->report.address, sizeof attempt->report.address, "%s", channel->peer);
	attempt->report.port = channel->peer_port;
	if (channel->client.state == CLIENT_READY)
		settle(channel, &out);
	else if (channel->client.state != CLIENT_RSET)
		host_failed(channel);
}

/* ------------------------------------------------------------------ content ------------------- */

static void
chunk_work(struct worker_job *job)
{
	struct chunk_job *chunk = container_of(job, struct chunk_job, job);

	do
		chunk->got =
		    pread(chunk->message->file_fd, chunk->bytes, chunk->len, (off_t)chunk->at);
	while (chunk->got < 0 && errno == EINTR);
}

static void
chunk_done(struct worker_job *job)
{
	struct chunk_job *chunk = container_of(job, struct chunk_job, job);
	struct channel *channel = chunk->channel;
	struct buf out = BUF_EMPTY;

	if (channel != NULL && channel->client.state == CLIENT_BODY) {
		channel->chunk = NULL;
		if (chunk->got <= 0) {
			client_abort(&channel->client, OUTCOME_DEFERRED, 451, "4.3.0",
			    "cannot read the message from the spool");
			drop_connection(channel, false); /* half a message must not be ended */
		} else {
			channel->file_at += (uint64_t)chunk->got;
			client_body(
			    &channel->client, span_make(chunk->bytes, (size_t)chunk->got), &out);
		}
		settle(channel, &out);
	}
	message_unref(chunk->message);
	free(chunk);
}

static void
read_chunk(struct channel *channel, struct message *m)
{
	struct chunk_job *chunk = malloc(sizeof *chunk);
	uint64_t left = m->file_size - channel->file_at;

	if (chunk == NULL) {
		client_abort(&channel->client, OUTCOME_DEFERRED, 451, "4.3.0", "out of memory");
		return;
	}
	chunk->channel = channel;
	chunk->message = message_ref(m);
	chunk->at = m->file_at + channel->file_at;
	chunk->len = left < FILE_CHUNK ? (size_t)left : FILE_CHUNK;
	chunk->job.home = channel->loop;
	chunk->job.work = chunk_work;
	chunk->job.done = chunk_done;
	channel->chunk = chunk;
	if (worker_submit(channel->policy->workers, &chunk->job) != RC_OK) {
		channel->chunk = NULL;
		message_unref(m);
		free(chunk);
		client_abort(
		    &channel->client, OUTCOME_DEFERRED, 451, "4.3.0", "the worker pool is full");
	}
}

/* Hand over content until the output is full, a file read is under way, or all is sent. */
static void
pump(struct channel *channel, struct buf *out)
{
	struct message *m = channel->attempt->message;

	while (channel->piece < m->piece_count) {
		struct span rest = span_skip(m->pieces[channel->piece], channel->piece_at);
		struct span part = span_first(rest, CONN_LOW_MARK);

		if (conn_unsent(channel->conn) + buf_len(out) > CONN_LOW_MARK)
			return; /* on_drained goes on */
		client_body(&channel->client, part, out);
		channel->piece_at += part.len;
		if (part.len == rest.len) {
			channel->piece++;
			channel->piece_at = 0;
		}
	}
	if (channel->chunk != NULL)
		return;
	if (m->file_fd >= 0 && channel->file_at < m->file_size) {
		if (conn_unsent(channel->conn) + buf_len(out) <= CONN_LOW_MARK)
			read_chunk(channel, m);
		return;
	}
	client_body_end(&channel->client, out);
}

/* ------------------------------------------------------------------ life ---------------------- */

struct channel *
channel_new(struct loop *loop, struct delivery_policy *policy)
{
	struct channel *channel = calloc(1, sizeof *channel);

	if (channel == NULL)
		return NULL;
	channel->loop = loop;
	channel->policy = delivery_policy_ref(policy);
	timer_init(&channel->step_timer, loop, on_step_deadline, channel);
	timer_init(&channel->total_timer, loop, on_total_deadline, channel);
	return channel;
}

void
channel_send(struct channel *channel, struct attempt *attempt)
{
	attempt->channel = channel;
	attempt->msg.run = start_attempt;
	loop_post(channel->loop, &attempt->msg);
}

static void
run_free(struct loop_msg *msg)
{
	struct channel *channel = container_of(msg, struct channel, free_msg);

	delivery_policy_unref(channel->policy);
	free(channel);
}

static void
run_close(struct loop_msg *msg)
{
	struct channel *channel = container_of(msg, struct channel, close_msg);

	channel->closing = true;
	if (channel->attempt != NULL) {
		channel->attempt->report.unknown |= channel->client.state == CLIENT_FINAL;
		client_abort(&channel->client, OUTCOME_DEFERRED, 421, "4.3.2", "shutting down");
		drop_connection(channel, false);
		give_up(channel);
	}
	drop_connection(channel, true);
	timer_cancel(&channel->step_timer);
	timer_cancel(&channel->total_timer);
	channel->free_msg.run = run_free;
	loop_post(channel->loop, &channel->free_msg);
}

void
channel_close(struct channel *channel)
{
	channel->close_msg.run = run_close;
	loop_post(channel->loop, &channel->close_msg);
}
