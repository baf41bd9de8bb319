/* fuzz/fuzz_header.c - the fields make up the block without a gap; a rewrite without edits gives it back. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "mail/header.h"
#include "mail/rewrite.h"
#include "util/buf.h"

static void
check_fields(struct span block, const struct header *header)
{
	struct buf text = BUF_EMPTY;
	size_t at = 0;

	for (size_t i = 0; i < header->count; i++) {
		const struct header_field *field = &header->fields[i];

		MUST(field->whole.p == block.p + at && field->whole.len <= HEADER_FIELD_MAX);
		MUST(field->name.p == field->whole.p && field->name.len > 0);
		MUST(field->name.len <= HEADER_NAME_MAX);
		MUST(field->name.len + 1 + field->value.len + 2 == field->whole.len);
		buf_clear(&text);
		header_unfold(field->value, &text);
		MUST(span_find(buf_span(&text), '\r') == buf_len(&text));
		MUST(span_find(buf_span(&text), '\n') == buf_len(&text));
		MUST(header_find(header, field->name) != NULL);
		at += field->whole.len;
	}
	MUST(at == header->size && at <= HEADER_BLOCK_MAX && header->count <= HEADER_COUNT_MAX);
	MUST(header->body_at == at ? at == block.len : header->body_at == at + 2);
	buf_free(&text);
}

static void
join(const struct rewrite *rewrite, struct buf *out)
{
	struct span *pieces;
	size_t count;

	MUST(rewrite_pieces(rewrite, &pieces, &count) == RC_OK);
	for (size_t i = 0; i < count; i++)
		buf_add_span(out, pieces[i]);
	free(pieces);
}

static void
check_rewrite(struct span block, const struct header *header)
{
	struct rewrite rewrite;
	struct buf same = BUF_EMPTY, edited = BUF_EMPTY;
	struct header again;

	MUST(rewrite_init(&rewrite, header) == RC_OK);
	join(&rewrite, &same);
	MUST(span_eq(buf_span(&same), span_first(block, header->size)));
	for (size_t i = 0; i < header->count; i += 2)
		rewrite_drop(&rewrite, i);
	for (size_t i = 1; i < header->count; i += 4)
		rewrite_replace(&rewrite, i, SPAN_LIT("X-New: 1\r\n"));
	rewrite_add_front(&rewrite, SPAN_LIT("X-Front: 1\r\n"));
	rewrite_add_back(&rewrite, SPAN_LIT("X-Back: 1\r\n"));
	join(&rewrite, &edited);
	if (header_scan(buf_span(&edited), &again, NULL) == RC_OK) {
		MUST(again.count == header->count / 2 + 2);
		MUST(span_eq(again.fields[0].name, SPAN_LIT("X-Front")));
		MUST(span_eq(again.fields[again.count - 1].name, SPAN_LIT("X-Back")));
		header_free(&again);
	} else {
		MUST(header->count > HEADER_COUNT_MAX - 4 || header->size > HEADER_BLOCK_MAX - 64);
	}
	buf_free(&same);
	buf_free(&edited);
	rewrite_free(&rewrite);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span block = span_make((const char *)data, size);
	struct why why = WHY_EMPTY;
	struct header header;
	enum rc rc = header_scan(block, &header, &why);

	MUST(rc == RC_OK || rc == RC_BAD);
	MUST((rc == RC_BAD) == (why.code == 554));
	if (rc != RC_OK)
		return 0;
	check_fields(block, &header);
	check_rewrite(block, &header);
	rc = header_check_duplicates(&header, &why);
	MUST(rc == RC_OK || (rc == RC_BAD && why.code == 554));
	header_free(&header);
	return 0;
}
