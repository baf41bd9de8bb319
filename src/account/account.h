/* account/account.h - accounts (tenants), their rates and quotas. Core loop only.
 *
 * An account outlives reloads of the configuration, so that its rate and its quota do. The rolling 24 hours are
 * kept in minutes and written to STATE/usage about once a second.
 *
 * After a crash an account has used what its stored messages have: the file counts them, or they are found in the spool
 * (accounts_replay). A message that was not stored is in neither. Missing are at most messages that had left the spool,
 * of those accepted in the last second, after one that still waited for its store, or in what a power cut has taken off
 * the end of the file, which is not synced. (And any of the last second, when the clock has been set back.) */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "config/config.h"
#include "net/loop.h"
#include "net/worker.h"

struct accounts;
struct account;

/* Reads STATE/usage, and writes nothing before accounts_replayed. Blocks. The workers are to be done before
 * accounts_free; what they post then may come later. */
MUST_CHECK enum rc accounts_new(struct loop *loop, struct worker_pool *workers,
    const char *state_directory, struct accounts **out, struct why *why);
/* Writes what is not written yet. Ends all charges. */
void accounts_free(struct accounts *accounts);

/* Take over the accounts of a configuration: new ones appear, changed limits apply at once, those
 * that are gone can no longer send. */
MUST_CHECK enum rc accounts_configure(
    struct accounts *accounts, const struct config *config, struct why *why);

/* The same for one account of the store, whose name and scalars are copied. Where the configuration has an account of
 * the name, that one counts as long as it does. */
MUST_CHECK enum rc account_put(
    struct accounts *accounts, const struct config_account *settings, struct why *why);
void account_remove(struct accounts *accounts, const char *name);

/* A message found in the spool at start: counted when it is younger than what STATE/usage knows. */
void accounts_replay(
    struct accounts *accounts, const char *name, int64_t accepted_ms, unsigned recipients);
/* There are no more of them: from now on the file may say that it knows of all. Before the first account_take. */
void accounts_replayed(struct accounts *accounts);

struct account *account_find(const struct accounts *accounts, const char *name);

const char *account_name(const struct account *account);
/* What is in force; without credentials. Until the loop goes on. */
const struct config_account *account_settings(const struct account *account);
/* There is such an account: NULL is none, and one that is gone is kept for what it has used. */
bool account_is_there(const struct account *account);
bool account_in_file(
    const struct account *account); /* in the configuration, not only in the store */

/* RC_DENY with 554 when the account may not send (paused, or gone from the configuration). */
MUST_CHECK enum rc account_may_send(const struct account *account, struct why *why);

struct account_charge;

/* Count recipients against the rate, and `counted` of them against the quota: all or nothing. RC_LATER with SES's 454
 * texts. The charge ends with one of account_keep and account_refund. */
MUST_CHECK enum rc account_take(struct account *account, unsigned recipients, unsigned counted,
    struct account_charge **charge, struct why *why);
/* How long the message is to wait before it is delivered, since it is above the rate: of accounts that are smoothed. */
int64_t account_charge_wait_ms(const struct account_charge *charge);
/* When that was: accepted_ms of the message, by which accounts_replay tells whether the file has it. */
int64_t account_charge_ms(const struct account_charge *charge);
void account_keep(struct account_charge *charge);   /* the message is stored */
void account_refund(struct account_charge *charge); /* it was not accepted after all */

/* A large text of `bytes` has come: how long its reply is to wait, so that the account's large texts (smtp.large_rate)
 * keep to their rate. Counted at once. -1: longer than a client would wait; nothing is counted. */
int64_t account_pace_ms(struct account *account, uint64_t bytes);

struct account_usage {
	double send_rate, send_burst;
	int64_t quota_24h, sent_24h;
};
void account_usage(struct account *account, struct account_usage *out);

/* In the order of the configuration; NULL ends. */
struct account *accounts_next(const struct accounts *accounts, const struct account *after);

#endif
