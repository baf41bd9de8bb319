/* submit/internal.h - the stages of the way in; pipeline.c calls them in order. */
#ifndef SUBMIT_INTERNAL_H
#define SUBMIT_INTERNAL_H

#include "submit/submit.h"

#include "filter/filter.h"
#include "util/crypto.h"
#include "util/hash.h"

struct submit {
	struct submit_options options;
	struct config *config;
	struct keyring *keys;
	struct map
	    feedback; /* what stands for an account and identity in Feedback-ID, by "ACCOUNT/IDENTITY" */
	struct filters *filters;
	struct list paced; /* submissions that wait */
	size_t pending;
	bool stopping, cut;
};

/* check.c: what the content itself says; no shared state, on home's loop. Fills submission->header. */
MUST_CHECK enum rc check_content(
    struct submission *s, const struct config *config, struct why *why);

/* content.c: the names of attachments. Any thread; *again: the content is in a file and has to be read, by a worker with
 * may_block. */
MUST_CHECK enum rc content_check_names(
    struct submission *s, bool may_block, bool *again, struct why *why);

/* content.c: on the core. Shows the composed message to clamd and milters, which may change it; then `done`, perhaps from
 * inside the call: RC_OK, with s->dropped when nobody is to get it, or what it is refused for. */
void content_ask(struct submission *s, void (*done)(struct submission *s, enum rc rc));

/* pace.c: on the core. A large text waits for its turn; then `done`, perhaps from inside the call: RC_OK, or what it is
 * refused for. What waits is refused by pace_stop. */
void pace(struct submission *s, void (*done)(struct submission *s, enum rc rc));
void pace_stop(struct submit *submit);

/* policy.c: on the core. Fills submission->ses, charge; *set and *identity are the ones in force (set may be NULL). */
MUST_CHECK enum rc policy_apply(struct submit *submit, struct submission *s,
    const struct config_set **set, const struct identity **identity, struct why *why);

/* policy.c: the identity of `account` whose key signs mail with this From value, or NULL. */
const struct identity *policy_signer(
    const struct submit *submit, const char *account, struct span from);

/* compose.c: on the core. The outgoing message without its signature, from what the submission holds: the body moves
 * into it. */
MUST_CHECK enum rc compose(struct submit *submit, struct submission *s,
    const struct config_set *set, const struct identity *identity, struct message **out,
    struct why *why);

/* compose.c: forgets what add_feedback_id has worked out. */
void compose_forget(struct submit *submit);

/* body.c: the body of a composed message, from memory in one piece, or from its file in chunks. Blocks. body_end follows in
 * any case. */
struct body_reader {
	const struct message *message; /* borrowed */
	bool memory_given;
	uint64_t file_at;
	char *chunk;
};
MUST_CHECK enum rc body_begin(struct body_reader *reader, const struct message *message);
/* The next piece, borrowed until the next call; empty at the end. arg: the reader. */
MUST_CHECK enum rc body_next(void *arg, struct span *piece, struct why *why);
void body_end(struct body_reader *reader);

/* body.c: the body is in memory, and longer than one may be there (a milter has made it so); into a file with it. Blocks. On
 * failure the message is what it was. */
bool body_is_too_long(const struct submission *s);
MUST_CHECK enum rc body_spill(struct submission *s, struct why *why);

/* convert.c: the composed message, without its signature, becomes 7-bit as far as it can; whether that is to be. Blocks. On
 * failure the message is what it was. */
bool convert_is_wanted(const struct submission *s);
MUST_CHECK enum rc convert(struct submission *s, struct why *why);

/* compose.c: puts the signature in front of the header. */
MUST_CHECK enum rc compose_add_signature(struct message *message, struct buf *signature);

/* How often a message has passed through us, as its own header tells (robust against loops without Received). */
#define HOP_FIELD "X-Postrider-Hops"
enum {
	HOPS_MAX = 25,
	RECEIVED_MAX = 50
};

#endif
