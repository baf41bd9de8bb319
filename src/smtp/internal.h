/* smtp/internal.h - the session object, shared by session.c (commands), auth.c and data.c. */
#ifndef SMTP_INTERNAL_H
#define SMTP_INTERNAL_H

#include "smtp/session.h"
#include "wire/command.h"
#include "wire/dot.h"

/* Where the session is; which command is good in which state is the table in session.c. */
enum session_state {
	STATE_START, /* before EHLO */
	STATE_READY,
	STATE_MAIL,  /* after MAIL */
	STATE_RCPT,  /* after at least one RCPT */
	STATE_AUTH,  /* inside an AUTH exchange */
	STATE_DATA,  /* content is arriving */
	STATE_STORE, /* the submission is on its way */
	STATE_STATES
};

struct session {
	struct session_options options;
	struct config *config;
	enum session_state state;
	enum session_want want;
	bool in_tls, esmtp, greeted;
	char *helo;   /* owned, or NULL */
	char *client; /* "helo[address]" for logs; owned */

	/* AUTH */
	struct auth_exchange *exchange;
	char *account, *credential; /* owned; NULL before AUTH */
	enum config_profile profile;
	unsigned auth_failures;
	char mechanism[16];

	/* Misbehaviour */
	unsigned errors, idle_commands, unknown;
	int64_t delay_ms;
	struct buf delayed; /* what is said after the delay */
	bool close_after_delay;

	/* The transaction */
	struct submission *mail; /* after MAIL, or NULL */
	struct dot_decoder dots;
	struct buf pending; /* content on its way to the file */
	bool spilled, content_over, spill_failed;
	bool header_kept; /* of a message that goes to a file: what is in memory holds the header */
	int64_t budget;	  /* bytes of content memory asked for */
	uint64_t progress;
};

/* session.c */
void session_reply(struct session *session, struct buf *out, int code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void session_reply_why(struct session *session, struct buf *out, const struct why *why);
/* An error of the client: replied at once, later with growing delay, in the end with 421. */
void session_error(struct session *session, struct buf *out, int code, const char *text);
void session_set_state(struct session *session, enum session_state state);
void session_end_mail(struct session *session);
/* Say `text` after delay_ms, then go on (or close). */
void session_say_later(
    struct session *session, int64_t delay_ms, bool close, int code, const char *text);

/* auth.c */
void session_on_auth(struct session *session, const struct command *command, struct buf *out);
void session_auth_end(struct session *session); /* the exchange is over, whatever came of it */
void session_auth_line(struct session *session, struct span line, struct buf *out);

/* data.c */
void session_on_data(struct session *session, const struct command *command, struct buf *out);
size_t session_data_bytes(struct session *session, struct span in, struct buf *out);

#endif
