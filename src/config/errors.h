/* config/errors.h - collecting messages about the files. Internal to config/. */
#ifndef CONFIG_ERRORS_H
#define CONFIG_ERRORS_H

#include "config/config.h"

/* Where something stands in the files. */
struct place {
	const char *file; /* borrowed from the source */
	int line, column; /* from 1; 0: not known */
};

/* More than this many help nobody; what comes later is dropped. */
#define ERRORS_MAX 100

void errors_add(struct config_errors *errors, struct place at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
