/* submit/submit.h - the one way in: both doors (SMTP and HTTP) end here.
 *
 * A submission is filled by the door, on whatever loop it lives; submit_start takes it through the checks on the core
 * loop, the signature on a worker and the commit to the spool, and gives it back to the door's loop with the verdict.
 * Order of checks, first failure wins, nothing is counted (but the bytes of large texts, which came) or kept on refusal:
 * size, content (bare CR or LF), header syntax and duplicates, recipient count, rate of large texts, account may send,
 * configuration set, tags, identities, disk, quota, rate. doc/ARCHITECTURE.md has the path. */
#ifndef SUBMIT_SUBMIT_H
#define SUBMIT_SUBMIT_H

#include "account/account.h"
#include "config/config.h"
#include "configset/configset.h"
#include "identity/identity.h"
#include "mail/ses_headers.h"
#include "net/worker.h"
#include "queue/queue.h"
#include "sign/keyring.h"
#include "spool/spool.h"
#include "wire/dot.h"

struct submit;

struct submit_options {
	struct loop *core;
	struct worker_pool *workers;
	struct spool *spool;
	struct queue *queue;
	struct accounts *accounts;
	struct identities *identities;
	struct config_sets *sets;
	struct span secret; /* of this installation, for Feedback-ID; borrowed */
};

MUST_CHECK enum rc submit_new(
    const struct submit_options *options, struct submit **out, struct why *why);
void submit_free(struct submit *submit);	    /* when submit_pending is 0 */
size_t submit_pending(const struct submit *submit); /* core loop only */
/* The daemon stops: no large text waits for its turn any more, those that do are refused for the time being. What is
 * under way goes on. Core loop only; NULL is fine. */
void submit_stop(struct submit *submit);
/* And not for ever: what waits for a filter's answer is refused for the time being, and so is what comes after it. The
 * results come from the loop. Core loop only; NULL is fine. */
void submit_cut(struct submit *submit);

/* Core loop: use these from now on. Takes its own references. */
void submit_configure(struct submit *submit, struct config *config, struct keyring *keys);

struct submission_recipient {
	char *address; /* owned */
	char *orcpt;   /* owned, or NULL */
	unsigned notify;
};

struct submission {
	struct loop_msg msg;   /* submit's */
	struct worker_job job; /* submit's */

	/* ---- filled by the door; all owned by the submission ---- */
	struct loop *home;	    /* where `done` is to run */
	struct config *config;	    /* reference: the limits the door works under */
	char *account, *credential; /* names, after AUTH */
	char *listener, *client;    /* for the log: "submission", "host[192.0.2.1]" */
	const char *mechanism;	    /* static: of AUTH; "": the message did not come through SMTP */
	bool tls;		    /* it came in TLS */
	char *sender;		    /* MAIL FROM; "" null */
	char *envid;		    /* or NULL */
	int ret;
	struct submission_recipient *recipients;
	size_t recipient_count; /* as many as were given, also beyond the limit */
	struct buf body; /* the content, up to spool.memory_body; holds at least the header */
	int file_fd;	 /* -1, or the whole content in a file (then `body` is its beginning) */
	char file_name[SPOOL_LARGE_NAME];
	uint64_t size;	       /* of the content */
	uint64_t longest_line; /* of the content, without CR LF */
	bool has_8bit;
	bool too_long;	      /* over smtp.max_message: the content was thrown away */
	enum dot_fault fault; /* content that breaks the line rules, */
	uint64_t fault_at;    /* and where */

	/* ---- the verdict ---- */
	enum rc rc;
	struct why why; /* the reply for anything but RC_OK */
	struct message_id id;
	void (*done)(struct submission *submission); /* on `home`; the door frees the submission */
	void *owner;

	/* ---- submit's own, see pipeline.c ---- */
	struct list paced; /* in submit->paced, while its reply waits */
	struct timer pace_timer;
	void (*paced_done)(struct submission *submission, enum rc rc);
	struct submit *submit;
	struct header header;
	struct ses_headers ses;
	struct message *message;
	struct account_charge *charge;
	char *signer; /* the account whose keys sign it: it may send as an identity of another */
	struct sign_key *key;
	char *original_message_id;
	bool dropped;		   /* accepted, but nobody gets it: */
	char found[256];	   /* for this */
	bool signing;		   /* what fails from here on is the signature */
	const char *not_converted; /* why its 8-bit text is kept, or NULL */
	bool header_changed;	   /* by a milter: `message` has it, `header` does not */
};

struct submission *submission_new(void); /* NULL: out of memory */
void submission_free(struct submission *submission);
MUST_CHECK enum rc submission_add_recipient(
    struct submission *submission, struct span address, struct span orcpt, unsigned notify);

/* Any thread (home's). done() follows, never from inside the call. */
void submit_start(struct submit *submit, struct submission *submission);

#endif
