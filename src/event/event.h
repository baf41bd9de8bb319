/* event/event.h - facts about messages: one table of kinds; the log line and the counter come from it.
 *
 * The lines have Postfix's shape, so that its log readers count us (pflogsumm, fail2ban). Core loop only, except
 * the auth-failure line, which any thread may write. Addresses are shown as log.recipients says. */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "config/config.h"
#include "mail/message_id.h"
#include "util/span.h"
#include "wire/classify.h"

enum event_kind {
	EVENT_SEND,	/* accepted and durable */
	EVENT_REJECT,	/* refused after the end of data, or bad content */
	EVENT_DELIVERY, /* one recipient, for good */
	EVENT_BOUNCE,	/* one recipient, for good */
	EVENT_DELAY,	/* one recipient, will be tried again */
	EVENT_REMOVED,	/* nothing is left to do for the message */
	EVENT_KINDS
};

#define EVENT_QUEUE_ID_LEN 20
/* The short id of log lines and queue listings, from the spool's sequence number. */
void event_queue_id(uint64_t sequence, char out[EVENT_QUEUE_ID_LEN]);

/* How recipients are shown from now on; `secret` (copied, at most 64 bytes) keys their hashes. */
void event_configure(enum config_log_recipients recipients, struct span secret);

struct event_tag {
	const char *name, *value;
};

struct event_send {
	uint64_t sequence;
	const struct message_id *id;
	const char *listener, *client, *account, *credential, *sender, *configuration_set;
	const char *mechanism;		 /* "PLAIN"; "": it did not come through SMTP */
	const char *original_message_id; /* as the client gave it, or "" */
	const struct event_tag *tags;
	size_t tag_count;
	uint64_t size;
	size_t recipients;
};
void event_send(const struct event_send *event);

struct event_reject {
	const char *listener, *client, *account, *sender, *reply;
};
void event_reject(const struct event_reject *event);

/* Taken with 250, but not to be delivered: SES's Reject with the reason "Bad content". Counts as EVENT_REJECT. */
struct event_bad_content {
	const struct message_id *id;
	const char *listener, *client, *account, *sender;
	const char *found; /* "Eicar-Signature" */
	size_t recipients;
};
void event_bad_content(const struct event_bad_content *event);

struct event_recipient {
	enum event_kind kind; /* DELIVERY, BOUNCE or DELAY */
	uint64_t sequence;
	const struct message_id *id;
	const char *recipient, *account;
	const char *host, *address; /* "" when no host was reached */
	unsigned port;
	const char *tls_version;
	const char *status;	    /* "2.0.0" */
	enum failure_class failure; /* FAILURE_NONE of a DELIVERY */
	const char *reply;	    /* "250 2.0.0 ok" */
	/* Microseconds: from acceptance to the attempt, waiting for a connection slot, setting it up, sending. */
	int64_t queued_us, waited_us, setup_us, transmit_us;
};
void event_recipient(const struct event_recipient *event);

void event_removed(uint64_t sequence, const struct message_id *id);

/* "SASL PLAIN authentication failed: reason": fail2ban's postfix rules know it. */
void event_auth_failed(const char *listener, const char *client, const char *mechanism,
    struct span user, const char *reason);

/* How many of each kind since start. */
uint64_t event_count(enum event_kind kind);
/* Of them, BOUNCE or DELAY, those of a class. */
uint64_t event_class_count(enum event_kind kind, enum failure_class failure);
const char *event_name(enum event_kind kind); /* "Send", "Bounce", ... as SES has them */

#endif
