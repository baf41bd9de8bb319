/* config/load.h - the state of one config_load, shared by the steps of it. Internal to config/. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <libconfig.h>

#include "config/errors.h"
#include "config/schema.h"
#include "config/source.h"

/* One file with its includes. */
struct document {
	struct source source;
	config_t tree;
};

/* A setting that has its value already, and from where: it may not come again. */
struct taken {
	const struct schema_row *row;
	struct place at;
};

#define SETTINGS_MAX 128 /* rows of the schema outside of lists */

struct load {
	struct config *config;
	struct config_errors *errors;
	struct document **documents;
	size_t document_count;
	/* For each element of each list: the group it came from. Same index as in struct config. */
	config_setting_t **origins[LIST_COUNT];
	size_t origin_cap[LIST_COUNT], origin_count[LIST_COUNT];
	size_t list_cap[LIST_COUNT];
	struct taken taken[SETTINGS_MAX];
	size_t taken_count;
	bool broken; /* a file could not be read as a tree: what is missing may stand there */
	enum rc rc;
};

#define LOAD_FAIL(load, place, ...) \
	(errors_add((load)->errors, (place), __VA_ARGS__), (load)->rc = RC_BAD)

/* Where a setting stands; the place of its group when it is not there. */
struct place load_place(const struct load *load, const config_setting_t *setting);
struct place load_place_of(
    const struct load *load, const config_setting_t *group, const char *member);
/* Where the first or else the second field of struct config was set: one of two that do not fit together. */
struct place load_place_taken(const struct load *load, const void *first, const void *second);
bool load_is_open(const struct load *load, const config_setting_t *setting);

/* parse.c: the values of one tree. */
void parse_document(struct load *load, struct document *document);

/* secret.c: the value of a secret, wherever it is kept. */
void secret_set(
    struct load *load, const struct schema_row *row, void *base, const config_setting_t *setting);

/* check.c: what no single row can tell. */
void check_all(struct load *load);

#endif
