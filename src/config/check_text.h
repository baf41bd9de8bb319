/* config/check_text.h - what strings of each kind may hold. Internal to config/. */
#ifndef CONFIG_CHECK_TEXT_H
#define CONFIG_CHECK_TEXT_H

#include "config/schema.h"

/* The text fits a type from SCHEMA_SECRET on. "" never does: whether a setting may be empty is the row's. */
bool text_is(enum schema_type type, struct span text);

/* An address on the loopback interface. `text` is an IP address. */
bool text_is_loopback(const char *text);

/* Domains are compared in lower case: fold the part of the text that is one. */
void text_fold(enum schema_type type, char *text);

#endif
