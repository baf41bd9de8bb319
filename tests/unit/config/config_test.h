/* unit/config/config_test.h - what the tests of config/ share. */
#ifndef UNIT_CONFIG_TEST_H
#define UNIT_CONFIG_TEST_H

#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "util/buf.h"

/* All errors as config_error_format has them, one a line; frees them. The caller frees the text. */
static inline char *
take_errors(struct config_errors *errors)
{
	struct buf out = BUF_EMPTY;

	for (size_t i = 0; i < errors->count; i++) {
		config_error_format(&errors->list[i], &out);
		buf_add_char(&out, '\n');
	}
	config_errors_free(errors);
	return buf_steal(&out);
}

/* The configuration that a text means; the test ends when it is not valid. */
static inline struct config *
must_parse(const char *text)
{
	struct config_errors errors;
	struct config *config;
	enum rc rc = config_parse(text, "t", &config, &errors);
	char *shown = take_errors(&errors);

	assert_string_equal(shown, "");
	free(shown);
	assert_rc(rc, RC_OK);
	return config;
}

#endif
