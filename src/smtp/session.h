/* smtp/session.h - one SMTP session on the server's side (RFC 5321, 3207, 4954, 2920, 1870, 6152): bytes in, bytes
 * out. Owns no socket and no timer; what is slow goes out through session_host, and its result comes back in.
 *
 * A session lives as long as its connection, a transaction (the submission under construction) as long as one MAIL:
 * a mail ends by freeing it, not by resetting fields. */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "auth/credentials.h"
#include "config/config.h"
#include "submit/submit.h"
#include "util/buf.h"

struct session;

/* What the caller does after session_feed. */
enum session_want {
	SESSION_READ,  /* feed more when it comes */
	SESSION_WAIT,  /* feed nothing until one of the results has been given */
	SESSION_PAUSE, /* feed nothing for session_delay_ms, then session_resume */
	SESSION_STARTTLS, /* send the output in clear, throw the input away, do the handshake, session_tls_started */
	SESSION_CLOSE /* send the output, close */
};

struct session_host {
	/* Answers with session_auth_result, at once or later. */
	void (*check_credential)(void *arg, const char *id, const char *password);
	/* Takes the submission; answers with session_submit_result. */
	void (*submit)(void *arg, struct submission *submission);
	/* Write `bytes` to the submission's file (made when file_fd is -1) and clear them; answers with
	 * session_spill_result. */
	void (*spill)(void *arg, struct submission *submission, struct buf *bytes);
	/* The transaction ends without a submission: the file, if any, goes away. */
	void (*discard)(void *arg, struct submission *submission);
	/* Whether memory for `bytes` more of content may be used; with -bytes given back. */
	bool (*budget)(void *arg, int64_t bytes);
};

struct session_options {
	const struct session_host *host;
	void *arg;
	struct config *config; /* reference is taken */
	struct loop *loop;     /* home of submissions */
	const char *listener;  /* all borrowed for the session's life */
	const char *peer;      /* "192.0.2.1" */
	enum config_tls_mode tls;
	bool auth_without_tls;
};

struct session *session_new(const struct session_options *options); /* NULL: out of memory */
void session_free(struct session *session);

/* The greeting; once, before anything is fed (after the handshake on implicit TLS). */
void session_greet(struct session *session, struct buf *out);

/* Take what can be taken of `in`, append replies to `out`. Returns the bytes used. */
size_t session_feed(struct session *session, struct span in, struct buf *out);
enum session_want session_want(const struct session *session);
int64_t session_delay_ms(const struct session *session);
void session_resume(struct session *session, struct buf *out);

void session_tls_started(struct session *session);
void session_auth_result(struct session *session, enum rc rc, const struct login *login,
    const char *reason, struct buf *out);
void session_submit_result(struct session *session, struct submission *submission, struct buf *out);
void session_spill_result(struct session *session, enum rc rc, struct buf *out);

/* How long the session may go on as it is: the deadline for the command or message part under way. */
int64_t session_deadline_ms(const struct session *session);
/* Counts up whenever a new deadline begins: a byte of a command that drips in does not change it. */
uint64_t session_progress(const struct session *session);
/* The deadline has passed, or the server stops: the last words. */
void session_timeout(struct session *session, struct buf *out);
void session_shutdown(struct session *session, struct buf *out);

bool session_is_authenticated(const struct session *session);
bool session_in_transaction(
    const struct session *session); /* content is arriving or being stored */

#endif
