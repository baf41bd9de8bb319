/* net/conn.h - one TCP connection with or without TLS, on one loop. The home of libevent's socket events.
 *
 * Why not bufferevents: bytes must be discarded at STARTTLS for certain, the last reply before a close
 * must never be lost, and input and output need hard bounds. The owner keeps its own deadlines (a timer
 * per deadline): nothing here times out by itself except the flush of conn_close.
 *
 * Callbacks come from the loop. Inside one, the owner may call anything here, conn_free included. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <sys/socket.h>

#include "net/loop.h"
#include "net/tls.h"
#include "util/span.h"

struct conn;

enum conn_end {
	CONN_EOF,  /* the peer closed; what it had begun is not finished and must be dropped */
	CONN_ERROR /* reset, TLS error, handshake refused, connect failed */
};

struct conn_ops {
	/* Bytes have come; returns how many were used. What is left is kept (at most `max_input` bytes, then reading
	 * stops until some are used) and given again, joined with what follows. Not called while paused. */
	size_t (*on_data)(void *arg, struct span in);
	/* Output has fallen to CONN_LOW_MARK or below after having been above. */
	void (*on_drained)(void *arg);
	/* The TCP connection stands (conn_connect), or the TLS handshake is done. */
	void (*on_connected)(void *arg);
	void (*on_tls)(void *arg);
	/* It is over; the owner frees the conn. Called once. `why` is valid during the call. */
	void (*on_end)(void *arg, enum conn_end how, const char *why);
};

enum {
	CONN_LOW_MARK = 64 * 1024,
	CONN_READ_SIZE = 64 * 1024
};

/* Takes the descriptor (already non-blocking), also on failure. NULL: out of memory. */
struct conn *conn_new(
    struct loop *loop, int fd, size_t max_input, const struct conn_ops *ops, void *arg);

/* Start a connection from `source` (NULL: any). NULL with why when it fails at once; else on_connected or
 * on_end follows, never from inside the call. */
struct conn *conn_connect(struct loop *loop, const struct sockaddr *addr, socklen_t len,
    const struct sockaddr *source, socklen_t source_len, size_t max_input,
    const struct conn_ops *ops, void *arg, struct why *why);

/* Close at once, without a flush; no callback follows. NULL is fine. */
void conn_free(struct conn *conn);

/* Flush the output (5 s at most), say close_notify, then free. No callback follows. */
void conn_close(struct conn *conn);

/* Begin TLS. Input not yet used is thrown away: `*dropped` gets how much it was. */
MUST_CHECK enum rc conn_start_tls_server(
    struct conn *conn, struct tls_server *server, size_t *dropped);
MUST_CHECK enum rc conn_start_tls_client(
    struct conn *conn, struct tls_client *client, const char *host, bool verify, size_t *dropped);

/* Append to the output; it is sent when the callback under way returns, or at once outside of one.
 * Running out of memory ends the connection (on_end). */
void conn_write(struct conn *conn, struct span bytes);
size_t conn_unsent(const struct conn *conn);

void conn_pause(struct conn *conn);  /* no on_data, no reading */
void conn_resume(struct conn *conn); /* on_data follows from the loop when input waits */

bool conn_is_tls(const struct conn *conn);
/* "TLSv1.3" and "TLS_AES_256_GCM_SHA384", or "" each. */
const char *conn_tls_version(const struct conn *conn);
const char *conn_tls_cipher(const struct conn *conn);

/* "192.0.2.1", "2001:db8::1"; IPv4-mapped addresses as IPv4. */
#define CONN_ADDRESS_LEN 64
void conn_format_address(const struct sockaddr *addr, char out[CONN_ADDRESS_LEN], unsigned *port);

#endif
