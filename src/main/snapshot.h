/* main/snapshot.h - everything that a configuration names, loaded and checked together: either all of it is good and
 * replaces what runs, or nothing changes. Loading blocks (files, keys): at start, or on a worker. */
#ifndef MAIN_SNAPSHOT_H
#define MAIN_SNAPSHOT_H

#include "auth/credentials.h"
#include "config/config.h"
#include "identity/identity.h"
#include "net/tls.h"
#include "sign/keyring.h"

struct snapshot {
	struct config *config;
	struct tls_server *tls_server;
	struct tls_client *tls_client;
	struct credential_table *credentials;
	struct identity_table *identities;
	struct keyring *keys;
	uint64_t tls_stamp; /* of the certificate files when they were read */
};

/* What the command line says, at the start and at every reload. */
struct snapshot_options {
	const char *path;   /* of the configuration file */
	bool check_only;    /* make no file: whoever checks need not be the daemon's user */
	bool log_to_stderr; /* whatever log.sink says */
	bool log_debug;	    /* whatever log.level says */
};

/* RC_OK, or RC_BAD with every error as a line in `errors`. `out` is empty on failure. With check_only, out->tls_server
 * is NULL when the certificate would be a self-made one. */
MUST_CHECK enum rc snapshot_load(
    const struct snapshot_options *options, struct snapshot *out, struct buf *errors);
void snapshot_free(struct snapshot *snapshot);

#endif
