/* Unit tests of mail/rewrite.c. */
#include "config.h"

#include "mail/rewrite.h"
#include "unit/test.h"

#include <stdlib.h>

#define BLOCK "A: 1\r\nB: 2\r\n 3\r\nC: 4\r\nD: 5\r\n"

static const struct span block = { BLOCK, sizeof BLOCK - 1 };

/* Apply edits told as text: "-1" drops field 1, "=1X" replaces it by "X: new", "^X" adds in front, "$X" behind;
 * the pieces come out joined by "|". */
static void
check(const char *edits, const char *want)
{
	struct rewrite rewrite;
	struct header header;
	struct buf got = BUF_EMPTY;
	struct span *pieces, rest = span_of(edits), edit;
	size_t count;

	assert_rc(header_scan(block, &header, NULL), RC_OK);
	assert_rc(rewrite_init(&rewrite, &header), RC_OK);
	while (span_next(&rest, ' ', &edit) && edit.len > 1) {
		char text[] = "X: new\r\n";

		text[0] = edit.p[edit.len - 1];
		if (edit.p[0] == '-')
			rewrite_drop(&rewrite, (size_t)(edit.p[1] - '0'));
		else if (edit.p[0] == '=')
			rewrite_replace(&rewrite, (size_t)(edit.p[1] - '0'), span_of(text));
		else if (edit.p[0] == '^')
			rewrite_add_front(&rewrite, span_of(text));
		else
			rewrite_add_back(&rewrite, span_of(text));
		memset(text, '!', sizeof text); /* texts are copied */
	}
	assert_rc(rewrite_pieces(&rewrite, &pieces, &count), RC_OK);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_char(&got, '|');
		buf_add_span(&got, pieces[i]);
	}
	assert_span(buf_span(&got), want);
	free(pieces);
	buf_free(&got);
	rewrite_free(&rewrite);
	header_free(&header);
}

static void
test_edits(void **state)
{
	const struct {
		const char *edits, *want;
	} rows[] = {
		{ "", "A: 1\r\nB: 2\r\n 3\r\nC: 4\r\nD: 5\r\n" },
		{ "-0", "B: 2\r\n 3\r\nC: 4\r\nD: 5\r\n" },
		{ "-1", "A: 1\r\n|C: 4\r\nD: 5\r\n" },
		{ "-0 -1 -2 -3", "" },
		{ "=1X", "A: 1\r\n|X: new\r\n|C: 4\r\nD: 5\r\n" },
		{ "=1X =1Y", "A: 1\r\n|Y: new\r\n|C: 4\r\nD: 5\r\n" },
		{ "=1X -1", "A: 1\r\n|C: 4\r\nD: 5\r\n" },
		{ "-1 =1X", "A: 1\r\n|X: new\r\n|C: 4\r\nD: 5\r\n" },
		{ "^X ^Y", "Y: new\r\n|X: new\r\n|A: 1\r\nB: 2\r\n 3\r\nC: 4\r\nD: 5\r\n" },
		{ "$X $Y", "A: 1\r\nB: 2\r\n 3\r\nC: 4\r\nD: 5\r\n|X: new\r\n|Y: new\r\n" },
		{ "$Z -3 ^F =0R", "F: new\r\n|R: new\r\n|B: 2\r\n 3\r\nC: 4\r\n|Z: new\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].edits, rows[i].want);
}

static void
test_untouched_is_the_block_itself(void **state)
{
	struct rewrite rewrite;
	struct header header;
	struct span *pieces;
	size_t count;

	(void)state;
	assert_rc(header_scan(block, &header, NULL), RC_OK);
	assert_rc(rewrite_init(&rewrite, &header), RC_OK);
	assert_rc(rewrite_pieces(&rewrite, &pieces, &count), RC_OK);
	assert_int_equal(count, 1);
	assert_ptr_equal(pieces[0].p, block.p);
	assert_int_equal(pieces[0].len, block.len);
	free(pieces);
	rewrite_free(&rewrite);
	header_free(&header);
}

static void
test_empty_header_and_many_additions(void **state)
{
	struct rewrite rewrite;
	struct header header;
	struct span *pieces;
	size_t count;

	(void)state;
	assert_rc(header_scan(SPAN_LIT("\r\nbody\r\n"), &header, NULL), RC_OK);
	assert_rc(rewrite_init(&rewrite, &header), RC_OK);
	assert_rc(rewrite_pieces(&rewrite, &pieces, &count), RC_OK);
	assert_int_equal(count, 0);
	free(pieces);
	for (int i = 0; i < 100; i++) {
		rewrite_add_front(
		    &rewrite, i % 2 == 0 ? SPAN_LIT("F: 0\r\n") : SPAN_LIT("F: 1\r\n"));
		rewrite_add_back(
		    &rewrite, i % 2 == 0 ? SPAN_LIT("B: 0\r\n") : SPAN_LIT("B: 1\r\n"));
	}
	assert_rc(rewrite_pieces(&rewrite, &pieces, &count), RC_OK);
	assert_int_equal(count, 200);
	assert_span(pieces[0], "F: 1\r\n");
	assert_span(pieces[99], "F: 0\r\n");
	assert_span(pieces[100], "B: 0\r\n");
	assert_span(pieces[199], "B: 1\r\n");
	free(pieces);
	rewrite_free(&rewrite);
	header_free(&header);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_untouched_is_the_block_itself),
		cmocka_unit_test(test_empty_header_and_many_additions),
	};

	return cmocka_run_group_tests_name("mail/rewrite", tests, NULL, NULL);
}
