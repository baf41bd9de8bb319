/* fuzz/fuzz_envelope.c - what is read back from the spool: envelopes, and the states of recipients. The first byte of the
 * input is the number of recipients that the state is read for. What decodes survives a round trip. */
#include "config.h"

#include "fuzz/fuzz.h"

#include <string.h>

#include "queue/state.h"
#include "spool/digest.h"

static void
check_message(const struct message *m)
{
	MUST(m->recipient_count > 0 && m->recipient_count <= MESSAGE_RECIPIENTS_MAX);
	for (size_t i = 0; i < m->recipient_count; i++)
		MUST(m->recipients[i].address != NULL && m->recipients[i].orcpt != NULL);
	for (size_t i = 0; i < m->tag_count; i++)
		MUST(m->tags[i].name != NULL && m->tags[i].value != NULL);
	MUST(m->account != NULL && m->sender != NULL && m->envid != NULL);
}

static void
try_envelope(struct span in)
{
	struct message *first = message_new(), *second = message_new();
	struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
	size_t used;

	if (first != NULL && second != NULL && envelope_decode(in, first, &used) == RC_OK) {
		MUST(used <= in.len);
		check_message(first);
		envelope_encode(first, &once);
		/* Version 1 had one number less. */
		MUST(buf_len(&once) == used + (in.p[0] == 1 ? 8 : 0));
		MUST(envelope_decode(buf_span(&once), second, &used) == RC_OK);
		MUST(used == buf_len(&once));
		envelope_encode(second, &twice);
		MUST(span_eq(buf_span(&once), buf_span(&twice)));
		/* Cut anywhere it is no envelope. */
		for (size_t len = 0; len < used && len < 2000; len++) {
			struct message *cut = message_new();
			size_t n;

			MUST(cut == NULL ||
			     envelope_decode(span_first(buf_span(&once), len), cut, &n) == RC_BAD);
			message_unref(cut);
		}
	}
	message_unref(first);
	message_unref(second);
	buf_free(&once);
	buf_free(&twice);
}

/* A look sees what a copy would be, and its brief in a digest says the same again. */
static void
try_view(struct span in)
{
	struct message *copy = message_new();
	struct envelope view = { 0 }, brief = { 0 };
	struct scan_record record = { .header = { .type = RECORD_MESSAGE } };
	struct digest_entry entry;
	struct buf digest = BUF_EMPTY;
	size_t used = 0, seen = 0;
	enum rc rc = envelope_decode(in, copy, &used);

	MUST(envelope_view(in, &view, &seen) == rc);
	if (rc == RC_OK) {
		struct span rest;

		MUST(used == seen && view.message.recipient_count == copy->recipient_count);
		MUST(strcmp(view.message.account, copy->account) == 0);
		MUST(strcmp(view.message.envid, copy->envid) == 0);
		for (size_t i = 0; i < copy->recipient_count; i++)
			MUST(strcmp(view.message.recipients[i].address,
				 copy->recipients[i].address) == 0);
		digest_add(&digest, &record, &view.message);
		rest = buf_span(&digest);
		MUST(digest_get(&rest, &entry) == RC_OK && rest.len == 0);
		MUST(digest_brief_is_good(entry.extra));
		MUST(digest_envelope(entry.extra, &brief) == RC_OK);
		MUST(brief.message.recipient_count == copy->recipient_count);
		MUST(brief.message.accepted_ms == copy->accepted_ms);
		MUST(strcmp(brief.message.account, copy->account) == 0);
	}
	buf_free(&digest);
	envelope_free(&view);
	envelope_free(&brief);
	message_unref(copy);
}

static void
try_digest(struct span rest)
{
	struct envelope envelope = { 0 };
	struct digest_entry entry;

	while (digest_get(&rest, &entry) == RC_OK) {
		enum rc rc = digest_envelope(entry.extra, &envelope);

		MUST((rc == RC_OK) == digest_brief_is_good(entry.extra));
		if (rc == RC_OK)
			MUST(envelope.message.recipient_count > 0);
	}
	envelope_free(&envelope);
}

static void
try_state(struct span in, size_t count)
{
	struct recipient_state states[256];
	struct buf out = BUF_EMPTY;

	if (state_decode(in, states, count) != RC_OK)
		return;
	state_encode(states, count, &out);
	MUST(buf_len(&out) == in.len);
	for (size_t i = 0; i < in.len; i++)
		MUST(buf_span(&out).p[i] == in.p[i] || (i >= 3 && (i - 3) % 11 == 0));
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	try_envelope(span_make((const char *)data + 1, size - 1));
	try_view(span_make((const char *)data + 1, size - 1));
	try_digest(span_make((const char *)data + 1, size - 1));
	try_state(span_make((const char *)data + 1, size - 1), data[0]);
	return 0;
}
