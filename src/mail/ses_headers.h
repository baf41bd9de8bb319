/* mail/ses_headers.h - the X-SES-* request headers. */
#ifndef MAIL_SES_HEADERS_H
#define MAIL_SES_HEADERS_H

#include "mail/header.h"

enum {
	SES_TAGS_MAX = 50,
	SES_TAG_LEN_MAX = 255,
	SES_NAME_LEN_MAX = 64
};

struct ses_tag {
	struct span name, value;
};

/* Spans borrow from the header block (from `scratch` when a value was folded). */
struct ses_headers {
	struct span configuration_set; /* empty: not given */
	struct span tenant;
	struct span source_arn, from_arn, return_path_arn;
	struct span list_name, list_topic; /* X-SES-LIST-MANAGEMENT-OPTIONS */
	struct ses_tag tags[SES_TAGS_MAX];
	size_t tag_count;
	char *scratch; /* owned, ses_headers_free */
};

/* Of a header given several times the first counts. RC_BAD: why = 554 "Transaction failed: ..." for names and tags that
 * break their grammar, in SES's texts; tags that are not ASCII are left out, as SES does. Unknown X-SES-* names are ignored (and still removed). */
MUST_CHECK enum rc ses_headers_parse(
    const struct header *header, struct ses_headers *out, struct why *why);
void ses_headers_free(struct ses_headers *headers);

/* "arn:aws:ses:REGION:ACCOUNT:identity/NAME": its last two, borrowed; false when it is none. */
bool ses_arn_parse(struct span arn, struct span *account, struct span *name);

/* Whether a field is one of ours, to be removed from what is delivered: X-SES-* in any case. */
bool ses_header_is_request(struct span name);

#endif
