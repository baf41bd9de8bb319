/* Any bytes as postrider.conf: no crash, errors exactly when there is no configuration, and what was taken
 * comes back the same from config_dump. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "config/config.h"
#include "util/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool right)
{
	if (!right)
		abort();
}

static void
check_dump(const struct config *config)
{
	struct buf text = BUF_EMPTY, differences = BUF_EMPTY;
	struct config_errors errors;
	struct config *again;

	must(config_dump(config, true, &text) == RC_OK);
	must(config_parse(buf_cstr(&text), "dump", &again, &errors) == RC_OK);
	config_diff(config, again, &differences);
	must(buf_len(&differences) == 0);
	config_errors_free(&errors);
	config_unref(again);
	buf_free(&text);
	buf_free(&differences);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors;
	struct config *config;
	char *text = malloc(size + 1);
	enum rc rc;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	rc = config_parse(text, "fuzz", &config, &errors);
	must((rc == RC_OK) == (config != NULL) && (rc == RC_OK) == (errors.count == 0));
	if (config != NULL)
		check_dump(config);
	config_errors_free(&errors);
	config_unref(config);
	free(text);
	return 0;
}
