/* identity/identity.h - which addresses an account may send as, and with which key they are signed.
 *
 * A snapshot of the configuration: immutable and counted, made off the loops because it reads key files. The most
 * specific verified identity wins: address, then the domain, then its parents. */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include "config/config.h"
#include "util/span.h"

struct identities;
struct sign_key;

struct identity {
	const char *name; /* example.com or jo@example.com, lower-case domain */
	const char *account;
	const char *configuration_set; /* default, or "" */
	bool verified;
	/* Where the DKIM key is; "" when there is none. The services do not know one another: who loads keys
	 * keeps them by this file name. */
	const char *dkim_selector, *dkim_key, *dkim_domain;
};

MUST_CHECK enum rc identities_new(
    const struct config *config, struct identities **out, struct why *why);
struct identities *identities_ref(struct identities *identities);
void identities_unref(struct identities *identities);

/* The most specific verified identity of `account` that covers local@domain (a +label of the local part is
 * ignored; domains without regard to case), or NULL. Cost: the number of labels, not of identities. */
const struct identity *identity_for(const struct identities *identities, const char *account,
    struct span local, struct span domain);

/* The identity whose DKIM key signs for `identity`'s address: itself, or the most specific one above it that
 * has a key (an address inherits from its domain). NULL: unsigned. */
const struct identity *identity_signer(const struct identities *identities, const char *account,
    struct span local, struct span domain);

#endif
