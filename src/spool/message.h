/* spool/message.h - a message as the daemon holds it: envelope, and content in pieces.
 *
 * Counted and immutable once built, so that the core, a worker and a connection loop can share it. The
 * content is the outgoing message (header as edited, empty line, body) in CR LF lines, not dot-stuffed:
 * pieces in memory, and for a large message the rest in a file. */
#ifndef SPOOL_MESSAGE_H
#define SPOOL_MESSAGE_H

#include <stdatomic.h>

#include "mail/message_id.h"
#include "util/buf.h"

enum {
	MESSAGE_RECIPIENTS_MAX = 100
};

struct message_recipient {
	char *address; /* local@domain as it goes out */
	char *orcpt;   /* "" */
	unsigned notify;
};

struct message_tag {
	char *name, *value;
};

struct message {
	atomic_uint refs;
	struct message_id id;
	int64_t accepted_ms; /* wall clock */

	/* All owned, never NULL. */
	char *account, *credential, *configuration_set, *identity;
	char *sender;	   /* envelope sender as the client gave it; "": null */
	char *return_path; /* envelope sender we use outwards; "": null */
	char *client;	   /* "name[address]" as the log has it */
	char *envid;
	int ret;	       /* DSN_RET_ of wire/command.h */
	int64_t max_age_ms;    /* give up after; 0: the default */
	int64_t not_before_ms; /* wall clock: no attempt before; 0: at once */
	int tls; /* enum config_tls_policy the configuration set asks for; -1: the default */
	struct message_recipient *recipients;
	size_t recipient_count;
	struct message_tag *tags;
	size_t tag_count;
	bool has_8bit; /* body or header: needs 8BITMIME */
	bool notice;   /* made by us (a DSN): its failure is logged, never answered */

	/* Content. */
	struct span *pieces; /* owned array; the bytes belong to `owned` or `release` */
	size_t piece_count;
	uint64_t size; /* bytes of all pieces and the file part */
	int file_fd;   /* -1: all in memory; else file_size bytes from file_at follow the pieces */
	uint64_t file_at, file_size;
	char *file_name; /* owned; temporary name until the spool has it, or NULL */
	void **owned;	 /* memory freed with the message */
	size_t owned_count;
};

struct message *message_new(void); /* one reference; NULL: out of memory */
struct message *message_ref(struct message *message);
void message_unref(struct message *message); /* NULL is fine */

/* Hand `memory` (malloc) over to the message. RC_LATER: out of memory, and it was freed. */
MUST_CHECK enum rc message_own(struct message *message, void *memory);

/* Free what was handed over so: no piece may lie in it any more. Anything else is left alone. */
void message_disown(struct message *message, const void *memory);

/* A copy of `s` as an owned string field; NULL: out of memory. */
MUST_CHECK enum rc message_set(char **field, struct span s);

MUST_CHECK enum rc message_add_recipient(
    struct message *message, struct span address, struct span orcpt, unsigned notify);
MUST_CHECK enum rc message_add_tag(struct message *message, struct span name, struct span value);

/* The envelope as the spool keeps it: length-prefixed fields, never lines. Appended to `out`. Format in
 * postrider-spool(5). */
void envelope_encode(const struct message *message, struct buf *out);

/* The other way. RC_BAD when the bytes are not an envelope; *used is its length. Content is left empty. */
MUST_CHECK enum rc envelope_decode(struct span bytes, struct message *out, size_t *used);

/* An envelope that is only looked at: the strings lie in one block that serves for the next one, too. Begin with all
 * zero. Tags are not kept. */
struct envelope {
	struct message message; /* not counted; good until the next call */
	char *arena;
	size_t arena_size, recipients_size;
};
void envelope_free(struct envelope *envelope);
/* Makes room, and sets all strings empty; `message.recipients` has that many, of which none count yet. */
MUST_CHECK enum rc envelope_prepare(struct envelope *envelope, size_t bytes, size_t recipients);
/* As envelope_decode. */
MUST_CHECK enum rc envelope_view(struct span bytes, struct envelope *out, size_t *used);

#endif
