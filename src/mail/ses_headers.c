/* mail/ses_headers.c - reads the X-SES-* fields by which an application says how its message is to be sent.
 * In:   the fields of a message.
 * Out:  names and tags, checked, borrowed from the block (or from one copy when values were folded).
 * Always true: of each field the first counts; what is accepted as a name or tag is letters, digits, '-'
 * and '_' (tag values: '.' and '@' as well). */
#include "config.h"

#include "mail/ses_headers.h"

#include <errno.h>
#include <stdlib.h>

enum {
	ECHO_MAX = 300 /* of a name or value in a reply */
};

enum kind {
	KIND_CONFIGURATION_SET,
	KIND_TENANT,
	KIND_SOURCE_ARN,
	KIND_FROM_ARN,
	KIND_RETURN_PATH_ARN,
	KIND_LIST_OPTIONS,
	KIND_TAGS,
	KIND_COUNT
};

static const char *const field_names[KIND_COUNT] = {
	[KIND_CONFIGURATION_SET] = "X-SES-CONFIGURATION-SET",
	[KIND_TENANT] = "X-SES-TENANT",
	[KIND_SOURCE_ARN] = "X-SES-SOURCE-ARN",
	[KIND_FROM_ARN] = "X-SES-FROM-ARN",
	[KIND_RETURN_PATH_ARN] = "X-SES-RETURN-PATH-ARN",
	[KIND_LIST_OPTIONS] = "X-SES-LIST-MANAGEMENT-OPTIONS",
	[KIND_TAGS] = "X-SES-MESSAGE-TAGS",
};

bool
ses_arn_parse(struct span arn, struct span *account, struct span *name)
{
	static const char *const first[] = { "arn", "", "ses", "" };
	struct span part;

	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		if (!span_next(&arn, ':', &part) || part.len == 0 ||
		    (first[i][0] != '\0' && !span_eq(part, span_of(first[i]))))
			return false;
	if (!span_next(&arn, ':', account) || account->len == 0 ||
	    !span_starts(arn, SPAN_LIT("identity/")))
		return false;
	*name = span_skip(arn, strlen("identity/"));
	return name->len > 0;
}

bool
ses_header_is_request(struct span name)
{
	return span_istarts(name, SPAN_LIT("X-SES-"));
}

/* --- the values, unfolded ----------------------------------------------------------------------- */

/* The first value of each kind; len == 0 where there is none. */
static void
find_values(const struct header *header, struct span values[KIND_COUNT])
{
	bool seen[KIND_COUNT] = { false };

	for (size_t i = 0; i < header->count; i++) {
		const struct header_field *field = &header->fields[i];

		if (!ses_header_is_request(field->name))
			continue;
		for (size_t kind = 0; kind < KIND_COUNT; kind++) {
			if (seen[kind] || !span_ieq(field->name, span_of(field_names[kind])))
				continue;
			seen[kind] = true;
			values[kind] = span_trim_lines(field->value);
		}
	}
}

static bool
is_folded(struct span value)
{
	return span_find(value, '\n') < value.len;
}

/* Copy without CR and LF; returns the bytes written. */
static size_t
copy_unfolded(struct span value, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n')
			out[len++] = value.p[i];
	return len;
}

/* Replace folded values by copies in one block of memory. */
static enum rc
unfold_values(struct span values[KIND_COUNT], char **scratch, struct why *why)
{
	size_t need = 0;
	char *out;

	for (size_t i = 0; i < KIND_COUNT; i++)
		if (is_folded(values[i]))
			need += values[i].len;
	if (need == 0)
		return RC_OK;
	*scratch = out = malloc(need);
	if (out == NULL)
		return why_errno(why, ENOMEM, "request headers");
	for (size_t i = 0; i < KIND_COUNT; i++) {
		if (!is_folded(values[i]))
			continue;
		values[i] = span_make(out, copy_unfolded(values[i], out));
		out += values[i].len;
	}
	return RC_OK;
}

/* --- their grammar -------------------------------------------------------------------------------- */

static bool
is_word(struct span text, const char *others)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_alnum(text.p[i]) && memchr(others, text.p[i], strlen(others)) == NULL)
			return false;
	return true;
}

static bool
is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.p[i] & 0x80) != 0)
			return false;
	return true;
}

/* `what`: "configuration set name" and the like, for the reply. An empty value counts as none. */
static enum rc
take_name(struct span value, const char *what, struct span *out, struct why *why)
{
	struct span told = span_first(value, ECHO_MAX);

	if (value.len > SES_NAME_LEN_MAX)
		return why_set(why, RC_BAD, 554,
		    "Transaction failed: The %s cannot exceed %d characters.", what,
		    SES_NAME_LEN_MAX);
	if (!is_word(value, "-_"))
		return why_set(why, RC_BAD, 554,
		    "Transaction failed: Invalid %s <%.*s>: only alphanumeric ASCII characters, "
		    "'_', and "
		    "'-' are allowed.",
		    what, SPAN_ARG(told));
	*out = value;
	return RC_OK;
}

/* One half of a tag. SES puts the name in angle brackets as it is. */
static enum rc
check_tag_part(struct span text, const char *what, bool ok, struct why *why)
{
	struct span told = span_first(text, ECHO_MAX);

	if (text.len == 0)
		return why_set(
		    why, RC_BAD, 554, "Transaction failed: The tag %s must be specified.", what);
	if (text.len > SES_TAG_LEN_MAX)
		return why_set(why, RC_BAD, 554,
		    "Transaction failed: Tag %s cannot exceed %d characters.", what,
		    SES_TAG_LEN_MAX);
	if (!ok)
		return why_set(why, RC_BAD, 554,
		    "Transaction failed: Invalid tag %s <%.*s>: only alphanumeric ASCII "
		    "characters, '_', "
		    "and '-' are allowed.",
		    what, SPAN_ARG(told));
	return RC_OK;
}

/* Names that begin with "ses:" are the service's own, but for the two that set a Feedback-ID. */
static bool
tag_name_ok(struct span name)
{
	return is_word(name, "-_") || span_eq(name, SPAN_LIT("ses:feedback-id-a")) ||
	       span_eq(name, SPAN_LIT("ses:feedback-id-b"));
}

static enum rc
take_tag(struct span part, struct ses_headers *out, struct why *why)
{
	size_t equals = span_find(part, '=');
	struct span name = span_trim(span_first(part, equals));
	struct span value = span_trim(span_skip(part, equals + 1));
	enum rc rc;

	/* SES sends a message whose tags are not ASCII, and leaves the tags out. */
	if (!is_ascii(part))
		return RC_OK;
	rc = check_tag_part(name, "name", tag_name_ok(name), why);
	if (rc == RC_OK)
		rc = check_tag_part(value, "value", is_word(value, "-_.@"), why);
	if (rc != RC_OK)
		return rc;
	if (out->tag_count == SES_TAGS_MAX)
		return why_set(why, RC_BAD, 554,
		    "Transaction failed: A message cannot have more than %d tags.", SES_TAGS_MAX);
	out->tags[out->tag_count++] = (struct ses_tag){ name, value };
	return RC_OK;
}

/* "name1=value1, name2=value2" */
static enum rc
take_tags(struct span value, struct ses_headers *out, struct why *why)
{
	struct span part;
	enum rc rc;

	while (span_next(&value, ',', &part)) {
		part = span_trim(part);
		if (part.len == 0)
			continue;
		rc = take_tag(part, out, why);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* "CONTACTLIST; topic=TOPIC", the topic may be missing. */
static enum rc
take_list_options(struct span value, struct ses_headers *out, struct why *why)
{
	struct span part, rest = value;
	enum rc rc;

	(void)span_next(&rest, ';', &part);
	rc = take_name(span_trim(part), "contact list name", &out->list_name, why);
	while (rc == RC_OK && span_next(&rest, ';', &part)) {
		size_t equals = span_find(part, '=');

		if (span_trim(part).len == 0)
			continue;
		if (out->list_topic.len > 0 ||
		    !span_ieq(span_trim(span_first(part, equals)), SPAN_LIT("topic")))
			return why_set(why, RC_BAD, 554,
			    "Transaction failed: Invalid list management options.");
		rc = take_name(
		    span_trim(span_skip(part, equals + 1)), "topic name", &out->list_topic, why);
	}
	if (rc == RC_OK && out->list_name.len == 0 && value.len > 0)
		return why_set(
		    why, RC_BAD, 554, "Transaction failed: Invalid list management options.");
	return rc;
}

static enum rc
take_values(const struct span values[KIND_COUNT], struct ses_headers *out, struct why *why)
{
	enum rc rc;

	out->source_arn = values[KIND_SOURCE_ARN];
	out->from_arn = values[KIND_FROM_ARN];
	out->return_path_arn = values[KIND_RETURN_PATH_ARN];
	rc = take_name(
	    values[KIND_CONFIGURATION_SET], "configuration set name", &out->configuration_set, why);
	if (rc == RC_OK)
		rc = take_name(values[KIND_TENANT], "tenant name", &out->tenant, why);
	if (rc == RC_OK)
		rc = take_tags(values[KIND_TAGS], out, why);
	if (rc == RC_OK)
		rc = take_list_options(values[KIND_LIST_OPTIONS], out, why);
	return rc;
}

enum rc
ses_headers_parse(const struct header *header, struct ses_headers *out, struct why *why)
{
	struct span values[KIND_COUNT];
	enum rc rc;

	memset(out, 0, sizeof *out);
	out->configuration_set = out->tenant = out->list_name = out->list_topic = SPAN_EMPTY;
	for (size_t i = 0; i < KIND_COUNT; i++)
		values[i] = SPAN_EMPTY;
	find_values(header, values);
	rc = unfold_values(values, &out->scratch, why);
	if (rc == RC_OK)
		rc = take_values(values, out, why);
	if (rc != RC_OK)
		ses_headers_free(out);
	return rc;
}

void
ses_headers_free(struct ses_headers *headers)
{
	free(headers->scratch);
	memset(headers, 0, sizeof *headers);
}
