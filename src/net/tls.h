/* net/tls.h - TLS contexts for both directions. The home of libssl together with net/conn.c.
 *
 * A context set is immutable and counted: a reload makes another one, open sessions keep theirs. Loading
 * blocks (files, key parsing); the rest may be used by any thread. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "util/rc.h"
#include "util/span.h"

struct config;
struct ssl_st;

/* Server side: TLS 1.2 and 1.3 with forward secrecy only; the certificate is chosen by SNI, unknown names
 * get "default" (or the first). Two certificates of one name (ECDSA and RSA) are offered both. */
struct tls_server;
MUST_CHECK enum rc tls_server_load(
    const struct config *config, struct tls_server **out, struct why *why);
struct tls_server *tls_server_ref(struct tls_server *server);
void tls_server_unref(struct tls_server *server);

/* Changes when one of the files was replaced or touched: compare to know when to load again. Blocks. */
uint64_t tls_server_files_stamp(const struct config *config);

/* Client side. `ca_file` "": the system's store. */
struct tls_client;
MUST_CHECK enum rc tls_client_load(
    const struct config *config, struct tls_client **out, struct why *why);
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client *client);

/* New session objects, owned by the caller (net/conn.c). verify: chain, expiry and `host` (RFC 6125, no
 * common name) must be good or the handshake fails. NULL: out of memory. */
struct ssl_st *tls_server_session(struct tls_server *server);
struct ssl_st *tls_client_session(struct tls_client *client, const char *host, bool verify);

/* A self-made certificate for `hostname` as DIR/self-signed.pem (certificate and key), made when it is
 * missing or does not fit. Blocks. */
MUST_CHECK enum rc tls_make_self_signed(const char *dir, const char *hostname, struct why *why);

/* OpenSSL's buffers for records and handshakes that are in use in the process. A connection that waits in a session for
 * the peer's next words needs none. */
size_t tls_buffers_held(void);

/* Text of this thread's last OpenSSL error, and an empty queue. */
void tls_last_error(char *out, size_t size);

#endif
