/* unit/smtp/fake_host.h - what stands in for smtp/server.c in tests: feeds a session, answers what it asks, and writes
 * down what it says.
 *
 * Beside the replies, `out` gets lines in angle brackets for what is no reply: "<pause 500>", "<tls>", "<close>", and
 * "<mail from to,to>" when a submission is handed over. So a whole dialog is compared as one text. */
#ifndef UNIT_SMTP_FAKE_HOST_H
#define UNIT_SMTP_FAKE_HOST_H

#include "smtp/session.h"

/* Good credentials of every fake, as AUTH PLAIN has them: "user" with the password "secret". */
#define FAKE_PLAIN "AHVzZXIAc2VjcmV0"
#define FAKE_ID	   "010001930000abcd-01010101-0101-4101-8101-010101010101-000000"

struct fake {
	/* ---- set before fake_begin; all zero is fine ---- */
	enum config_tls_mode tls;
	bool auth_without_tls;
	enum config_profile profile;
	bool hold_submit, hold_spill; /* the answer comes with fake_submit_done, fake_spill_done */
	bool spill_fails, spill_refused; /* the write fails; it cannot even be started */
	bool auth_is_down;		 /* the credentials cannot be checked */
	bool silent;			 /* no lines in angle brackets */
	int64_t budget;			 /* bytes of content memory; 0: no limit */
	struct why verdict;		 /* code 0: messages are accepted */

	/* ---- what has happened ---- */
	struct session *session;
	struct config *config;
	struct buf in, out;
	struct buf content; /* of the last submission */
	struct buf file;    /* what was spilled of the message under way */
	struct submission *submission, *spilling;
	bool has_file, tls_started, closed;
	bool in_submission; /* the last one had a file */
	int64_t budget_used, paused_ms;
	unsigned submissions, spills, discards;
	size_t most_input; /* most bytes a session left unused */
	size_t kept;	   /* bytes of the last submission in memory */
};

/* `config` is borrowed. Out holds the greeting after it. */
void fake_begin(struct fake *fake, struct config *config);
void fake_end(struct fake *fake); /* in whatever state the session is */

/* One packet, handed to the session in pieces of `piece` bytes. What stands behind STARTTLS in it is thrown away. */
void fake_say(struct fake *fake, struct span packet, size_t piece);
void fake_submit_done(struct fake *fake);
void fake_spill_done(struct fake *fake, enum rc rc);

#endif
