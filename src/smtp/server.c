/* smtp/server.c - between sockets and sessions.
 *
 * Thread rules: struct smtp_server belongs to the core loop, but for its atomics; a struct client to its connection loop
 * from start() to gone(), to the core before and after. */
#include "config.h"

#include "smtp/server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/listener.h"
#include "net/proxied.h"
#include "smtp/session.h"
#include "util/fsutil.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/network.h"

enum {
	INPUT_MAX = 96 * 1024,
	UNSENT_MAX = 32 * 1024
};

#define TOO_MANY "421 Too many concurrent SMTP connections\r\n"

struct context {
	atomic_uint refs;
	struct config *config;
	struct credential_table *credentials;
	struct tls_server *tls;
};

/* What belongs to one connection loop. */
struct home {
	struct smtp_server *server;
	struct loop *loop;
	struct list clients;
	struct list handshaking; /* clients, oldest first */
	struct loop_msg stop_msg, cut_msg;
	bool stopping;
};

struct door { /* one listening socket */
	struct list node;
	struct smtp_server *server;
	struct listener *listener;
	char *name;
	enum config_tls_mode tls;
	bool auth_without_tls;
	struct network *proxies; /* who may connect, when it is load balancers that do */
	size_t proxy_count;
	struct proxied *proxied;
};

struct address { /* how many connections a peer has open */
	char text[CONN_ADDRESS_LEN];
	unsigned count;
};

struct smtp_server {
	struct smtp_server_options options;
	struct context *context;
	struct home *homes;
	size_t next_home;
	struct list doors;
	struct map addresses;
	_Atomic uint64_t sessions;
	atomic_int handshakes;
	_Atomic int64_t body_bytes;
	bool stopping;
	void (*on_empty)(void *arg);
	void *on_empty_arg;
};

struct client {
	struct list node;
	struct list handshake; /* in home->handshaking */
	struct loop_msg msg;
	struct smtp_server *server;
	struct home *home;
	struct context *context;
	struct door *door;
	struct address *address;
	char peer[CONN_ADDRESS_LEN];
	int fd;
	struct conn *conn;
	struct session *session;
	struct timer deadline, delay;
	struct buf out;
	uint64_t progress;
	unsigned waiting; /* results that are still to come */
	bool ended;
	bool in_handshake;
};

/* ------------------------------------------------------------------ context ------------------- */

static struct context *
context_ref(struct context *context)
{
	context->refs++;
	return context;
}

static void
context_unref(struct context *context)
{
	if (context == NULL || --context->refs > 0)
		return;
	config_unref(context->config);
	credential_table_unref(context->credentials);
	tls_server_unref(context->tls);
	free(context);
}

enum rc
smtp_server_configure(struct smtp_server *server, struct config *config,
    struct credential_table *credentials, struct tls_server *tls)
{
	struct context *context = calloc(1, sizeof *context);

	if (context == NULL)
		return RC_LATER;
	context->refs = 1;
	context->config = config_ref(config);
	context->credentials = credential_table_ref(credentials);
	context->tls = tls_server_ref(tls);
	context_unref(server->context);
	server->context = context;
	return RC_OK;
}

/* ------------------------------------------------------------------ the end of a client ------- */

static void
check_empty(struct smtp_server *server)
{
	if (server->stopping && server->sessions == 0 && server->on_empty != NULL) {
		void (*on_empty)(void *arg) = server->on_empty;

		server->on_empty = NULL;
		on_empty(server->on_empty_arg);
	}
}

/* On the core: the last of it. */
static void
gone(struct loop_msg *msg)
{
	struct client *client = container_of(msg, struct client, msg);
	struct smtp_server *server = client->server;

	if (--client->address->count == 0) {
		(void)map_del(&server->addresses, span_of(client->address->text));
		free(client->address);
	}
	context_unref(client->context);
	free(client);
	server->sessions--;
	check_empty(server);
}

/* On the home loop, when the callbacks under way have returned. */
static void
run_leave(struct loop_msg *msg)
{
	struct client *client = container_of(msg, struct client, msg);

	list_del(&client->node);
	timer_cancel(&client->deadline);
	timer_cancel(&client->delay);
	session_free(client->session);
	buf_free(&client->out);
	client->msg.run = gone;
	loop_post(client->server->options.core, &client->msg);
}

static void
leave(struct client *client)
{
	client->msg.run = run_leave;
	loop_post(client->home->loop, &client->msg);
}

static void
handshake_over(struct client *client)
{
	if (client->in_handshake)
		client->server->handshakes--;
	client->in_handshake = false;
	list_del(&client->handshake);
}

/* The connection is done with; the object stays until results under way have come back. */
static void
end_client(struct client *client)
{
	if (client->ended)
		return;
	client->ended = true;
	handshake_over(client);
	timer_cancel(&client->deadline);
	timer_cancel(&client->delay);
	if (client->waiting == 0)
		leave(client);
}

static void
close_client(struct client *client)
{
	if (client->ended)
		return;
	conn_close(client->conn);
	client->conn = NULL;
	end_client(client);
}

/* ------------------------------------------------------------------ after every step ---------- */

/* Cut: the connection goes without a word. */
static void
drop_client(struct client *client)
{
	conn_free(client->conn);
	client->conn = NULL;
	end_client(client);
}

/* A good client's handshake is over soon: of too many at once, the oldest are the ones that hang. */
static bool
make_room_for_handshake(struct home *home, int64_t max)
{
	if (home->server->handshakes < max)
		return true;
	if (list_is_empty(&home->handshaking))
		return false;
	drop_client(container_of(home->handshaking.next, struct client, handshake));
	return true;
}

static void
begin_handshake(struct client *client)
{
	const struct config *config = client->context->config;
	size_t dropped = 0;

	if (!make_room_for_handshake(client->home, config->smtp.max_handshakes) ||
	    conn_start_tls_server(client->conn, client->context->tls, &dropped) != RC_OK ||
	    dropped > 0) { /* bytes behind STARTTLS were said in clear: never run them */
		drop_client(client);
		return;
	}
	client->in_handshake = true;
	client->server->handshakes++;
	list_add_tail(&client->home->handshaking, &client->handshake);
	timer_set(&client->deadline, config->smtp.handshake_ms);
}

static void
watch_deadline(struct client *client)
{
	if (session_want(client->session) == SESSION_WAIT) {
		timer_cancel(&client->deadline);
		client->progress = 0;
		return;
	}
	if (session_progress(client->session) == client->progress)
		return;
	client->progress = session_progress(client->session);
	timer_set(&client->deadline, session_deadline_ms(client->session));
}

static void
settle(struct client *client, bool input_left)
{
	/* A session that had a transaction at the stop goes when that is over, whatever came of it. */
	if (client->home->stopping && session_want(client->session) == SESSION_READ &&
	    !session_in_transaction(client->session))
		session_shutdown(client->session, &client->out);
	if (client->out.failed) {
		close_client(client);
		return;
	}
	if (buf_len(&client->out) > 0)
		conn_write(client->conn, buf_span(&client->out));
	if (client->ended)
		return; /* conn_write may have found the connection lost */
	buf_free(&client->out);
	watch_deadline(client);
	switch (session_want(client->session)) {
	case SESSION_READ:
		if (conn_unsent(client->conn) > UNSENT_MAX)
			conn_pause(client->conn);
		else
			conn_resume(client->conn);
		break;
	case SESSION_WAIT:
		conn_pause(client->conn);
		break;
	case SESSION_PAUSE:
		conn_pause(client->conn);
		timer_set(&client->delay, session_delay_ms(client->session));
		break;
	case SESSION_STARTTLS:
		if (input_left) {
			log_line(LOG_LEVEL_WARNING, "smtpd",
			    "%s: commands sent behind STARTTLS in clear text: connection dropped",
			    client->peer);
			drop_client(client);
			break;
		}
		begin_handshake(client);
		break;
	case SESSION_CLOSE:
		close_client(client);
		break;
	}
}

static size_t
on_data(void *arg, struct span in)
{
	struct client *client = arg;
	size_t used;

	used = session_feed(client->session, in, &client->out);
	settle(client, used < in.len);
	return client->ended ? in.len : used;
}

static void
on_drained(void *arg)
{
	struct client *client = arg;

	if (session_want(client->session) == SESSION_READ)
		conn_resume(client->conn);
}

static void
on_tls(void *arg)
{
	struct client *client = arg;

	handshake_over(client);
	timer_set(&client->deadline, client->context->config->smtp.idle_ms);
	if (client->door->tls == TLS_MODE_IMPLICIT)
		session_greet(client->session, &client->out);
	else
		session_tls_started(client->session);
	settle(client, false);
}

static void
on_end(void *arg, enum conn_end how, const char *why)
{
	struct client *client = arg;

	if (how == CONN_ERROR)
		log_line(LOG_LEVEL_DEBUG, "smtpd", "%s: %s", client->peer, why);
	drop_client(client);
}

static const struct conn_ops conn_callbacks = {
	.on_data = on_data,
	.on_drained = on_drained,
	.on_tls = on_tls,
	.on_end = on_end,
};

static void
on_deadline(void *arg)
{
	struct client *client = arg;

	if (client->in_handshake) {
		drop_client(client);
		return;
	}
	session_timeout(client->session, &client->out);
	settle(client, false);
}

static void
on_delay(void *arg)
{
	struct client *client = arg;

	session_resume(client->session, &client->out);
	settle(client, false);
}

/* ------------------------------------------------------------------ what sessions ask for ----- */

/* A result has come back; false when nobody waits for it any more. */
static bool
result_is_wanted(struct client *client)
{
	client->waiting--;
	if (!client->ended)
		return true;
	if (client->waiting == 0)
		leave(client);
	return false;
}

static void
host_check_credential(void *arg, const char *id, const char *password)
{
	struct client *client = arg;
	struct login login = { "", PROFILE_SES };
	const char *reason = "";
	enum rc rc = credentials_check(client->context->credentials,
	    client->server->options.credentials, id, password, &login, &reason);

	session_auth_result(client->session, rc, &login, reason, &client->out);
}

static void
on_submitted(struct submission *s)
{
	struct client *client = s->owner;

	if (result_is_wanted(client)) {
		session_submit_result(client->session, s, &client->out);
		submission_free(s);
		settle(client, false);
		return;
	}
	submission_free(s);
}

static void
host_submit(void *arg, struct submission *s)
{
	struct client *client = arg;

	s->owner = client;
	s->done = on_submitted;
	client->waiting++;
	submit_start(client->server->options.submit, s);
}

struct spill_job {
	struct worker_job job;
	struct client *client;
	struct submission *submission;
	struct buf bytes;
	enum rc rc;
	struct why why;
};

static void
spill_work(struct worker_job *job)
{
	struct spill_job *spill = container_of(job, struct spill_job, job);
	struct submission *s = spill->submission;

	if (s->file_fd < 0)
		s->file_fd = spool_large_create(
		    spill->client->server->options.spool, s->file_name, &spill->why);
	spill->rc = s->file_fd < 0 ? RC_LATER
				   : fsutil_write_all(s->file_fd, buf_span(&spill->bytes).p,
					 buf_len(&spill->bytes), &spill->why);
}

static void
spill_done(struct worker_job *job)
{
	struct spill_job *spill = container_of(job, struct spill_job, job);
	struct client *client = spill->client;

	if (spill->rc != RC_OK)
		log_line(LOG_LEVEL_ERROR, "smtpd", "large message: %s", spill->why.text);
	if (result_is_wanted(client)) {
		session_spill_result(client->session, spill->rc, &client->out);
		settle(client, false);
	}
	buf_free(&spill->bytes);
	free(spill);
}

static void
host_spill(void *arg, struct submission *s, struct buf *bytes)
{
	struct client *client = arg;
	struct spill_job *spill = calloc(1, sizeof *spill);

	if (spill != NULL) {
		spill->client = client;
		spill->submission = s;
		spill->bytes = *bytes;
		buf_init(bytes, 0);
		spill->job.home = client->home->loop;
		spill->job.work = spill_work;
		spill->job.done = spill_done;
		client->waiting++;
		if (worker_submit(client->server->options.workers, &spill->job) == RC_OK)
			return;
		client->waiting--;
		buf_free(&spill->bytes);
		free(spill);
	}
	session_spill_result(client->session, RC_LATER, &client->out);
}

static void
host_discard(void *arg, struct submission *s)
{
	struct client *client = arg;

	spool_large_discard(client->server->options.spool, s->file_name);
}

static bool
host_budget(void *arg, int64_t bytes)
{
	struct client *client = arg;
	struct smtp_server *server = client->server;
	int64_t total = atomic_fetch_add(&server->body_bytes, bytes) + bytes;

	if (bytes > 0 && total > client->context->config->spool.body_budget_bytes) {
		server->body_bytes -= bytes;
		return false;
	}
	return true;
}

static const struct session_host session_callbacks = {
	.check_credential = host_check_credential,
	.submit = host_submit,
	.spill = host_spill,
	.discard = host_discard,
	.budget = host_budget,
};

/* ------------------------------------------------------------------ the start of a client ----- */

static void
start(struct loop_msg *msg)
{
	struct client *client = container_of(msg, struct client, msg);
	struct session_options options = { .host = &session_callbacks,
		.arg = client,
		.config = client->context->config,
		.loop = client->home->loop,
		.listener = client->door->name,
		.peer = client->peer,
		.tls = client->door->tls,
		.auth_without_tls = client->door->auth_without_tls };

	list_add_tail(&client->home->clients, &client->node);
	timer_init(&client->deadline, client->home->loop, on_deadline, client);
	timer_init(&client->delay, client->home->loop, on_delay, client);
	client->session = session_new(&options);
	client->conn = conn_new(client->home->loop, client->fd, INPUT_MAX, &conn_callbacks, client);
	if (client->session == NULL || client->conn == NULL || client->home->stopping) {
		drop_client(client);
		return;
	}
	if (client->door->tls == TLS_MODE_IMPLICIT) {
		begin_handshake(client);
		return;
	}
	session_greet(client->session, &client->out);
	settle(client, false);
}

/* The unit that connections are counted for: an IPv4 address, an IPv6 /64. */
static void
address_key(const struct sockaddr *peer, const char *text, char out[CONN_ADDRESS_LEN])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)peer;
	struct sockaddr_in6 net;
	unsigned port;

	(void)span_copy(span_of(text), out, CONN_ADDRESS_LEN);
	if (peer->sa_family != AF_INET6 || IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return;
	net = *v6;
	memset(&net.sin6_addr.s6_addr[8], 0, 8);
	conn_format_address((const struct sockaddr *)&net, out, &port);
}

static struct address *
count_address(struct smtp_server *server, const char *key)
{
	struct address *address = map_get(&server->addresses, span_of(key));

	if (address == NULL) {
		address = calloc(1, sizeof *address);
		if (address == NULL)
			return NULL;
		(void)span_copy(span_of(key), address->text, sizeof address->text);
		if (map_put(&server->addresses, span_of(address->text), address) != RC_OK) {
			free(address);
			return NULL;
		}
	}
	if (address->count >= (unsigned)server->context->config->smtp.max_connections_per_address)
		return NULL;
	address->count++;
	return address;
}

/* Too many: said in clear where clear text is spoken, counted before any TLS memory is spent. */
static void
refuse(const struct door *door, int fd, const char *peer)
{
	log_line(LOG_LEVEL_WARNING, "smtpd", "%s: too many connections", peer);
	if (door->tls != TLS_MODE_IMPLICIT)
		(void)send(fd, TOO_MANY, sizeof TOO_MANY - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

/* A connection from the client at `peer`. */
static void
admit(struct door *door, int fd, const struct sockaddr *peer)
{
	struct smtp_server *server = door->server;
	char text[CONN_ADDRESS_LEN], key[CONN_ADDRESS_LEN];
	struct address *address = NULL;
	struct client *client = NULL;
	unsigned port;

	conn_format_address(peer, text, &port);
	address_key(peer, text, key);
	if (server->sessions < (uint64_t)server->context->config->smtp.max_connections)
		address = count_address(server, key);
	if (address != NULL)
		client = calloc(1, sizeof *client);
	if (client == NULL) {
		if (address != NULL)
			address->count--;
		refuse(door, fd, text);
		return;
	}
	client->server = server;
	client->home = &server->homes[server->next_home++ % server->options.loop_count];
	client->context = context_ref(server->context);
	client->door = door;
	client->address = address;
	client->fd = fd;
	list_init(&client->node);
	list_init(&client->handshake);
	(void)span_copy(span_of(text), client->peer, sizeof client->peer);
	server->sessions++;
	client->msg.run = start;
	loop_post(client->home->loop, &client->msg);
}

/* ------------------------------------------------------------------ behind load balancers ----- */

static void
on_proxied(void *arg, int fd, const struct sockaddr *client, socklen_t len)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };

	(void)len;
	if (client->sa_family == AF_UNSPEC) { /* the balancer speaks for itself */
		client = (struct sockaddr *)&peer;
		(void)getpeername(fd, (struct sockaddr *)&peer, &(socklen_t){ sizeof peer });
	}
	admit(arg, fd, client);
}

static void
on_no_proxy(void *arg, const char *why)
{
	const struct door *door = arg;

	log_line(LOG_LEVEL_INFO, "smtpd", "listener %s: a load balancer's connection: %s",
	    door->name, why);
}

static const struct proxied_ops proxied_callbacks = {
	.on_client = on_proxied,
	.on_refused = on_no_proxy,
};

static bool
is_proxy(const struct door *door, const struct sockaddr *peer)
{
	for (size_t i = 0; i < door->proxy_count; i++)
		if (network_has(&door->proxies[i], peer))
			return true;
	return false;
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct door *door = arg;
	char text[CONN_ADDRESS_LEN];
	unsigned port;

	(void)peer_len;
	if (door->proxied == NULL) {
		admit(door, fd, peer);
		return;
	}
	if (is_proxy(door, peer)) {
		if (proxied_add(door->proxied, fd, door->server->context->config->smtp.handshake_ms,
			door) != RC_OK)
			log_line(LOG_LEVEL_ERROR, "smtpd", "out of memory for a connection");
		return;
	}
	conn_format_address(peer, text, &port);
	log_line(LOG_LEVEL_WARNING, "smtpd",
	    "%s: refused at listener %s, which is for load balancers", text, door->name);
	(void)close(fd);
}

static enum rc
set_proxies(struct door *door, const struct config_listener *from)
{
	if (from->proxy_count == 0)
		return RC_OK;
	door->proxies = calloc(from->proxy_count, sizeof *door->proxies);
	door->proxied = proxied_new(door->server->options.core, &proxied_callbacks);
	if (door->proxies == NULL || door->proxied == NULL)
		return RC_LATER;
	for (size_t i = 0; i < from->proxy_count; i++) /* was checked with the configuration */
		if (network_parse(span_of(from->proxies[i]), &door->proxies[door->proxy_count]))
			door->proxy_count++;
	return RC_OK;
}

static void
free_door(struct door *door)
{
	listener_free(door->listener);
	proxied_free(door->proxied);
	free(door->proxies);
	free(door->name);
	free(door);
}

/* ------------------------------------------------------------------ listening ----------------- */

static enum rc
open_door(struct smtp_server *server, const struct config_listener *from, int fd,
    const char *address, struct why *why)
{
	struct door *door = calloc(1, sizeof *door);

	if (door == NULL) {
		(void)close(fd);
		return why_set(why, RC_LATER, 0, "out of memory for a listener");
	}
	door->server = server;
	door->name = span_dup(span_of(from->name));
	door->tls = from->tls;
	door->auth_without_tls = from->auth_without_tls;
	list_add_tail(&server->doors, &door->node);
	if (set_proxies(door, from) != RC_OK) {
		(void)close(fd);
		return why_set(why, RC_LATER, 0, "out of memory for a listener");
	}
	door->listener = listener_new(server->options.core, fd,
	    from->tls == TLS_MODE_IMPLICIT ? NULL : TOO_MANY, on_accept, door, why);
	if (door->listener == NULL || door->name == NULL)
		return RC_LATER;
	log_line(LOG_LEVEL_INFO, "master", "listening: name=%s address=%s port=%u", from->name,
	    address, listener_port(door->listener));
	return RC_OK;
}

static enum rc
listen_one(struct smtp_server *server, const struct config_listener *listener,
    int (*inherited)(void *arg, const char *name), void *arg, struct why *why)
{
	bool any = false;
	enum rc rc = RC_OK;
	int fd;

	while (rc == RC_OK && (fd = inherited(arg, listener->name)) >= 0) {
		any = true;
		rc = open_door(server, listener, fd, "inherited", why);
	}
	for (size_t i = 0; !any && rc == RC_OK && i < listener->address_count; i++) {
		fd = listener_bind(listener->addresses[i], (unsigned)listener->port, why);
		rc = fd >= 0 ? open_door(server, listener, fd, listener->addresses[i], why)
			     : RC_LATER;
	}
	return rc;
}

enum rc
smtp_server_listen(struct smtp_server *server, int (*inherited)(void *arg, const char *name),
    void *arg, struct why *why)
{
	const struct config *config = server->context->config;
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < config->listener_count; i++)
		rc = listen_one(server, &config->listeners[i], inherited, arg, why);
	return rc;
}

/* ------------------------------------------------------------------ life ---------------------- */

enum rc
smtp_server_new(
    const struct smtp_server_options *options, struct smtp_server **out, struct why *why)
{
	struct smtp_server *server = calloc(1, sizeof *server);

	*out = NULL;
	if (server != NULL)
		server->homes = calloc(options->loop_count, sizeof *server->homes);
	if (server == NULL || server->homes == NULL) {
		free(server);
		return why_set(why, RC_LATER, 0, "out of memory for the SMTP server");
	}
	server->options = *options;
	list_init(&server->doors);
	for (size_t i = 0; i < options->loop_count; i++) {
		server->homes[i].server = server;
		server->homes[i].loop = options->loops[i];
		list_init(&server->homes[i].clients);
		list_init(&server->homes[i].handshaking);
	}
	*out = server;
	return RC_OK;
}

static void
run_stop(struct loop_msg *msg)
{
	struct home *home = container_of(msg, struct home, stop_msg);

	home->stopping = true;
	LIST_FOREACH_SAFE (node, &home->clients) {
		struct client *client = container_of(node, struct client, node);

		if (client->ended || session_in_transaction(client->session))
			continue;
		if (client->in_handshake) {
			drop_client(client);
			continue;
		}
		session_shutdown(client->session, &client->out);
		settle(client, false);
	}
}

void
smtp_server_stop(struct smtp_server *server, void (*on_empty)(void *arg), void *arg)
{
	bool again = server->stopping;

	server->stopping = true;
	server->on_empty = on_empty;
	server->on_empty_arg = arg;
	LIST_FOREACH (node, &server->doors) {
		struct door *door = container_of(node, struct door, node);

		listener_stop(door->listener);
		proxied_free(door->proxied);
		door->proxied = NULL;
	}
	for (size_t i = 0; !again && i < server->options.loop_count; i++) {
		server->homes[i].stop_msg.run = run_stop;
		loop_post(server->homes[i].loop, &server->homes[i].stop_msg);
	}
	check_empty(server);
}

static void
run_cut(struct loop_msg *msg)
{
	struct home *home = container_of(msg, struct home, cut_msg);

	LIST_FOREACH_SAFE (node, &home->clients) {
		struct client *client = container_of(node, struct client, node);

		if (client->ended)
			continue;
		drop_client(client);
	}
}

void
smtp_server_cut(struct smtp_server *server)
{
	for (size_t i = 0; i < server->options.loop_count; i++) {
		server->homes[i].cut_msg.run = run_cut;
		loop_post(server->homes[i].loop, &server->homes[i].cut_msg);
	}
}

uint64_t
smtp_server_sessions(const struct smtp_server *server)
{
	return server->sessions;
}

void
smtp_server_free(struct smtp_server *server)
{
	struct list *node;

	if (server == NULL)
		return;
	while ((node = list_pop(&server->doors)) != NULL)
		free_door(container_of(node, struct door, node));
	map_free(&server->addresses);
	context_unref(server->context);
	free(server->homes);
	free(server);
}
