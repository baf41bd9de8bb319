/* admin/admin.h - what operators change while the daemon runs: accounts, credentials, identities, configuration sets, their
 * event destinations, suppression lists.
 *
 * A change is checked, made durable in the store, then applied to who serves the object from memory; only then the caller
 * is told. What the configuration declares is seen like the rest and changed there only. Core loop only. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "account/account.h"
#include "auth/credentials.h"
#include "config/object.h"
#include "configset/configset.h"
#include "identity/identity.h"
#include "store/store.h"
#include "suppress/suppress.h"

struct admin;

struct admin_options {
	struct store *store;
	struct accounts *accounts;
	struct credentials *credentials;
	struct identities *identities;
	struct config_sets *sets;
	struct suppressions *suppressions;
	void (*on_changed)(
	    void *arg); /* an account or a configuration set is another; may be NULL */
	void *arg;
};

MUST_CHECK enum rc admin_new(
    const struct admin_options *options, struct admin **out, struct why *why);
void admin_free(struct admin *admin); /* when store_close has told all */

/* The running configuration, when accounts, identities and sets have it. Takes references of its own. Blocks when the region
 * is another one than before. */
void admin_configure(
    struct admin *admin, struct config *config, struct credential_table *credentials);

/* Everything that is in the store, to who serves it. Blocks: at start. What cannot be read is logged and left out; where
 * that is a credential, logins with an id that is not known are answered as temporary failures. */
void admin_load(struct admin *admin);

/* How a call ended: RC_OK, or why->code is the HTTP status that fits (400, 404, 409, 503) and why->text says more. Comes
 * once, on the core loop; from inside the call when the change is not even begun. */
typedef void admin_done(void *arg, enum rc rc, const struct why *why);

enum admin_mode {
	ADMIN_ADD,    /* 409 when it is there */
	ADMIN_CHANGE, /* 404 when it is not there */
	ADMIN_PUT     /* whether it is there or not */
};

/* The object is taken, and empty afterwards. `account` owns it: of accounts it is their own name. */
void admin_put(struct admin *admin, enum admin_mode mode, enum config_object_kind kind,
    const char *account, union config_object *object_take, admin_done *done, void *arg);

/* An account goes with all that it owns. */
void admin_remove(struct admin *admin, enum config_object_kind kind, const char *account,
    const char *name, admin_done *done, void *arg);

/* The object that is in force now, to look at or to change and put: to be cleared. A credential comes without its secret,
 * and cannot be put. RC_DENY with why: there is none. *in_file: the configuration has it. */
MUST_CHECK enum rc admin_get(const struct admin *admin, enum config_object_kind kind,
    const char *account, const char *name, union config_object *out, bool *in_file,
    struct why *why);

void admin_put_destination(struct admin *admin, enum admin_mode mode, const char *account,
    const char *set, const struct event_destination *destination, admin_done *done, void *arg);
void admin_remove_destination(struct admin *admin, const char *account, const char *set,
    const char *name, admin_done *done, void *arg);

/* All of them or none. */
void admin_suppress(struct admin *admin, const char *account, const struct suppression *entries,
    size_t count, admin_done *done, void *arg);
void admin_unsuppress(struct admin *admin, const char *account, const char *const *addresses,
    size_t count, admin_done *done, void *arg);

#endif
