/* fuzz/fuzz_ses_headers.c - what is accepted as a name or a tag has the letters and the length of one. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "mail/ses_headers.h"

static void
check_word(struct span text, const char *others, size_t max)
{
	MUST(text.len <= max);
	for (size_t i = 0; i < text.len; i++)
		MUST(ascii_is_alnum(text.p[i]) ||
		     (text.p[i] != '\0' && strchr(others, text.p[i]) != NULL));
}

static void
check_headers(const struct ses_headers *ses)
{
	check_word(ses->configuration_set, "-_", SES_NAME_LEN_MAX);
	check_word(ses->tenant, "-_", SES_NAME_LEN_MAX);
	check_word(ses->list_name, "-_", SES_NAME_LEN_MAX);
	check_word(ses->list_topic, "-_", SES_NAME_LEN_MAX);
	MUST(ses->list_name.len > 0 || ses->list_topic.len == 0);
	MUST(ses->tag_count <= SES_TAGS_MAX);
	for (size_t i = 0; i < ses->tag_count; i++) {
		MUST(ses->tags[i].name.len > 0 && ses->tags[i].value.len > 0);
		check_word(ses->tags[i].name, "-_:", SES_TAG_LEN_MAX);
		check_word(ses->tags[i].value, "-_.@", SES_TAG_LEN_MAX);
	}
	MUST(span_find(ses->source_arn, '\n') == ses->source_arn.len);
	MUST(span_find(ses->from_arn, '\n') == ses->from_arn.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct why why = WHY_EMPTY;
	struct ses_headers ses;
	struct header header;
	enum rc rc;

	if (header_scan(span_make((const char *)data, size), &header, &why) != RC_OK)
		return 0;
	rc = ses_headers_parse(&header, &ses, &why);
	MUST(rc == RC_OK || (rc == RC_BAD && why.code == 554));
	if (rc == RC_OK)
		check_headers(&ses);
	ses_headers_free(&ses);
	header_free(&header);
	return 0;
}
