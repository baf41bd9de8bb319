/* delivery/client.h - the outbound SMTP session as a state machine: bytes in, bytes out (RFC 5321 3, 4;
 * 2920 pipelining; 3207 STARTTLS; 4954 AUTH; 1870 SIZE; 6152 8BITMIME).
 *
 * Owns no socket, timer or file. The channel feeds it what the peer says, sends what it writes, does the
 * handshake when it asks, and hands it the content. It trusts nothing the peer says: replies are matched
 * to commands by count, a missing or extra one ends the session. */
#ifndef DELIVERY_CLIENT_H
#define DELIVERY_CLIENT_H

#include "config/config.h"
#include "wire/outcome.h"
#include "util/buf.h"
#include "wire/dot.h"
#include "wire/reply.h"

/* What was sent, and where its reply leads. A 421, a reply that nobody asked for and whatever is not named here end the
 * session: OVER. */
enum client_state {
	CLIENT_GREETING, /* nothing yet. 220: EHLO */
	CLIENT_EHLO, /* EHLO. 250: STARTTLS, AUTH or READY, as policy and offer say; a refusal: HELO */
	CLIENT_HELO,	 /* HELO. 250: READY, unless the policy wants TLS or a login */
	CLIENT_STARTTLS, /* STARTTLS. 220: TLS; a refusal: AUTH or READY, when the policy allows it */
	CLIENT_TLS,   /* the channel does the handshake, then calls client_tls_done: EHLO again */
	CLIENT_AUTH,  /* AUTH PLAIN. 235: READY */
	CLIENT_READY, /* a mail may begin: client_mail */
	CLIENT_ENVELOPE, /* MAIL, RCPT, DATA; together if PIPELINING is offered. 354: BODY, or FINAL when no
			  * recipient was taken; a refusal of all: RSET */
	CLIENT_BODY,  /* the channel hands over the content, then calls client_body_end: FINAL */
	CLIENT_FINAL, /* the end of data. 2xx, 4xx, 5xx: READY */
	CLIENT_RSET,  /* RSET. 250: READY */
	CLIENT_OVER   /* say QUIT when polite, close */
};

struct client_options {
	const char *ehlo_name;		 /* all borrowed for the client's life */
	const char *username, *password; /* "": no AUTH */
	enum config_tls_policy tls;
	bool in_tls; /* TLS from the first byte, done */
};

struct client_recipient {
	const char *address; /* borrowed for the transaction */
	struct outcome outcome;
};

struct client_mail {
	const char *sender; /* borrowed; "": null */
	struct client_recipient *recipients;
	size_t count;
	uint64_t size;
	bool has_8bit;
};

struct client {
	enum client_state state;
	struct client_options options;
	struct reply_parser parser;
	struct ehlo_offer offer;
	bool in_tls, tls_refused;
	bool host_failed;   /* the session ended before any mail: another host may do better */
	struct outcome end; /* why the session is over */
	struct client_mail *mail;
	size_t sent, answered; /* envelope commands: 0 MAIL, 1..count RCPT, count + 1 DATA */
	size_t accepted;       /* recipients the peer took */
	struct dot_encoder dots;
	bool dummy_data;  /* DATA was taken though no recipient is valid */
	char last_two[2]; /* of the content: it must end in CR LF */
	uint64_t mails;	  /* finished on this session */
};

void client_init(struct client *client, const struct client_options *options);

/* Feed what has come; *used bytes were taken: all, unless the state is TLS or OVER then. A reply that comes while the
 * channel has the word (READY, BODY) is one too many and ends the session. Commands are appended to `out`. */
void client_feed(struct client *client, struct span in, size_t *used, struct buf *out);

void client_tls_done(struct client *client, struct buf *out);

/* In CLIENT_READY. `mail` is the caller's and stays until every recipient has an outcome, which is so when the
 * state is CLIENT_READY or CLIENT_OVER again. */
void client_mail(struct client *client, struct client_mail *mail, struct buf *out);

/* In CLIENT_BODY: the next content bytes, dot-stuffed to `out`; then the end of data. */
void client_body(struct client *client, struct span bytes, struct buf *out);
void client_body_end(struct client *client, struct buf *out);

/* The connection is lost, a deadline passed, TLS failed: give all open recipients this outcome. */
void client_abort(
    struct client *client, enum outcome_kind kind, int code, const char *status, const char *text);

const char *client_state_name(enum client_state state);

#endif
