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
	struct credentials *credentials;
	struct identities *identities;
	struct keyring *keys;
	uint64_t tls_stamp; /* of the certificate files when they were read */
};

/* RC_OK, or RC_BAD with every error as a line in `errors`. `out` is empty on failure. */
MUST_CHECK enum rc snapshot_load(const char *path, struct snapshot *out, struct buf *errors);
void snapshot_free(struct snapshot *snapshot);

#endif
