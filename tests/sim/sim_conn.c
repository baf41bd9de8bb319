/* tests/sim/sim_conn.c - net/conn.h over a network in memory; linked instead of net/conn.c.
 *
 * What the daemon writes reaches the host late and in pieces; what the host says comes in parcels, each with its time.
 * Bytes that are on their way when a connection is freed, or when the daemon dies, may still arrive: the kernel has
 * them. TLS is a handshake that works or does not; nothing is encrypted. */
#include "config.h"

#include "sim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "net/conn.h"
#include "util/buf.h"
#include "util/clock.h"

enum conn_state {
	STATE_CONNECTING,
	STATE_OPEN,
	STATE_HANDSHAKE,
	STATE_ENDED
};

enum parcel_kind {
	PARCEL_BYTES,
	PARCEL_EOF,
	PARCEL_RESET
};

struct parcel {
	struct list node;
	enum parcel_kind kind;
	int64_t due_ms;
	size_t len;
	char bytes[];
};

struct conn {
	struct list node; /* in conns */
	struct loop *loop;
	enum conn_state state;
	const struct conn_ops *ops;
	void *arg;
	unsigned host;
	struct remote *remote;
	struct list parcels;
	struct buf in, out;
	struct timer in_timer, out_timer, connect_timer;
	uint64_t read; /* bytes the daemon has used */
	unsigned depth;
	bool freed, paused, above_mark, tls, tls_fails;
};

/* The daemon under test never looks into these. */
struct tls_client {
	int none;
};

static struct list conns = { &conns, &conns };

/* ------------------------------------------------------------------ TLS contexts -------------- */

struct tls_client *
tls_client_ref(struct tls_client *client)
{
	return client;
}

void
tls_client_unref(struct tls_client *client)
{
	(void)client;
}

/* ------------------------------------------------------------------ life ---------------------- */

static void
destroy(struct conn *conn)
{
	struct list *node;

	timer_cancel(&conn->in_timer);
	timer_cancel(&conn->out_timer);
	timer_cancel(&conn->connect_timer);
	list_del(&conn->node);
	while ((node = list_pop(&conn->parcels)) != NULL)
		free(container_of(node, struct parcel, node));
	remote_free(conn->remote);
	buf_free(&conn->in);
	buf_free(&conn->out);
	free(conn);
}

static bool
leave(struct conn *conn)
{
	if (--conn->depth > 0)
		return conn->freed;
	if (conn->freed)
		destroy(conn);
	else
		return false;
	return true;
}

/* Nobody listens any more, but what was handed to the kernel may still reach the host. */
static void
hand_over_rest(struct conn *conn)
{
	conn->state = STATE_ENDED;
	if (conn->remote != NULL && buf_len(&conn->out) > 0)
		remote_bytes(conn->remote, buf_span(&conn->out));
	buf_clear(&conn->out);
}

void
conn_free(struct conn *conn)
{
	if (conn == NULL || conn->freed)
		return;
	if (conn->state == STATE_OPEN && sim_chance(500))
		hand_over_rest(conn);
	conn->state = STATE_ENDED;
	if (conn->depth > 0) {
		conn->freed = true;
		return;
	}
	destroy(conn);
}

void
conn_close(struct conn *conn)
{
	if (conn != NULL && !conn->freed && conn->state == STATE_OPEN)
		hand_over_rest(conn);
	conn_free(conn);
}

void
conn_crash(void)
{
	LIST_FOREACH_SAFE (node, &conns) {
		struct conn *conn = container_of(node, struct conn, node);

		if (conn->state == STATE_OPEN && sim_chance(500))
			hand_over_rest(conn);
	}
}

size_t
conn_count(void)
{
	size_t count = 0;

	LIST_FOREACH (node, &conns)
		count++;
	return count;
}

/* ------------------------------------------------------------------ what the host says -------- */

static void
arm_in(struct conn *conn)
{
	const struct parcel *first;

	if (list_is_empty(&conn->parcels)) {
		timer_cancel(&conn->in_timer);
		return;
	}
	first = container_of(conn->parcels.next, struct parcel, node);
	timer_set(&conn->in_timer, first->due_ms - clock_mono_ms());
}

static void
post(struct conn *conn, enum parcel_kind kind, struct span bytes, int64_t delay_ms)
{
	struct parcel *parcel = malloc(sizeof *parcel + bytes.len);
	int64_t due_ms = clock_mono_ms() + delay_ms;

	if (parcel == NULL)
		abort();
	if (!list_is_empty(&conn->parcels)) { /* in order */
		const struct parcel *last = container_of(conn->parcels.prev, struct parcel, node);

		if (last->due_ms > due_ms)
			due_ms = last->due_ms;
	}
	parcel->kind = kind;
	parcel->due_ms = due_ms;
	parcel->len = bytes.len;
	memcpy(parcel->bytes, bytes.p, bytes.len);
	list_add_tail(&conn->parcels, &parcel->node);
	arm_in(conn);
}

static void
host_says(void *arg, struct span bytes, int64_t delay_ms)
{
	struct conn *conn = arg;
	size_t first = bytes.len;

	if (conn->state == STATE_ENDED)
		return;
	if (bytes.len > 1 && sim_chance(60))
		first = 1 + sim_below((unsigned)bytes.len - 1);
	post(conn, PARCEL_BYTES, span_first(bytes, first), delay_ms);
	if (first < bytes.len)
		post(conn, PARCEL_BYTES, span_skip(bytes, first), delay_ms + sim_between(0, 50));
}

static void
host_closes(void *arg, bool reset, int64_t delay_ms)
{
	struct conn *conn = arg;
	struct list *node;

	if (conn->state == STATE_ENDED)
		return;
	if (reset && sim_chance(500)) /* what was not read yet is gone, too */
		while ((node = list_pop(&conn->parcels)) != NULL)
			free(container_of(node, struct parcel, node));
	post(conn, reset ? PARCEL_RESET : PARCEL_EOF, SPAN_EMPTY, delay_ms);
}

static const struct remote_ops host_ops = { host_says, host_closes };

static void
end(struct conn *conn, enum conn_end how, const char *why)
{
	if (conn->state == STATE_ENDED)
		return;
	conn->state = STATE_ENDED;
	timer_cancel(&conn->in_timer);
	timer_cancel(&conn->out_timer);
	conn->depth++;
	conn->ops->on_end(conn->arg, how, why);
	(void)leave(conn);
}

static void
give(struct conn *conn)
{
	size_t used, len = buf_len(&conn->in);

	if (conn->paused || len == 0 || conn->state != STATE_OPEN)
		return;
	conn->depth++;
	used = conn->ops->on_data(conn->arg, buf_span(&conn->in));
	conn->read += used;
	remote_read(conn->remote, conn->read);
	if (conn->state == STATE_OPEN && !conn->freed)
		buf_consume(&conn->in, used);
	(void)leave(conn);
}

static void
on_in(void *arg)
{
	struct conn *conn = arg;
	struct list *node = list_pop(&conn->parcels);
	struct parcel *parcel = container_of(node, struct parcel, node);

	arm_in(conn);
	switch (parcel->kind) {
	case PARCEL_BYTES:
		buf_add(&conn->in, parcel->bytes, parcel->len);
		free(parcel);
		give(conn);
		return;
	case PARCEL_EOF:
		free(parcel);
		end(conn, CONN_EOF, "closed by the peer");
		return;
	case PARCEL_RESET:
		free(parcel);
		end(conn, CONN_ERROR, "Connection reset by peer");
		return;
	}
}

/* ------------------------------------------------------------------ what the daemon says ------ */

static void
on_out(void *arg)
{
	struct conn *conn = arg;
	size_t len = buf_len(&conn->out);

	if (conn->state == STATE_ENDED || len == 0)
		return;
	if (len > CONN_LOW_MARK)
		len = CONN_LOW_MARK;
	if (sim_chance(100))
		len = 1 + sim_below((unsigned)len);
	remote_bytes(conn->remote, span_first(buf_span(&conn->out), len));
	buf_consume(&conn->out, len);
	if (buf_len(&conn->out) > 0)
		timer_set(&conn->out_timer, sim_between(0, 10));
	if (conn->above_mark && buf_len(&conn->out) <= CONN_LOW_MARK) {
		conn->above_mark = false;
		conn->depth++;
		conn->ops->on_drained(conn->arg);
		(void)leave(conn);
	}
}

void
conn_write(struct conn *conn, struct span bytes)
{
	if (conn->state == STATE_ENDED || conn->freed)
		return;
	buf_add_span(&conn->out, bytes);
	if (buf_len(&conn->out) > CONN_LOW_MARK)
		conn->above_mark = true;
	if (!timer_is_set(&conn->out_timer))
		timer_set(&conn->out_timer, sim_between(0, 20));
}

size_t
conn_unsent(const struct conn *conn)
{
	return buf_len(&conn->out);
}

/* ------------------------------------------------------------------ connecting ---------------- */

static void
on_connect(void *arg)
{
	struct conn *conn = arg;
	const struct sim_host *host = &sim->plan.hosts[conn->host];
	bool trouble = sim_has(FAULT_NET) && !sim->healed;

	if (conn->state == STATE_HANDSHAKE) {
		if (conn->tls_fails) {
			end(conn, CONN_ERROR, "TLS handshake failed");
			return;
		}
		conn->state = STATE_OPEN;
		conn->tls = true;
		remote_tls(conn->remote);
		conn->depth++;
		conn->ops->on_tls(conn->arg);
		(void)leave(conn);
		return;
	}
	if (trouble && (host->dead || sim_chance(host->trouble))) {
		if (sim_chance(500))
			end(conn, CONN_ERROR, "Connection refused");
		return; /* else no answer comes */
	}
	conn->state = STATE_OPEN;
	conn->depth++;
	conn->ops->on_connected(conn->arg);
	if (!leave(conn))
		remote_greet(conn->remote);
}

struct conn *
conn_connect(struct loop *loop, const struct sockaddr *addr, socklen_t len,
    const struct sockaddr *source, socklen_t source_len, size_t max_input,
    const struct conn_ops *ops, void *arg, struct why *why)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)addr;
	struct conn *conn = calloc(1, sizeof *conn);
	unsigned host = (ntohl(v4->sin_addr.s_addr) & 0xff) - 1;

	(void)len;
	(void)source;
	(void)source_len;
	(void)max_input;
	if (addr->sa_family != AF_INET || host >= SIM_HOSTS)
		sim_fail("a connection to an address that no name has");
	if (conn == NULL)
		abort();
	if (sim_has(FAULT_NET) && !sim->healed && sim_chance(10)) {
		free(conn);
		(void)why_set(why, RC_LATER, 0, "connect: Network is unreachable");
		return NULL;
	}
	conn->loop = loop;
	conn->ops = ops;
	conn->arg = arg;
	conn->host = host;
	list_init(&conn->parcels);
	timer_init(&conn->in_timer, loop, on_in, conn);
	timer_init(&conn->out_timer, loop, on_out, conn);
	timer_init(&conn->connect_timer, loop, on_connect, conn);
	conn->remote = remote_new(host, &host_ops, conn);
	list_add_tail(&conns, &conn->node);
	timer_set(&conn->connect_timer, sim_between(1, 100));
	return conn;
}

enum rc
conn_start_tls_client(
    struct conn *conn, struct tls_client *client, const char *host, bool verify, size_t *dropped)
{
	(void)client;
	(void)host;
	(void)verify;
	conn->state = STATE_HANDSHAKE;
	conn->tls_fails = !remote_wants_tls(conn->remote);
	*dropped = 0;
	buf_clear(&conn->in);
	timer_set(&conn->connect_timer, sim_between(1, 200));
	return RC_OK;
}

/* ------------------------------------------------------------------ the rest ------------------ */

void
conn_pause(struct conn *conn)
{
	conn->paused = true;
}

void
conn_resume(struct conn *conn)
{
	conn->paused = false;
}

bool
conn_is_tls(const struct conn *conn)
{
	return conn->tls;
}

const char *
conn_tls_version(const struct conn *conn)
{
	return conn->tls ? "TLSv1.3" : "";
}

const char *
conn_tls_cipher(const struct conn *conn)
{
	return conn->tls ? "TLS_AES_256_GCM_SHA384" : "";
}

void
conn_format_address(const struct sockaddr *addr, char out[CONN_ADDRESS_LEN], unsigned *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)addr;

	(void)inet_ntop(AF_INET, &v4->sin_addr, out, CONN_ADDRESS_LEN);
	*port = ntohs(v4->sin_port);
}
