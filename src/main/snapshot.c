/* main/snapshot.c - loads a configuration and what hangs on it. */
#include "config.h"

#include "main/snapshot.h"

#include "util/buf.h"

void
snapshot_free(struct snapshot *s)
{
	keyring_unref(s->keys);
	identity_table_unref(s->identities);
	credential_table_unref(s->credentials);
	tls_client_unref(s->tls_client);
	tls_server_unref(s->tls_server);
	config_unref(s->config);
	*s = (struct snapshot){ 0 };
}

static void
note(struct buf *errors, enum rc rc, const char *what, const struct why *why, bool *good)
{
	if (rc == RC_OK)
		return;
	buf_addf(errors, "%s: %s\n", what, why->text);
	*good = false;
}

enum rc
snapshot_load(const struct snapshot_options *options, struct snapshot *out, struct buf *errors)
{
	struct config_errors list = { NULL, 0, 0 };
	struct why why = WHY_EMPTY;
	bool good = true;
	enum rc rc;

	*out = (struct snapshot){ 0 };
	rc = config_load(options->path, &out->config, &list);
	for (size_t i = 0; i < list.count; i++) {
		config_error_format(&list.list[i], errors);
		buf_addf(errors, "\n");
	}
	config_errors_free(&list);
	if (rc != RC_OK)
		return rc;
	out->tls_stamp = tls_server_files_stamp(out->config);
	if (options->log_to_stderr)
		out->config->log.sink = LOG_SINK_STDERR;
	if (options->log_debug)
		out->config->log.level = LOG_LEVEL_DEBUG;
	if (!options->check_only || out->config->tls.certificate_count > 0)
		rc = tls_server_load(out->config, &out->tls_server, &why);
	note(errors, rc, "tls", &why, &good);
	rc = tls_client_load(out->config, &out->tls_client, &why);
	note(errors, rc, "delivery.ca_file", &why, &good);
	rc = credential_table_new(out->config, &out->credentials, &why);
	note(errors, rc, "accounts", &why, &good);
	rc = identity_table_new(out->config, &out->identities, &why);
	note(errors, rc, "identities", &why, &good);
	rc = keyring_new(out->config, &out->keys, &why);
	note(errors, rc, "identities", &why, &good);
	if (good)
		return RC_OK;
	snapshot_free(out);
	return RC_BAD;
}
