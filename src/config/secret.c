/* config/secret.c - secrets: as text, from the environment, from a file of their own.
 * Always true: no message holds a secret or any part of one. */
#include <config.h>

#include "config/load.h"

#include <stdlib.h>

#include "config/value.h"
#include "util/crypto.h"
#include "util/fsutil.h"

enum {
	SECRET_FILE_MAX = 4096
};

static void
set_text(struct load *load, const struct schema_row *row, void *base,
    const config_setting_t *setting, struct span text)
{
	enum rc rc = value_set_text(row, base, text);

	if (rc == RC_BAD)
		LOAD_FAIL(load, load_place(load, setting),
		    "%s must be 1 to 1024 bytes of UTF-8 without control characters", row->name);
	else if (rc != RC_OK)
		load->rc = rc;
}

static bool
is_variable(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_')
			return false;
	return name.len > 0 && !ascii_is_digit(name.p[0]);
}

/* "${NAME}". The name of a variable is no secret. */
static void
set_from_environment(struct load *load, const struct schema_row *row, void *base,
    const config_setting_t *setting, struct span text)
{
	struct span name = span_first(span_skip(text, 2), text.len - 3);
	char variable[128];
	const char *value;

	if (text.len < 4 || text.p[text.len - 1] != '}' || !is_variable(name) ||
	    !span_copy(name, variable, sizeof variable)) {
		LOAD_FAIL(load, load_place(load, setting),
		    "%s must be \"${NAME}\" and nothing behind it; to give text that begins with "
		    "\"${\", put \"plain:\" in front",
		    row->name);
		return;
	}
	value = getenv(variable);
	if (value == NULL || *value == '\0')
		LOAD_FAIL(load, load_place(load, setting),
		    "%s is to come from the environment, but %s is %s there", row->name, variable,
		    value == NULL ? "not set" : "empty");
	else
		set_text(load, row, base, setting, span_of(value));
}

static void
set_from_file(struct load *load, const struct schema_row *row, void *base,
    const config_setting_t *setting, const char *path)
{
	struct buf text = BUF_EMPTY;
	struct why why = WHY_EMPTY;

	if (*path != '/')
		LOAD_FAIL(load, load_place(load, setting),
		    "%s must be \"file:\" and an absolute path", row->name);
	else if (fsutil_read_secret(path, SECRET_FILE_MAX, &text, &why) != RC_OK)
		LOAD_FAIL(load, load_place(load, setting), "%s: %s", row->name, why.text);
	else if (span_trim_lines(buf_span(&text)).len == 0)
		LOAD_FAIL(load, load_place(load, setting), "%s: %s: empty", row->name, path);
	else
		set_text(load, row, base, setting, span_trim_lines(buf_span(&text)));
	if (text.mem != NULL)
		crypto_wipe(text.mem, text.cap);
	buf_free(&text);
}

void
secret_set(
    struct load *load, const struct schema_row *row, void *base, const config_setting_t *setting)
{
	struct span text = span_of(config_setting_get_string(setting));

	if (span_starts(text, SPAN_LIT("${")))
		set_from_environment(load, row, base, setting, text);
	else if (span_starts(text, SPAN_LIT("file:")))
		set_from_file(load, row, base, setting, text.p + strlen("file:"));
	else if (text.len > 0 && load_is_open(load, setting))
		LOAD_FAIL(load, load_place(load, setting),
		    "%s stands in a file that others may read; chmod o-rwx the file, or use "
		    "\"file:/path\"",
		    row->name);
	else if (span_starts(text, SPAN_LIT("plain:")))
		set_text(load, row, base, setting, span_skip(text, strlen("plain:")));
	else
		set_text(load, row, base, setting, text);
}
