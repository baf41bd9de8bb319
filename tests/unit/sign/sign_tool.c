/* sign_tool - signs a message for tests: sign_tool KEYFILE DOMAIN SELECTOR [PIECE] [feedback-id] <IN >OUT
 * PIECE: size of the pieces of the body (default: one piece), or "record": print what to publish in DNS. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "sign/sign.h"

struct source {
	struct span rest;
	size_t piece;
};

static enum rc
next_piece(void *arg, struct span *piece, struct why *why)
{
	struct source *source = arg;

	(void)why;
	*piece = span_first(source->rest, source->piece);
	source->rest = span_skip(source->rest, piece->len);
	return RC_OK;
}

static int
fail(const struct why *why)
{
	(void)fprintf(stderr, "sign_tool: %s\n", why->text);
	return 1;
}

static void
read_all(struct buf *in)
{
	char block[65536];
	size_t n;

	while ((n = fread(block, 1, sizeof block, stdin)) > 0)
		buf_add(in, block, n);
}

static void
print(struct span s)
{
	(void)fwrite(s.p, 1, s.len, stdout);
}

static int
sign_one(struct sign_key *key, struct span message, size_t piece, bool skip_feedback_id)
{
	const char *gap = memmem(message.p, message.len, "\r\n\r\n", 4);
	size_t header_len = gap != NULL ? (size_t)(gap - message.p) + 2 : message.len;
	struct span header = span_first(message, header_len);
	struct source source = { span_skip(message, header_len + 2), piece };
	struct sign_body body = { next_piece, &source };
	struct buf out = BUF_EMPTY;
	struct why why = WHY_EMPTY;

	if (sign_message(key, &header, 1, &body, 1700000000, skip_feedback_id, &out, &why) != RC_OK)
		return fail(&why);
	print(buf_span(&out));
	print(message);
	buf_free(&out);
	return 0;
}

int
main(int argc, char **argv)
{
	struct buf in = BUF_EMPTY, record = BUF_EMPTY;
	struct sign_key *key = NULL;
	struct why why = WHY_EMPTY;
	int status;

	if (argc < 4)
		return 2;
	if (sign_init(&why) != RC_OK)
		return fail(&why);
	if (sign_key_load(argv[1], argv[2], argv[3], &key, &why) != RC_OK)
		return fail(&why);
	if (argc > 4 && strcmp(argv[4], "record") == 0) {
		status = sign_key_record(key, &record) == RC_OK ? 0 : 1;
		print(buf_span(&record));
	} else {
		read_all(&in);
		status = sign_one(key, buf_span(&in),
		    argc > 4 ? strtoul(argv[4], NULL, 10) : SIZE_MAX, argc <= 5);
	}
	buf_free(&in);
	buf_free(&record);
	sign_key_unref(key);
	sign_done();
	return status;
}
