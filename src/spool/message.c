/* spool/message.c - the message object and the binary form of its envelope.
 *
 * In: bytes from disk, whose checksum was right, and still nothing is believed: every length is checked
 * against what is left. Always true: string fields are never NULL after message_new. */
#include "config.h"

#include "spool/message.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/le.h"

enum {
	ENVELOPE_VERSION = 2, /* 1 has no not_before_ms */
	ENVELOPE_OLDEST = 1
};

/* The string fields in the order of the format. */
static char **
string_field(struct message *m, size_t i)
{
	char **const fields[] = { &m->account, &m->credential, &m->configuration_set, &m->identity,
		&m->sender, &m->return_path, &m->client, &m->envid };

	return i < ARRAY_LEN(fields) ? fields[i] : NULL;
}

enum rc
message_set(char **field, struct span s)
{
	char *copy = span_dup(s);

	if (copy == NULL)
		return RC_LATER;
	free(*field);
	*field = copy;
	return RC_OK;
}

struct message *
message_new(void)
{
	struct message *m = calloc(1, sizeof *m);
	char **field;

	if (m == NULL)
		return NULL;
	m->refs = 1;
	m->file_fd = -1;
	m->tls = -1;
	for (size_t i = 0; (field = string_field(m, i)) != NULL; i++)
		if (message_set(field, SPAN_EMPTY) != RC_OK) {
			message_unref(m);
			return NULL;
		}
	return m;
}

struct message *
message_ref(struct message *message)
{
	message->refs++;
	return message;
}

void
message_unref(struct message *m)
{
	char **field;

	if (m == NULL || --m->refs > 0)
		return;
	for (size_t i = 0; (field = string_field(m, i)) != NULL; i++)
		free(*field);
	for (size_t i = 0; i < m->recipient_count; i++) {
		free(m->recipients[i].address);
		free(m->recipients[i].orcpt);
	}
	for (size_t i = 0; i < m->tag_count; i++) {
		free(m->tags[i].name);
		free(m->tags[i].value);
	}
	for (size_t i = 0; i < m->owned_count; i++)
		free(m->owned[i]);
	free(m->owned);
	free(m->recipients);
	free(m->tags);
	free(m->pieces);
	free(m->file_name);
	if (m->file_fd >= 0)
		(void)close(m->file_fd);
	free(m);
}

enum rc
message_own(struct message *message, void *memory)
{
	void **owned;

	if (memory == NULL)
		return RC_OK;
	owned = realloc(message->owned, (message->owned_count + 1) * sizeof(void *));
	if (owned == NULL) {
		free(memory);
		return RC_LATER;
	}
	message->owned = owned;
	message->owned[message->owned_count++] = memory;
	return RC_OK;
}

void
message_disown(struct message *message, const void *memory)
{
	for (size_t i = 0; i < message->owned_count; i++)
		if (message->owned[i] == memory) {
			free(message->owned[i]);
			message->owned[i] = message->owned[--message->owned_count];
			return;
		}
}

enum rc
message_add_recipient(
    struct message *message, struct span address, struct span orcpt, unsigned notify)
{
	struct message_recipient *list, *r;

	if (message->recipient_count >= MESSAGE_RECIPIENTS_MAX)
		return RC_BAD;
	list = realloc(message->recipients, (message->recipient_count + 1) * sizeof *list);
	if (list == NULL)
		return RC_LATER;
	message->recipients = list;
	r = &list[message->recipient_count];
	*r = (struct message_recipient){ span_dup(address), span_dup(orcpt), notify };
	message->recipient_count++;
	return r->address != NULL && r->orcpt != NULL ? RC_OK : RC_LATER;
}

enum rc
message_add_tag(struct message *message, struct span name, struct span value)
{
	struct message_tag *list, *t;

	list = realloc(message->tags, (message->tag_count + 1) * sizeof *list);
	if (list == NULL)
		return RC_LATER;
	message->tags = list;
	t = &list[message->tag_count++];
	*t = (struct message_tag){ span_dup(name), span_dup(value) };
	return t->name != NULL && t->value != NULL ? RC_OK : RC_LATER;
}

/* ------------------------------------------------------------------ envelope ------------------ */

static void
put_string(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	le_add(out, len, 2); /* every field is far below 64 KiB: checked where it came in */
	buf_add(out, text, len);
}

void
envelope_encode(const struct message *message, struct buf *out)
{
	struct message *m =
	    (struct message *)(uintptr_t)message; /* string_field serves both ways */
	char **field;

	le_add(out, ENVELOPE_VERSION, 1);
	le_add(out, m->id.stamp, 8);
	buf_add(out, m->id.uuid, sizeof m->id.uuid);
	le_add(out, (uint64_t)m->accepted_ms, 8);
	le_add(out, (uint64_t)m->max_age_ms, 8);
	le_add(out, (uint64_t)(m->tls + 1), 1);
	le_add(out, (uint64_t)m->ret, 1);
	le_add(out, (m->has_8bit ? 1U : 0) | (m->notice ? 2U : 0), 1);
	le_add(out, (uint64_t)m->not_before_ms, 8);
	for (size_t i = 0; (field = string_field(m, i)) != NULL; i++)
		put_string(out, *field);
	le_add(out, m->recipient_count, 2);
	for (size_t i = 0; i < m->recipient_count; i++) {
		put_string(out, m->recipients[i].address);
		put_string(out, m->recipients[i].orcpt);
		le_add(out, m->recipients[i].notify, 1);
	}
	le_add(out, m->tag_count, 2);
	for (size_t i = 0; i < m->tag_count; i++) {
		put_string(out, m->tags[i].name);
		put_string(out, m->tags[i].value);
	}
}

/* A cursor over the bytes; `bad` is set by the first read past their end. */
struct cursor {
	struct span left;
	bool bad;
};

static uint64_t
get_number(struct cursor *c, size_t bytes)
{
	uint64_t value;

	if (c->left.len < bytes) {
		c->bad = true;
		return 0;
	}
	value = le_get(c->left.p, bytes);
	c->left = span_skip(c->left, bytes);
	return value;
}

static struct span
get_string(struct cursor *c)
{
	size_t len = (size_t)get_number(c, 2);
	struct span s;

	if (c->bad || c->left.len < len || memchr(c->left.p, '\0', len) != NULL) {
		c->bad = true;
		return SPAN_EMPTY;
	}
	s = span_first(c->left, len);
	c->left = span_skip(c->left, len);
	return s;
}

/* ---- an owned copy ---- */

static enum rc
decode_recipients(struct cursor *c, struct message *out)
{
	size_t count = (size_t)get_number(c, 2);

	for (size_t i = 0; !c->bad && i < count; i++) {
		struct span address = get_string(c), orcpt = get_string(c);
		unsigned notify = (unsigned)get_number(c, 1);
		enum rc rc = c->bad ? RC_BAD : message_add_recipient(out, address, orcpt, notify);

		if (rc != RC_OK)
			return rc;
	}
	return c->bad || out->recipient_count == 0 ? RC_BAD : RC_OK;
}

/* Into `out`, or past them when it is NULL. */
static enum rc
decode_tags(struct cursor *c, struct message *out)
{
	size_t count = (size_t)get_number(c, 2);

	for (size_t i = 0; !c->bad && i < count; i++) {
		struct span name = get_string(c), value = get_string(c);
		enum rc rc = c->bad ? RC_BAD : RC_OK;

		if (rc == RC_OK && out != NULL)
			rc = message_add_tag(out, name, value);
		if (rc != RC_OK)
			return rc;
	}
	return c->bad ? RC_BAD : RC_OK;
}

static bool
decode_numbers(struct cursor *c, struct message *out)
{
	uint64_t flags, version = get_number(c, 1);

	if (version < ENVELOPE_OLDEST || version > ENVELOPE_VERSION || c->bad)
		return false;
	out->id.stamp = get_number(c, 8);
	if (c->left.len < sizeof out->id.uuid)
		return false;
	memcpy(out->id.uuid, c->left.p, sizeof out->id.uuid);
	c->left = span_skip(c->left, sizeof out->id.uuid);
	out->accepted_ms = (int64_t)get_number(c, 8);
	out->max_age_ms = (int64_t)get_number(c, 8);
	out->tls = (int)get_number(c, 1) - 1;
	out->ret = (int)get_number(c, 1);
	flags = get_number(c, 1);
	out->has_8bit = (flags & 1) != 0;
	out->notice = (flags & 2) != 0;
	out->not_before_ms = version >= 2 ? (int64_t)get_number(c, 8) : 0;
	return !c->bad;
}

enum rc
envelope_decode(struct span bytes, struct message *out, size_t *used)
{
	struct cursor c = { bytes, false };
	char **field;
	enum rc rc;

	if (!decode_numbers(&c, out))
		return RC_BAD;
	for (size_t i = 0; !c.bad && (field = string_field(out, i)) != NULL; i++) {
		struct span s = get_string(&c);

		if (!c.bad && message_set(field, s) != RC_OK)
			return RC_LATER;
	}
	rc = c.bad ? RC_BAD : decode_recipients(&c, out);
	if (rc == RC_OK)
		rc = decode_tags(&c, out);
	*used = bytes.len - c.left.len;
	return rc;
}

/* ---- a look ---- */

void
envelope_free(struct envelope *envelope)
{
	free(envelope->arena);
	free(envelope->message.recipients);
	*envelope = (struct envelope){ 0 };
}

enum rc
envelope_prepare(struct envelope *e, size_t bytes, size_t recipients)
{
	static char empty[1];
	struct message_recipient *list = e->message.recipients;
	char **field;

	if (bytes > e->arena_size) {
		free(e->arena);
		e->arena_size = 0;
		e->arena = malloc(bytes);
		if (e->arena == NULL)
			return RC_LATER;
		e->arena_size = bytes;
	}
	if (recipients > e->recipients_size) {
		list = realloc(list, recipients * sizeof *list);
		if (list == NULL)
			return RC_LATER;
		e->recipients_size = recipients;
	}
	e->message = (struct message){ .file_fd = -1, .tls = -1, .recipients = list };
	for (size_t i = 0; (field = string_field(&e->message, i)) != NULL; i++)
		*field = empty;
	for (size_t i = 0; i < recipients; i++)
		list[i] = (struct message_recipient){ empty, empty, 0 };
	return RC_OK;
}

/* The length in front of each string leaves room for the NUL behind it. */
static char *
view_string(struct cursor *c, char **arena)
{
	struct span s = get_string(c);
	char *text = *arena;

	memcpy(text, s.p != NULL ? s.p : "", s.len);
	text[s.len] = '\0';
	*arena = text + s.len + 1;
	return text;
}

enum rc
envelope_view(struct span bytes, struct envelope *out, size_t *used)
{
	struct cursor c = { bytes, false };
	struct message *m = &out->message;
	size_t count;
	char **field, *arena;
	enum rc rc = envelope_prepare(out, bytes.len + 8, MESSAGE_RECIPIENTS_MAX);

	if (rc != RC_OK)
		return rc;
	arena = out->arena;
	if (!decode_numbers(&c, m))
		return RC_BAD;
	for (size_t i = 0; !c.bad && (field = string_field(m, i)) != NULL; i++)
		*field = view_string(&c, &arena);
	count = (size_t)get_number(&c, 2);
	if (c.bad || count == 0 || count > MESSAGE_RECIPIENTS_MAX)
		return RC_BAD;
	for (size_t i = 0; !c.bad && i < count; i++) {
		m->recipients[i].address = view_string(&c, &arena);
		m->recipients[i].orcpt = view_string(&c, &arena);
		m->recipients[i].notify = (unsigned)get_number(&c, 1);
	}
	m->recipient_count = count;
	rc = c.bad ? RC_BAD : decode_tags(&c, NULL);
	*used = bytes.len - c.left.len;
	return rc;
}
