/* http/json.c - what answers are made of. Anything may come back NULL: out of memory. */
#include "config.h"

#include "http/internal.h"

#include "util/log.h"

enum {
	ESCAPED_MAX = 2048
};

json_t *
json_text(struct span text)
{
	json_t *string = json_stringn(text.p, text.len);
	char safe[ESCAPED_MAX];

	return string != NULL ? string : json_string(log_safe(text, safe, sizeof safe));
}

json_t *
json_lines(struct span text)
{
	json_t *list = json_array();
	struct span line;

	while (list != NULL && span_next(&text, '\n', &line))
		if (line.len > 0 && json_array_append_new(list, json_text(line)) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *
error_json(const char *code, const char *message, json_t *extra)
{
	json_t *inner =
	    json_pack("{s:s, s:o}", "code", code, "message", json_text(span_of(message)));

	if (inner != NULL && extra != NULL && json_object_update(inner, extra) != 0) {
		json_decref(inner);
		inner = NULL;
	}
	json_decref(extra);
	return json_pack("{s:o}", "error", inner);
}

static int
add_bytes(const char *bytes, size_t len, void *out)
{
	return evbuffer_add(out, bytes, len);
}

bool
json_add_line(struct evbuffer *out, json_t *document)
{
	bool ok = document != NULL &&
		  json_dump_callback(document, add_bytes, out, JSON_COMPACT) == 0 &&
		  evbuffer_add(out, "\n", 1) == 0;

	json_decref(document);
	return ok;
}
