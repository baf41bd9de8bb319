/* queue/reason.c - see reason.h. Always true: what is in the map has a reference. */
#include "config.h"

#include "queue/reason.h"

#include <stdlib.h>
#include <string.h>

struct reason *
reason_get(struct map *reasons, const char *text)
{
	size_t len = strlen(text);
	struct reason *reason = map_get(reasons, span_make(text, len));

	if (reason != NULL) {
		reason->refs++;
		return reason;
	}
	reason = malloc(sizeof *reason + len + 1);
	if (reason == NULL)
		return NULL;
	reason->refs = 1;
	memcpy(reason->text, text, len + 1);
	if (map_put(reasons, span_make(reason->text, len), reason) != RC_OK) {
		free(reason);
		return NULL;
	}
	return reason;
}

void
reason_put(struct map *reasons, struct reason *reason)
{
	if (reason == NULL || --reason->refs > 0)
		return;
	(void)map_del(reasons, span_of(reason->text));
	free(reason);
}
