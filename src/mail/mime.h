/* mail/mime.h - the parameters of Content-Type and Content-Disposition (RFC 2045 section 5, RFC 2231), and encoded words
 * (RFC 2047), as lenient as mail readers are. Pure. */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "util/buf.h"

enum {
	MIME_PARAMS_MAX = 2000
};

struct mime_param {
	size_t name_at, name_len; /* in `text`, without the asterisks of RFC 2231 */
	size_t value_at, value_len;
	int section;   /* -1: the whole value */
	bool extended; /* percent-encoded, behind CHARSET'LANGUAGE' */
};

/* Begin with all zero; the same one serves for the next field. */
struct mime_field {
	struct buf text; /* type, names and values, without quotes */
	size_t type_len; /* at the beginning of `text` */
	struct mime_param *params;
	size_t count, cap;
};

/* value: what stands behind the colon, folding and all. RC_BAD: more than MIME_PARAMS_MAX parameters. Time is linear in
 * the length. */
MUST_CHECK enum rc mime_field_parse(struct span value, struct mime_field *out);
void mime_field_free(struct mime_field *field);

/* "multipart/mixed", "attachment": cut at the first blank. */
struct span mime_field_type(const struct mime_field *field);

/* Calls for each value that some reader may take for that of this parameter: continuations are joined, percent and
 * encoded words decoded; the charset stays as it is. The first answer that is not RC_OK ends it and is returned. */
typedef enum rc mime_value(void *arg, struct span value);
MUST_CHECK enum rc mime_field_each(
    const struct mime_field *field, struct span name, mime_value *call, void *arg);

/* Appends the text with its encoded words decoded. */
void mime_decode_words(struct span text, struct buf *out);

#endif
