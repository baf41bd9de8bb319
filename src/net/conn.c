/* net/conn.c - non-blocking sockets and TLS over libevent's read and write events.
 *
 * Always true: an on_end is given once; after conn_free no callback comes; while `depth` is above zero
 * the object stays in memory. Input goes through one scratch buffer per thread, so that an idle
 * connection holds none. */
#include "config.h"

#include "net/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "util/buf.h"

enum {
	FLUSH_MS = 5000
};

enum conn_state {
	STATE_CONNECTING,
	STATE_OPEN,
	STATE_HANDSHAKE,
	STATE_CLOSING,
	STATE_ENDED
};

struct conn {
	struct loop *loop;
	int fd;
	SSL *ssl;
	enum conn_state state;
	const struct conn_ops *ops;
	void *arg;
	struct event *read_event, *write_event;
	struct buf in, out;
	size_t max_input;
	struct timer close_timer;
	struct timer resume_timer; /* runs on_data over kept input from the loop */
	unsigned depth;
	bool freed; /* conn_free was called inside a callback */
	bool paused;
	bool read_off;	 /* the read event is not set: it came while paused, or too much is kept */
	bool above_mark; /* on_drained is owed */
	bool tls_wants_write; /* SSL_read or the handshake waits for the socket to take bytes */
	bool tls_wants_read;  /* SSL_write waits for the socket to bring bytes */
	bool failed_memory;
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_resume(void *arg);
static void on_close_deadline(void *arg);
static void flush(struct conn *conn);

static void
destroy(struct conn *conn)
{
	if (conn->read_event != NULL)
		event_free(conn->read_event);
	if (conn->write_event != NULL)
		event_free(conn->write_event);
	timer_cancel(&conn->close_timer);
	timer_cancel(&conn->resume_timer);
	SSL_free(conn->ssl);
	if (conn->fd >= 0)
		(void)close(conn->fd);
	buf_free(&conn->in);
	buf_free(&conn->out);
	free(conn);
}

static void
start_reading(struct conn *conn)
{
	(void)event_add(conn->read_event, NULL);
	conn->read_off = false;
}

static void
stop_reading(struct conn *conn)
{
	(void)event_del(conn->read_event);
	conn->read_off = true;
}

static void
enter(struct conn *conn)
{
	conn->depth++;
}

/* Leaves a callback; true when the conn is gone. */
static bool
leave(struct conn *conn)
{
	if (--conn->depth > 0)
		return conn->freed;
	if (conn->freed) {
		destroy(conn);
		return true;
	}
	return false;
}

struct conn *
conn_new(struct loop *loop, int fd, size_t max_input, const struct conn_ops *ops, void *arg)
{
	struct conn *conn = calloc(1, sizeof *conn);
	struct event_base *base = loop_base(loop);
	int on = 1;

	if (conn == NULL) {
		(void)close(fd);
		return NULL;
	}
	conn->loop = loop;
	conn->fd = fd;
	conn->state = STATE_OPEN;
	conn->max_input = max_input;
	conn->ops = ops;
	conn->arg = arg;
	timer_init(&conn->close_timer, loop, on_close_deadline, conn);
	timer_init(&conn->resume_timer, loop, on_resume, conn);
	conn->read_event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, conn);
	conn->write_event = event_new(base, fd, EV_WRITE, on_writable, conn);
	if (conn->read_event == NULL || conn->write_event == NULL ||
	    event_add(conn->read_event, NULL) != 0) {
		destroy(conn);
		return NULL;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return conn;
}

struct conn *
conn_connect(struct loop *loop, const struct sockaddr *addr, socklen_t len,
    const struct sockaddr *source, socklen_t source_len, size_t max_input,
    const struct conn_ops *ops, void *arg, struct why *why)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct conn *conn;

	if (fd < 0) {
		(void)why_errno(why, errno, "socket");
		return NULL;
	}
	if (source != NULL && bind(fd, source, source_len) != 0) {
		(void)why_errno(why, errno, "bind to the source address");
		(void)close(fd);
		return NULL;
	}
	if (connect(fd, addr, len) != 0 && errno != EINPROGRESS) {
		(void)why_errno(why, errno, "connect");
		(void)close(fd);
		return NULL;
	}
	conn = conn_new(loop, fd, max_input, ops, arg);
	if (conn == NULL) {
		(void)why_set(why, RC_LATER, 0, "out of memory for a connection");
		return NULL;
	}
	conn->state = STATE_CONNECTING;
	(void)event_del(conn->read_event);
	(void)event_add(conn->write_event, NULL);
	return conn;
}

void
conn_free(struct conn *conn)
{
	if (conn == NULL || conn->freed)
		return;
	conn->state = STATE_ENDED;
	if (conn->depth > 0) {
		conn->freed = true;
		(void)event_del(conn->read_event);
		(void)event_del(conn->write_event);
		timer_cancel(&conn->resume_timer);
		return;
	}
	destroy(conn);
}

static void
on_close_deadline(void *arg)
{
	conn_free(arg);
}

void
conn_close(struct conn *conn)
{
	if (conn == NULL || conn->freed)
		return;
	if (conn->state != STATE_OPEN) {
		conn_free(conn);
		return;
	}
	conn->state = STATE_CLOSING;
	(void)event_del(conn->read_event);
	timer_cancel(&conn->resume_timer);
	timer_set(&conn->close_timer, FLUSH_MS);
	if (conn->depth == 0)
		flush(conn);
}

static void
end(struct conn *conn, enum conn_end how, const char *why)
{
	if (conn->state == STATE_CLOSING) {
		conn_free(conn);
		return;
	}
	if (conn->state == STATE_ENDED)
		return;
	conn->state = STATE_ENDED;
	(void)event_del(conn->read_event);
	(void)event_del(conn->write_event);
	timer_cancel(&conn->resume_timer);
	conn->ops->on_end(conn->arg, how, why);
}

static void
end_errno(struct conn *conn, const char *what, int err)
{
	char text[160], reason[128];

	(void)snprintf(text, sizeof text, "%s: %s", what, strerror_r(err, reason, sizeof reason));
	end(conn, CONN_ERROR, text);
}

static void
end_tls(struct conn *conn, const char *what)
{
	char text[400], reason[256];
	long verdict = SSL_get_verify_result(conn->ssl);

	tls_last_error(reason, sizeof reason);
	if (verdict != X509_V_OK && SSL_get_verify_mode(conn->ssl) != SSL_VERIFY_NONE)
		(void)snprintf(
		    text, sizeof text, "%s: %s", what, X509_verify_cert_error_string(verdict));
	else
		(void)snprintf(text, sizeof text, "%s: %s", what, reason);
	end(conn, CONN_ERROR, text);
}

/* ------------------------------------------------------------------ input --------------------- */

static void
give_data(struct conn *conn, struct span fresh)
{
	struct span in = fresh;
	size_t used;

	if (buf_len(&conn->in) > 0) {
		buf_add_span(&conn->in, fresh);
		in = buf_span(&conn->in);
	}
	used = conn->state == STATE_OPEN && !conn->paused && in.len > 0
		   ? conn->ops->on_data(conn->arg, in)
		   : 0;
	if (conn->freed || conn->state == STATE_ENDED || conn->state == STATE_CLOSING)
		return;
	if (conn->state == STATE_HANDSHAKE) { /* STARTTLS was begun inside: no byte survives it */
		buf_free(&conn->in);
		return;
	}
	if (buf_len(&conn->in) > 0)
		buf_consume(&conn->in, used);
	else
		buf_add_span(&conn->in, span_skip(in, used));
	if (buf_len(&conn->in) == 0)
		buf_free(&conn->in);
	conn->failed_memory |= conn->in.failed;
	if (buf_len(&conn->in) >= conn->max_input)
		stop_reading(conn);
}

/* One read; false when nothing more is there now. */
static bool
read_plain(struct conn *conn, char *scratch)
{
	ssize_t n = read(conn->fd, scratch, CONN_READ_SIZE);

	if (n > 0) {
		give_data(conn, span_make(scratch, (size_t)n));
		return false; /* level-triggered: libevent comes back, others get their turn */
	}
	if (n == 0)
		end(conn, CONN_EOF, "connection closed by peer");
	else if (errno != EAGAIN && errno != EINTR)
		end_errno(conn, "read", errno);
	return false;
}

static bool
read_tls(struct conn *conn, char *scratch)
{
	size_t n = 0;
	int result;

	ERR_clear_error();
	result = SSL_read_ex(conn->ssl, scratch, CONN_READ_SIZE, &n);
	if (result == 1) {
		give_data(conn, span_make(scratch, n));
		/* What OpenSSL holds is not seen by poll; what the socket holds is. */
		return !conn->freed && conn->ssl != NULL && SSL_has_pending(conn->ssl) == 1;
	}
	switch (SSL_get_error(conn->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_WANT_WRITE:
		conn->tls_wants_write = true;
		(void)event_add(conn->write_event, NULL);
		break;
	case SSL_ERROR_ZERO_RETURN:
		/* SSL_OP_IGNORE_UNEXPECTED_EOF makes a bare FIN look like close_notify; owners take neither for
		 * the end of a message. */
		end(conn, CONN_EOF, "TLS session closed by peer");
		break;
	case SSL_ERROR_SYSCALL:
		end_errno(conn, "read", errno != 0 ? errno : ECONNRESET);
		break;
	default:
		end_tls(conn, "TLS read");
	}
	return false;
}

static void
handshake(struct conn *conn)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(conn->ssl);
	if (result == 1) {
		conn->state = STATE_OPEN;
		conn->ops->on_tls(conn->arg);
		return;
	}
	switch (SSL_get_error(conn->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_WANT_WRITE:
		(void)event_add(conn->write_event, NULL);
		break;
	case SSL_ERROR_SYSCALL:
		end(conn, CONN_ERROR, "TLS handshake: connection closed by peer");
		break;
	default:
		end_tls(conn, "TLS handshake");
	}
}

static void
read_all(struct conn *conn)
{
	static _Thread_local char scratch[CONN_READ_SIZE];
	bool more = true;

	for (int i = 0; more && i < 4; i++) {
		if (conn->freed || conn->state != STATE_OPEN || conn->paused ||
		    buf_len(&conn->in) >= conn->max_input)
			return;
		more = conn->ssl != NULL ? read_tls(conn, scratch) : read_plain(conn, scratch);
	}
	if (more && !conn->freed && conn->state == STATE_OPEN)
		timer_set(&conn->resume_timer, 0); /* more may wait inside OpenSSL */
}

/* Input kept over a pause is given before the socket is asked: what comes behind it may be the end, which drops it. */
static void
go_on(struct conn *conn)
{
	timer_cancel(&conn->resume_timer);
	if (buf_len(&conn->in) > 0 && !conn->paused)
		give_data(conn, SPAN_EMPTY);
	if (!conn->freed && conn->state == STATE_OPEN)
		read_all(conn);
}

static void
after(struct conn *conn)
{
	if (!conn->freed && conn->state != STATE_ENDED && conn->failed_memory)
		end(conn, CONN_ERROR, "out of memory");
	if (!conn->freed && conn->state != STATE_ENDED)
		flush(conn);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	enter(conn);
	if (conn->tls_wants_read) {
		conn->tls_wants_read = false;
		flush(conn);
	}
	if (conn->state == STATE_HANDSHAKE)
		handshake(conn);
	if (!conn->freed && conn->state == STATE_OPEN) {
		if (conn->paused)
			stop_reading(conn);
		else if (timer_is_set(&conn->resume_timer))
			go_on(conn);
		else
			read_all(conn);
	}
	after(conn);
	(void)leave(conn);
}

static void
on_resume(void *arg)
{
	struct conn *conn = arg;

	enter(conn);
	if (conn->state == STATE_OPEN && !conn->paused) {
		go_on(conn);
		after(conn);
	}
	(void)leave(conn);
}

void
conn_pause(struct conn *conn)
{
	/* Reading goes on until something comes: most pauses are over before, and cost no system call. */
	conn->paused = true;
	timer_cancel(&conn->resume_timer);
}

void
conn_resume(struct conn *conn)
{
	if (!conn->paused || conn->freed)
		return;
	conn->paused = false;
	if (conn->state != STATE_OPEN)
		return;
	if (conn->read_off)
		start_reading(conn);
	if (buf_len(&conn->in) > 0 || (conn->ssl != NULL && SSL_has_pending(conn->ssl) == 1))
		timer_set(&conn->resume_timer, 0);
}

/* ------------------------------------------------------------------ output -------------------- */

/* Bytes written, 0 to wait, -1 when the connection is over. */
static ssize_t
write_some(struct conn *conn, struct span bytes)
{
	size_t n = 0;
	int result;

	if (conn->ssl == NULL) {
		ssize_t sent = send(conn->fd, bytes.p, bytes.len, MSG_NOSIGNAL);

		if (sent >= 0)
			return sent;
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		end_errno(conn, "write", errno);
		return -1;
	}
	ERR_clear_error();
	result = SSL_write_ex(conn->ssl, bytes.p, bytes.len, &n);
	if (result == 1)
		return (ssize_t)n;
	switch (SSL_get_error(conn->ssl, result)) {
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_WANT_READ:
		conn->tls_wants_read = true;
		return 0;
	case SSL_ERROR_SYSCALL:
		end_errno(conn, "write", errno != 0 ? errno : EPIPE);
		return -1;
	default:
		end_tls(conn, "TLS write");
		return -1;
	}
}

static void
finish_close(struct conn *conn)
{
	if (conn->ssl != NULL) {
		ERR_clear_error();
		(void)SSL_shutdown(conn->ssl);
		ERR_clear_error();
	}
	(void)shutdown(conn->fd, SHUT_WR);
	conn_free(conn);
}

static void
flush(struct conn *conn)
{
	if (conn->state != STATE_OPEN && conn->state != STATE_CLOSING)
		return;
	enter(conn);
	while (buf_len(&conn->out) > 0) {
		ssize_t n = write_some(conn, buf_span(&conn->out));

		if (n < 0)
			break;
		if (n == 0) {
			if (!conn->tls_wants_read)
				(void)event_add(conn->write_event, NULL);
			else
				start_reading(conn);
			break;
		}
		buf_consume(&conn->out, (size_t)n);
	}
	/* Before a close is finished: the owner may have waited for this to call conn_close. */
	if (!conn->freed && conn->state == STATE_OPEN && conn->above_mark &&
	    buf_len(&conn->out) <= CONN_LOW_MARK) {
		conn->above_mark = false;
		if (conn->ops->on_drained != NULL)
			conn->ops->on_drained(conn->arg);
		if (!conn->freed && buf_len(&conn->out) > 0)
			(void)event_add(conn->write_event, NULL);
	}
	if (!conn->freed && buf_len(&conn->out) == 0) {
		buf_free(&conn->out);
		if (conn->state == STATE_CLOSING)
			finish_close(conn);
	}
	(void)leave(conn);
}

static void
connected(struct conn *conn)
{
	int err = 0;
	socklen_t len = sizeof err;

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		err = errno;
	if (err != 0) {
		end_errno(conn, "connect", err);
		return;
	}
	conn->state = STATE_OPEN;
	start_reading(conn);
	conn->ops->on_connected(conn->arg);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	enter(conn);
	if (conn->state == STATE_CONNECTING)
		connected(conn);
	else if (conn->state == STATE_HANDSHAKE)
		handshake(conn);
	if (!conn->freed && conn->tls_wants_write && conn->state == STATE_OPEN) {
		conn->tls_wants_write = false;
		go_on(conn);
	}
	after(conn);
	(void)leave(conn);
}

void
conn_write(struct conn *conn, struct span bytes)
{
	if (conn->freed || conn->state == STATE_ENDED || conn->state == STATE_CLOSING)
		return;
	buf_add_span(&conn->out, bytes);
	conn->failed_memory |= conn->out.failed;
	if (buf_len(&conn->out) > CONN_LOW_MARK)
		conn->above_mark = true;
	if (conn->depth == 0) {
		enter(conn);
		after(conn);
		(void)leave(conn);
	}
}

size_t
conn_unsent(const struct conn *conn)
{
	return buf_len(&conn->out);
}

/* ------------------------------------------------------------------ TLS ----------------------- */

static enum rc
start_tls(struct conn *conn, SSL *ssl, size_t *dropped)
{
	if (ssl == NULL || SSL_set_fd(ssl, conn->fd) != 1) {
		SSL_free(ssl);
		return RC_LATER;
	}
	/* The reply that announces TLS must leave in clear before the first record. */
	flush(conn);
	*dropped = buf_len(&conn->in);
	buf_free(&conn->in);
	if (conn->state != STATE_OPEN || buf_len(&conn->out) > 0) {
		SSL_free(ssl); /* a peer that does not read our replies gets no TLS */
		return RC_LATER;
	}
	conn->ssl = ssl;
	conn->state = STATE_HANDSHAKE;
	conn->paused = false;
	timer_cancel(&conn->resume_timer);
	start_reading(conn);
	/* A client speaks first. A server has nothing to do before: OpenSSL would only get its buffers ready, and hold
	 * them for as long as the client cares to wait. */
	if (SSL_is_server(ssl) == 0)
		(void)event_add(conn->write_event, NULL);
	return RC_OK;
}

enum rc
conn_start_tls_server(struct conn *conn, struct tls_server *server, size_t *dropped)
{
	return start_tls(conn, tls_server_session(server), dropped);
}

enum rc
conn_start_tls_client(
    struct conn *conn, struct tls_client *client, const char *host, bool verify, size_t *dropped)
{
	return start_tls(conn, tls_client_session(client, host, verify), dropped);
}

bool
conn_is_tls(const struct conn *conn)
{
	return conn->ssl != NULL && conn->state != STATE_HANDSHAKE;
}

const char *
conn_tls_version(const struct conn *conn)
{
	return conn_is_tls(conn) ? SSL_get_version(conn->ssl) : "";
}

const char *
conn_tls_cipher(const struct conn *conn)
{
	return conn_is_tls(conn) ? SSL_get_cipher_name(conn->ssl) : "";
}

/* ------------------------------------------------------------------ addresses ----------------- */

void
conn_format_address(const struct sockaddr *addr, char out[CONN_ADDRESS_LEN], unsigned *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)addr;

	(void)snprintf(out, CONN_ADDRESS_LEN, "unknown");
	*port = 0;
	if (addr->sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, out, CONN_ADDRESS_LEN);
		*port = ntohs(v4->sin_port);
	} else if (addr->sa_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			(void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], out, CONN_ADDRESS_LEN);
		else
			(void)inet_ntop(AF_INET6, &v6->sin6_addr, out, CONN_ADDRESS_LEN);
		*port = ntohs(v6->sin6_port);
	}
}
