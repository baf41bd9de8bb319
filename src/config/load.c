/* config/load.c - config_load and config_parse: files to trees, trees to structs, defaults, checks.
 * Always true: *out is set only when there was no error at all. */
#include <config.h>

#include "config/load.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/check_text.h"
#include "config/value.h"

/* ---- places ------------------------------------------------------------------------------------------- */

static const struct source *
source_of(const struct load *load, const config_setting_t *setting)
{
	for (size_t i = 0; i < load->document_count; i++)
		if (&load->documents[i]->tree == setting->config)
			return &load->documents[i]->source;
	return NULL;
}

struct place
load_place(const struct load *load, const config_setting_t *setting)
{
	return source_place(source_of(load, setting), config_setting_source_line(setting));
}

struct place
load_place_of(const struct load *load, const config_setting_t *group, const char *member)
{
	const config_setting_t *found =
	    config_setting_is_group(group)
		? config_setting_get_member((config_setting_t *)(uintptr_t)group, member)
		: NULL;

	return load_place(load, found != NULL ? found : group);
}

static const struct place *
find_taken(const struct load *load, const void *field)
{
	for (size_t i = 0; i < load->taken_count; i++)
		if ((const char *)load->config + load->taken[i].row->offset == field)
			return &load->taken[i].at;
	return NULL;
}

struct place
load_place_taken(const struct load *load, const void *first, const void *second)
{
	const struct place *at = find_taken(load, first);

	if (at == NULL)
		at = find_taken(load, second);
	return at != NULL ? *at : source_place(&load->documents[0]->source, 0);
}

bool
load_is_open(const struct load *load, const config_setting_t *setting)
{
	return source_is_open(source_of(load, setting), load_place(load, setting));
}

/* ---- the load and its parts --------------------------------------------------------------------------- */

static bool
load_init(struct load *load, struct config_errors *errors)
{
	*load = (struct load){ .errors = errors, .rc = RC_OK };
	load->config = calloc(1, sizeof *load->config);
	if (load->config == NULL)
		return false;
	atomic_init(&load->config->refs, 1);
	return value_set_defaults(schema_root(), load->config) == RC_OK;
}

static void
load_free(struct load *load)
{
	for (size_t i = 0; i < load->document_count; i++) {
		source_free(&load->documents[i]->source);
		config_destroy(&load->documents[i]->tree);
		free(load->documents[i]);
	}
	free(load->documents);
	for (size_t i = 0; i < LIST_COUNT; i++)
		free(load->origins[i]);
	config_unref(load->config);
}

/* Documents stay where they are: settings point back into their tree. */
static struct document *
add_document(struct load *load)
{
	struct document **bigger =
	    reallocarray(load->documents, load->document_count + 1, sizeof *bigger);
	struct document *document = calloc(1, sizeof *document);

	if (bigger != NULL)
		load->documents = bigger;
	if (bigger == NULL || document == NULL) {
		free(document);
		load->rc = RC_LATER;
		return NULL;
	}
	config_init(&document->tree);
	load->documents[load->document_count++] = document;
	return document;
}

/* The reader has checked the grammar: what libconfig still finds are arrays of mixed types. */
static void
grow_tree(struct load *load, struct document *document)
{
	const char *text = buf_cstr(&document->source.flat);

	if (text == NULL) {
		load->rc = RC_LATER;
		return;
	}
	if (config_read_string(&document->tree, text)) {
		parse_document(load, document);
		return;
	}
	load->broken = true;
	LOAD_FAIL(load,
	    source_place(&document->source, (unsigned)config_error_line(&document->tree)), "%s",
	    config_error_text(&document->tree));
}

static void
take_source(struct load *load, struct document *document, enum rc rc)
{
	if (rc == RC_OK) {
		grow_tree(load, document);
		return;
	}
	load->broken = true;
	if (load->rc != RC_LATER)
		load->rc = rc;
}

static void
load_file(struct load *load, const char *path)
{
	struct document *document = add_document(load);

	if (document != NULL)
		take_source(
		    load, document, source_read_file(&document->source, path, load->errors));
}

/* ---- conf.d ------------------------------------------------------------------------------------------- */

static int
is_drop_in(const struct dirent *entry)
{
	struct span name = span_of(entry->d_name);

	return name.p[0] != '.' && name.len > strlen(".conf") &&
	       span_eq(span_skip(name, name.len - strlen(".conf")), SPAN_LIT(".conf"));
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* not alphasort: that asks the locale */
}

static void
load_entry(struct load *load, const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		load->rc = RC_LATER;
		return;
	}
	load_file(load, path);
	free(path);
}

static void
load_drop_ins(struct load *load, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct dirent **entries;
	char *dir;
	int count;

	if (asprintf(&dir, "%.*sconf.d", slash == NULL ? 0 : (int)(slash - path) + 1, path) < 0) {
		load->rc = RC_LATER;
		return;
	}
	count = scandir(dir, &entries, is_drop_in, by_bytes);
	if (count < 0 && errno != ENOENT)
		LOAD_FAIL(load, ((struct place){ dir, 0, 0 }), "%s", strerror(errno));
	for (int i = 0; i < count; i++) {
		load_entry(load, dir, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	free(dir);
}

/* ---- what no file said -------------------------------------------------------------------------------- */

static enum rc
set_root(struct load *load, const char *name, const char *text)
{
	return value_set_text(
	    schema_find(schema_root(), span_of(name)), load->config, span_of(text));
}

static void
fill_hostname(struct load *load)
{
	char name[256] = "";

	if (*load->config->hostname != '\0')
		return;
	if (gethostname(name, sizeof name - 1) != 0 || !text_is(SCHEMA_HOSTNAME, span_of(name)))
		(void)strcpy(name, "localhost");
	load->rc = set_root(load, "hostname", name);
}

static const struct {
	const char *name;
	int64_t port;
	enum config_tls_mode tls;
} default_listeners[] = {
	{ "smtp", 25, TLS_MODE_STARTTLS },
	{ "submission", 587, TLS_MODE_STARTTLS },
	{ "submission-alt", 2587, TLS_MODE_STARTTLS },
	{ "submissions", 465, TLS_MODE_IMPLICIT },
	{ "submissions-alt", 2465, TLS_MODE_IMPLICIT },
};

static void
fill_listeners(struct load *load)
{
	const struct schema_row *row = schema_find(schema_root(), SPAN_LIT("listeners"));
	const struct schema_row *name = schema_find(row->group, SPAN_LIT("name"));

	if (load->config->listener_count > 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(default_listeners) && load->rc == RC_OK; i++) {
		struct config_listener *listener;

		load->rc = value_add_element(row, load->config, &load->list_cap[LIST_LISTENERS]);
		if (load->rc != RC_OK)
			return;
		listener = &load->config->listeners[i];
		listener->port = default_listeners[i].port;
		listener->tls = default_listeners[i].tls;
		load->rc = value_set_text(name, listener, span_of(default_listeners[i].name));
	}
}

static void
fill(struct load *load)
{
	fill_hostname(load);
	if (load->rc == RC_OK && *load->config->provider_domain == '\0')
		load->rc = set_root(load, "provider_domain", load->config->hostname);
	if (load->rc == RC_OK)
		fill_listeners(load);
}

/* Ends the load, whatever became of it. */
static enum rc
load_end(struct load *load, struct config **out)
{
	if (load->rc != RC_LATER)
		check_all(load);
	if (load->rc == RC_OK)
		fill(load);
	if (load->rc == RC_OK)
		*out = config_ref(load->config);
	if (load->rc == RC_LATER)
		errors_add(load->errors, (struct place){ "configuration", 0, 0 }, "out of memory");
	load_free(load);
	return load->rc;
}

enum rc
config_load(const char *path, struct config **out, struct config_errors *errors)
{
	struct load load;

	*out = NULL;
	*errors = (struct config_errors){ NULL, 0, 0 };
	if (!load_init(&load, errors)) {
		load_free(&load);
		return RC_LATER;
	}
	load_file(&load, path);
	load_drop_ins(&load, path);
	return load_end(&load, out);
}

enum rc
config_parse(const char *text, const char *name, struct config **out, struct config_errors *errors)
{
	struct load load;
	struct document *document;

	*out = NULL;
	*errors = (struct config_errors){ NULL, 0, 0 };
	if (!load_init(&load, errors)) {
		load_free(&load);
		return RC_LATER;
	}
	document = add_document(&load);
	if (document != NULL)
		take_source(
		    &load, document, source_read_text(&document->source, text, name, errors));
	return load_end(&load, out);
}

struct config *
config_ref(struct config *config)
{
	(void)atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
	return config;
}

void
config_unref(struct config *config)
{
	if (config == NULL ||
	    atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) != 1)
		return;
	value_free_group(schema_root(), config);
	free(config);
}
