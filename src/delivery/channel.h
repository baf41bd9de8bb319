/* delivery/channel.h - one outbound connection at a time to one site, and the attempts it serves.
 *
 * The core makes a channel, sends it one attempt after another, and closes it; between its creation and its
 * end a channel lives on one connection loop. It connects when an attempt needs it, keeps the connection for the
 * next one, connects anew when the peer has gone, tries the hosts in order, and falls back to clear text only where
 * the policy allows. Every attempt ends: each step and the whole have deadlines. */
#ifndef DELIVERY_CHANNEL_H
#define DELIVERY_CHANNEL_H

#include "config/config.h"
#include "delivery/client.h"
#include "dns/mx.h"
#include "net/conn.h"
#include "net/worker.h"
#include "spool/message.h"

struct channel;

/* What a channel needs to know; counted and immutable, shared by the channels of one site. */
struct delivery_policy {
	atomic_uint refs;
	struct config *config;	       /* reference */
	struct tls_client *tls_client; /* reference */
	struct worker_pool *workers;
	struct loop *core;
	enum config_tls_policy tls;
	char *username, *password; /* owned; "" : no AUTH */
	/* Who we are to the hosts; in the configuration. Addresses: "" lets the system choose, but in a pool hosts of
	 * that family are not tried. */
	const char *ehlo_name, *source_ipv4, *source_ipv6;
	bool is_pool;
};
struct delivery_policy *delivery_policy_ref(struct delivery_policy *policy);
void delivery_policy_unref(struct delivery_policy *policy);

/* Facts about how the attempt went, for logs, events and traces. */
struct attempt_report {
	char host[256]; /* "" when none was reached */
	char address[CONN_ADDRESS_LEN];
	unsigned port;
	char tls_version[16], tls_cipher[64];
	bool reused;  /* an open connection served it */
	bool kept;    /* the connection is there for the next one */
	bool unknown; /* the connection was lost after the end of data: it may have arrived */
	int64_t setup_us, transmit_us; /* connection and greeting; mail */
};

struct attempt {
	struct loop_msg msg; /* the channel's */
	struct channel *channel;
	struct message *message; /* reference */
	struct mx_result *hosts; /* reference */
	enum config_tls_policy
	    tls; /* for this message: the stricter of site and configuration set */
	size_t count;
	uint8_t *index;			     /* which recipients of the message */
	struct client_recipient *recipients; /* outcomes come back here */
	struct attempt_report report;
	void (*done)(struct attempt *attempt); /* on the core loop; owns the attempt */
	void *owner;
};

/* `index` lists `count` recipients of the message. Takes its own references. NULL: out of memory. */
struct attempt *attempt_new(
    struct message *message, struct mx_result *hosts, const uint8_t *index, size_t count);
void attempt_free(struct attempt *attempt);

/* On the core loop; `loop` is where the channel will live. NULL: out of memory. */
struct channel *channel_new(struct loop *loop, struct delivery_policy *policy);
void channel_send(struct channel *channel, struct attempt *attempt);
/* Says QUIT when it is idle, drops the connection when it is not (its attempt ends as deferred). The core must not
 * use the channel any more. */
void channel_close(struct channel *channel);

#endif
