/* sign/select.c - which header fields a signature covers.
 * In:   the header block in pieces.   Out: fields in message order, and the names to oversign.
 * Always true: From is among them; for each name the bottom-most instances, without a gap, as verifiers count
 * from below (RFC 6376 5.4.2); a name of which some instance was left out is not oversigned, because the extra
 * entry in h= would name just that instance. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "sign/internal.h"

enum {
	/* libopendkim, and verifiers built on it, keep 4095 octets of the list of names. The rest is room for
	 * the oversigned names. */
	NAMES_LEN_MAX = 3800,
	INSTANCES_MAX = 60
};

enum {
	NAME_FROM = 0,
	NAME_FEEDBACK_ID = 15
};

/* What SES signs, and what must not be added to a message afterwards. */
static const struct name_row {
	const char *name;
	bool oversigned;
} names[] = {
	[NAME_FROM] = { "From", true },
	{ "To", true },
	{ "Cc", true },
	{ "Subject", true },
	{ "Date", true },
	{ "Message-ID", true },
	{ "Reply-To", true },
	{ "In-Reply-To", false },
	{ "References", false },
	{ "MIME-Version", true },
	{ "Content-Type", true },
	{ "Content-Transfer-Encoding", true },
	{ "List-Unsubscribe", true },
	{ "List-Unsubscribe-Post", true },
	{ "Sender", false },
	[NAME_FEEDBACK_ID] = { "Feedback-ID", false },
};
_Static_assert(ARRAY_LEN(names) < SELECT_NAMES_MAX, "one row is NULL");

static int
name_find(struct span field, bool skip_feedback_id)
{
	size_t colon = span_find(field, ':');
	struct span name = span_trim(span_first(field, colon));

	if (colon == field.len)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_ieq(name, span_of(names[i].name)))
			return skip_feedback_id && i == NAME_FEEDBACK_ID ? -1 : (int)i;
	return -1;
}

/* Line ends only as CR LF before a blank. VT and FF: the library takes them for blanks, verifiers do not. */
static bool
is_well_formed(struct span field)
{
	for (size_t i = 0; i < field.len; i++) {
		char c = field.p[i];

		if (c == '\0' || c == '\n' || c == '\v' || c == '\f')
			return false;
		if (c != '\r')
			continue;
		if (field.len - i < 3 || field.p[i + 1] != '\n' || !ascii_is_blank(field.p[i + 2]))
			return false;
		i++;
	}
	return true;
}

/* The length of the first field with its CR LF, or of all when the piece ends without. */
static size_t
field_len(struct span piece)
{
	size_t at = 0;

	for (;;) {
		at += span_find(span_skip(piece, at), '\n');
		if (at >= piece.len)
			return piece.len;
		at++;
		if (at >= piece.len || !ascii_is_blank(piece.p[at]))
			return at;
	}
}

static enum rc
add_field(struct sign_selection *out, struct span text, int name)
{
	if (out->count == out->cap) {
		size_t cap = out->cap > 0 ? 2 * out->cap : 32;
		struct sign_field *grown = reallocarray(out->fields, cap, sizeof *grown);

		if (grown == NULL)
			return RC_LATER;
		out->fields = grown;
		out->cap = cap;
	}
	out->fields[out->count++] = (struct sign_field){ text, name };
	return RC_OK;
}

/* All fields of a name in the table. */
static enum rc
split(struct span piece, bool skip_feedback_id, struct sign_selection *out, struct why *why)
{
	while (piece.len > 0) {
		struct span field = span_first(piece, field_len(piece));
		int name = name_find(field, skip_feedback_id);

		if (field.p[0] == '\r' || field.p[0] == '\n')
			return why_set(why, RC_BAD, 554, "Empty line in header");
		piece = span_skip(piece, field.len);
		if (name < 0)
			continue;
		if (field.len < 2 || memcmp(field.p + field.len - 2, "\r\n", 2) != 0)
			return why_set(why, RC_BAD, 554, "Header field does not end in CR LF");
		field.len -= 2;
		if (!is_well_formed(field))
			return why_set(why, RC_BAD, 554, "Control character in header field '%s'",
			    names[name].name);
		if (add_field(out, field, name) != RC_OK)
			return why_errno(why, ENOMEM, "DKIM signature");
	}
	return RC_OK;
}

struct budget {
	size_t instances[ARRAY_LEN(names)];
	size_t names_len;
};

static bool
fits(const struct budget *budget, const struct sign_field *field)
{
	return budget->instances[field->name] < INSTANCES_MAX &&
	       budget->names_len + strlen(names[field->name].name) + 1 <= NAMES_LEN_MAX;
}

/* From below, so that what is left out lies above what is signed. */
static void
choose(struct sign_selection *out, bool from, struct budget *budget)
{
	for (size_t i = out->count; i-- > 0;) {
		struct sign_field *field = &out->fields[i];

		if (field->name < 0 || (field->name == NAME_FROM) != from)
			continue;
		if ((out->cut & UINT32_C(1) << field->name) != 0 || !fits(budget, field)) {
			out->cut |= UINT32_C(1) << field->name;
			field->name = -1;
			continue;
		}
		budget->instances[field->name]++;
		budget->names_len += strlen(names[field->name].name) + 1;
	}
}

static void
drop_unchosen(struct sign_selection *out)
{
	size_t count = 0;

	for (size_t i = 0; i < out->count; i++)
		if (out->fields[i].name >= 0)
			out->fields[count++] = out->fields[i];
	out->count = count;
}

enum rc
select_fields(const struct span *header, size_t count, bool skip_feedback_id,
    struct sign_selection *out, struct why *why)
{
	struct budget budget = { { 0 }, 0 };
	enum rc rc = RC_OK;

	*out = (struct sign_selection){ NULL, 0, 0, 0 };
	for (size_t i = 0; i < count && rc == RC_OK; i++)
		rc = split(header[i], skip_feedback_id, out, why);
	if (rc == RC_OK) {
		choose(out, true, &budget);
		choose(out, false, &budget);
		drop_unchosen(out);
		if (budget.instances[NAME_FROM] == 0)
			rc = why_set(why, RC_BAD, 554, "Missing required header 'From'.");
		else if ((out->cut & UINT32_C(1) << NAME_FROM) != 0)
			rc = why_set(why, RC_BAD, 554, "Duplicate header 'From'.");
	}
	if (rc != RC_OK)
		select_free(out);
	return rc;
}

void
select_free(struct sign_selection *selection)
{
	free(selection->fields);
	*selection = (struct sign_selection){ NULL, 0, 0, 0 };
}

void
select_oversigned(uint32_t cut, const char *out[SELECT_NAMES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].oversigned && (cut & UINT32_C(1) << i) == 0)
			out[count++] = names[i].name;
	out[count] = NULL;
}
