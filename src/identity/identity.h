/* identity/identity.h - which addresses an account may send as, and with which key they are signed.
 *
 * Identities come from the configuration, as a table that is made off the loops and never changes, and from the store,
 * one by one. Where both have the same one, that of the configuration counts. The most specific verified identity wins:
 * address, then the domain, then its parents. Core loop only, but for the tables. */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include "config/config.h"
#include "util/span.h"

struct identities;
struct identity_table;

struct identity {
	const char *name; /* example.com or jo@example.com, lower-case domain */
	const char *account;
	const char *configuration_set; /* default, or "" */
	char *const *senders;	       /* other accounts that may send as it */
	size_t sender_count;
	bool verified;
	bool in_file;	    /* of the configuration */
	int64_t created_ms; /* 0: not known */
	/* Where the DKIM key is; "" when there is none. The services do not know one another: who loads keys
	 * keeps them by this file name. */
	const char *dkim_selector, *dkim_key, *dkim_domain;
};

/* The identities of a configuration. Any thread; counted. */
MUST_CHECK enum rc identity_table_new(
    const struct config *config, struct identity_table **out, struct why *why);
struct identity_table *identity_table_ref(struct identity_table *table);
void identity_table_unref(struct identity_table *table);

struct identities *identities_new(void); /* NULL: out of memory */
void identities_free(struct identities *identities);

/* The table from now on, instead of the one before. Takes a reference of its own. */
void identities_use(struct identities *identities, struct identity_table *table);

/* One of the store: new, or changed. Copies. Pointers to it that were handed out are void. */
MUST_CHECK enum rc identities_put(
    struct identities *identities, const struct config_identity *identity, struct why *why);
void identities_remove(struct identities *identities, const char *account, const char *name);
void identities_remove_account(struct identities *identities, const char *account);

/* What is handed out stays until the loop goes on, or until it is put or removed. Cost: the number of labels, not of
 * identities. */

/* The most specific verified identity of `account` that covers local@domain (a +label of the local part is
 * ignored; domains without regard to case), or NULL. */
const struct identity *identity_for(const struct identities *identities, const char *account,
    struct span local, struct span domain);

/* The identity whose DKIM key signs for `identity`'s address: itself, or the most specific one above it that
 * has a key (an address inherits from its domain). NULL: unsigned. */
const struct identity *identity_signer(const struct identities *identities, const char *account,
    struct span local, struct span domain);

/* The one of that name, verified or not, or NULL. */
const struct identity *identity_find(
    const struct identities *identities, const char *account, const char *name);

/* All of an account: those of the configuration, then those of the store that are not there, too. NULL: the first;
 * returns NULL behind the last. */
const struct identity *identities_next(
    const struct identities *identities, const char *account, const struct identity *after);
size_t identities_count(const struct identities *identities, const char *account);

/* Whether `sender` may send as it, though it is another's. */
bool identity_admits(const struct identity *identity, const char *sender);

#endif
