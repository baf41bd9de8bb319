/* wire/classify.h - why a recipient was refused: one word for it, and what Amazon SES calls it.
 *
 * The table in classify.c is the whole of it; postrider-bounces(5) is that table for operators. Pure. */
#ifndef WIRE_CLASSIFY_H
#define WIRE_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>

/* What the host had been asked when it refused. */
enum smtp_stage {
	STAGE_HELLO, /* greeting, EHLO, RSET, or nothing */
	STAGE_TLS,   /* STARTTLS */
	STAGE_AUTH,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA, /* DATA, the text, its end */
	SMTP_STAGES
};

enum failure_class {
	FAILURE_NONE, /* it is none */
	FAILURE_MAILBOX_UNKNOWN,
	FAILURE_MAILBOX_DISABLED,
	FAILURE_MAILBOX_FULL,
	FAILURE_BAD_DOMAIN,
	FAILURE_LOOP,
	FAILURE_RELAY_DENIED,
	FAILURE_SENDER_REFUSED,
	FAILURE_RECIPIENT_LIMIT,
	FAILURE_RATE_LIMITED,
	FAILURE_GREYLISTED,
	FAILURE_REPUTATION,
	FAILURE_AUTH_POLICY,
	FAILURE_SPAM_CONTENT,
	FAILURE_ATTACHMENT,
	FAILURE_CONTENT,
	FAILURE_TOO_LARGE,
	FAILURE_POLICY,
	FAILURE_TLS,
	FAILURE_LOGIN,
	FAILURE_DNS,
	FAILURE_CONNECTION,
	FAILURE_PROTOCOL,
	FAILURE_REMOTE_SYSTEM,
	FAILURE_LOCAL,
	FAILURE_EXPIRED,
	FAILURE_CUSTOM_TIMEOUT,
	FAILURE_SUPPRESSED,
	FAILURE_ON_ACCOUNT_LIST,
	FAILURE_SIMULATED,
	FAILURE_OTHER,
	FAILURE_UNDETERMINED,
	FAILURE_CLASSES
};

struct failure_info {
	const char *word;	    /* "mailbox-unknown": of logs and counters */
	const char *bounce_type;    /* bounceType of the event, when the recipient has failed */
	const char *bounce_subtype; /* bounceSubType */
	const char *delay_type;	    /* delayType of the event, when it will be tried again */
	const char *detail; /* subject and detail of RFC 3463, for replies that have no status */
};
const struct failure_info *failure_info(enum failure_class failure); /* never NULL */

/* Borrowed until the call returns. */
struct refusal {
	bool remote;	       /* a reply; else the cause is our own, and its status says which */
	enum smtp_stage stage; /* of a reply */
	int code;	       /* 400 to 599 */
	const char *status;    /* "5.1.1" or "" */
	const char *text;      /* of the reply, its lines joined by one blank */
};

struct classified {
	enum failure_class failure;
	bool later;  /* a 5xx that is not meant for good: try again */
	size_t rule; /* which row decided, below CLASSIFY_RULES: for tests */
};
struct classified classify(const struct refusal *refusal);

size_t classify_rule_count(void); /* for tests */

#endif
