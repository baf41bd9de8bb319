/* account/account.h - accounts (tenants), their rates and quotas. Core loop only.
 *
 * An account outlives reloads of the configuration, so that its rate and its quota do. The rolling 24 hours are
 * kept in minutes and written to STATE/usage about once a second; what a crash cuts off is recovered from the
 * spool's own records at start (accounts_replay). */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "config/config.h"
#include "net/loop.h"
#include "net/worker.h"

struct accounts;
struct account;

/* Reads STATE/usage. Blocks. */
MUST_CHECK enum rc accounts_new(struct loop *loop, struct worker_pool *workers,
    const char *state_directory, struct accounts **out, struct why *why);
void accounts_free(struct accounts *accounts); /* writes what is not written yet */

/* Take over the accounts of a configuration: new ones appear, changed limits apply at once, those
 * that are gone can no longer send. */
MUST_CHECK enum rc accounts_configure(
    struct accounts *accounts, const struct config *config, struct why *why);

/* A message found in the spool at start: counted when it is younger than what STATE/usage knows. */
void accounts_replay(
    struct accounts *accounts, const char *name, int64_t accepted_ms, unsigned recipients);

struct account *account_find(const struct accounts *accounts, const char *name);

const char *account_name(const struct account *account);
enum config_profile account_profile(const struct account *account);
bool account_in_production(const struct account *account);

/* RC_DENY with 554 when the account may not send (paused, or gone from the configuration). */
MUST_CHECK enum rc account_may_send(const struct account *account, struct why *why);

/* Count recipients against rate and quota: all or nothing. RC_LATER with SES's 454 texts. */
MUST_CHECK enum rc account_take(struct account *account, unsigned recipients, struct why *why);
/* The message was not accepted after all. */
void account_refund(struct account *account, unsigned recipients);

struct account_usage {
	double send_rate, send_burst;
	int64_t quota_24h, sent_24h;
};
void account_usage(struct account *account, struct account_usage *out);

/* In the order of the configuration; NULL ends. */
struct account *accounts_next(const struct accounts *accounts, const struct account *after);

#endif
