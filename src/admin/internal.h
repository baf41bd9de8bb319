/* admin/internal.h - what the files of admin/ share. */
#ifndef ADMIN_INTERNAL_H
#define ADMIN_INTERNAL_H

#include "admin/admin.h"
#include "util/hash.h"

struct admin {
	struct admin_options options;
	struct config *config;
	struct credential_table *credentials;
	struct map pending;		/* changes by what they change */
	struct suppressions *addresses; /* that are being put on lists, or taken off */
};

/* load.c: credentials of the store once more, whose passwords depend on the region. Blocks. */
void admin_load_credentials(struct admin *admin);

/* get.c */
struct presence {
	bool there, in_file;
	bool foreign; /* a credential of the store that belongs to another account */
};
struct presence admin_presence(
    const struct admin *admin, enum config_object_kind kind, const char *account, const char *name);
struct account *admin_account(const struct admin *admin, const char *name); /* or NULL */
enum config_profile admin_profile(const struct admin *admin, const char *account);
const char *admin_noun(enum config_object_kind kind);  /* "configuration set" */
const char *admin_title(enum config_object_kind kind); /* "Configuration set" */
/* 404 */
enum rc admin_there_is_none(enum config_object_kind kind, const char *name, struct why *why);

#endif
