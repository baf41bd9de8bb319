/* cli/snippets.h - what to paste into a client so that it sends through us. Pure. */
#ifndef CLI_SNIPPETS_H
#define CLI_SNIPPETS_H

#include "util/buf.h"

struct snippet_values {
	const char *host, *user, *password;
};

extern const char snippet_names[]; /* "postfix, nodemailer, ..." */
bool snippet_is_known(const char *client);
/* False: no such client. */
bool snippet_print(const char *client, const struct snippet_values *values, struct buf *out);

#endif
