/* submit/policy.c - may this account send this message as these identities now? Core loop only.
 *
 * Nothing is counted before everything else has passed; what was counted is named in submission->charge, so that it can
 * be given back when the message is not stored after all. */
#include "config.h"

#include "submit/internal.h"

#include <stdio.h>
#include <string.h>

#include "mail/address.h"

/* ------------------------------------------------------------------ configuration set --------- */

static enum rc
find_set(const struct config *config, const char *account, struct span name,
    const struct config_set **out, struct why *why)
{
	*out = NULL;
	if (name.len == 0)
		return RC_OK;
	for (size_t i = 0; i < config->set_count; i++)
		if (span_eq(span_of(config->sets[i].name), name) &&
		    strcmp(config->sets[i].account, account) == 0)
			*out = &config->sets[i];
	if (*out == NULL)
		return why_set(why, RC_DENY, 554,
		    "Configuration Set does not exist: Configuration set <%.*s> does not exist.",
		    SPAN_ARG(name));
	if (!(*out)->sending_enabled)
		return why_set(why, RC_DENY, 554,
		    "Message rejected: Sending is paused for configuration set <%.*s>.",
		    SPAN_ARG(name));
	return RC_OK;
}

/* ------------------------------------------------------------------ identities ---------------- */

struct identity_check {
	const struct identities *identities;
	const char *account;
	const struct identity *from; /* of the first From mailbox */
	bool first;
	struct buf failed; /* "Jo <jo@example.com>, jo@example.com" */
};

static void
note_failed(struct identity_check *check, struct span text)
{
	if (buf_len(&check->failed) > 0)
		buf_addf(&check->failed, ", ");
	header_unfold(text, &check->failed);
}

static void
check_mailbox(void *arg, const struct mailbox *box)
{
	struct identity_check *check = arg;
	const struct identity *found =
	    identity_for(check->identities, check->account, box->local, box->domain);

	if (found == NULL)
		note_failed(check, box->whole);
	if (check->first)
		check->from = found;
	check->first = false;
}

static void
check_field(struct identity_check *check, const struct header *header, struct span name)
{
	const struct header_field *field = header_find(header, name);
	struct why ignored = WHY_EMPTY;

	if (field != NULL)
		(void)!address_list_parse(field->value, check_mailbox, check, &ignored);
}

static void
check_address(struct identity_check *check, const char *address)
{
	struct mailbox box;
	struct why ignored = WHY_EMPTY;

	if (address_parse(span_of(address), &box, &ignored) != RC_OK ||
	    identity_for(check->identities, check->account, box.local, box.domain) == NULL)
		note_failed(check, span_of(address));
}

static enum rc
identities_failed(const struct identity_check *check, const struct config *config, struct why *why)
{
	char region[64], list[400];
	struct span failed = buf_span(&check->failed);
	size_t n;

	(void)snprintf(region, sizeof region, "%s", config->region);
	for (char *p = region; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - ('a' - 'A'));
	n = failed.len < sizeof list - 4 ? failed.len : sizeof list - 4;
	memcpy(list, failed.p, n);
	(void)snprintf(list + n, sizeof list - n, "%s", n < failed.len ? "..." : "");
	return why_set(why, RC_DENY, 554,
	    "Message rejected: Email address is not verified. The following identities failed the "
	    "check "
	    "in region %s: %s",
	    region, list);
}

static enum rc
check_identities(struct submit *submit, struct submission *s, const struct account *account,
    const struct identity **from, struct why *why)
{
	struct identity_check check = { .identities = submit->identities,
		.account = account_name(account),
		.first = true,
		.failed = BUF_EMPTY };
	bool null_sender = s->sender[0] == '\0' && account_profile(account) == PROFILE_RELAY;
	enum rc rc = RC_OK;

	check_field(&check, &s->header, SPAN_LIT("From"));
	check_field(&check, &s->header, SPAN_LIT("Sender"));
	check_field(&check, &s->header, SPAN_LIT("Return-Path"));
	if (!null_sender)
		check_address(&check, s->sender);
	if (!account_in_production(account))
		for (size_t i = 0; i < s->recipient_count; i++)
			check_address(&check, s->recipients[i].address);
	if (check.failed.failed)
		rc = why_set(why, RC_LATER, 451, "Temporary service failure");
	else if (buf_len(&check.failed) > 0)
		rc = identities_failed(&check, submit->config, why);
	*from = check.from;
	buf_free(&check.failed);
	return rc;
}

/* ------------------------------------------------------------------ all of it ----------------- */

/* The default set of the identity counts when the message names none. */
static struct span
set_name(const struct submission *s, const struct identity *identity)
{
	if (s->ses.configuration_set.len > 0)
		return s->ses.configuration_set;
	return identity != NULL ? span_of(identity->configuration_set) : SPAN_EMPTY;
}

struct signer_search {
	const struct identities *identities;
	const char *account;
	const struct identity *found;
	bool first;
};

static void
search_signer(void *arg, const struct mailbox *box)
{
	struct signer_search *search = arg;

	if (search->first)
		search->found =
		    identity_signer(search->identities, search->account, box->local, box->domain);
	search->first = false;
}

const struct identity *
policy_signer(const struct submit *submit, const struct submission *s, struct span from)
{
	struct signer_search search = { submit->identities, s->account, NULL, true };
	struct why ignored = WHY_EMPTY;

	(void)!address_list_parse(from, search_signer, &search, &ignored);
	return search.found;
}

static const struct identity *
from_identity(const struct submit *submit, const struct submission *s)
{
	struct identity_check check = { .identities = submit->identities,
		.account = s->account,
		.first = true,
		.failed = BUF_EMPTY };

	check_field(&check, &s->header, SPAN_LIT("From"));
	buf_free(&check.failed);
	return check.from;
}

enum rc
policy_apply(struct submit *submit, struct submission *s, const struct config_set **set,
    const struct identity **identity, struct why *why)
{
	struct account *account = account_find(submit->options.accounts, s->account);
	enum rc rc;

	if (account == NULL)
		return why_set(why, RC_DENY, 554, "Access denied");
	rc = account_may_send(account, why);
	if (rc == RC_OK)
		rc = ses_headers_parse(&s->header, &s->ses, why);
	if (rc == RC_OK)
		rc = find_set(
		    submit->config, s->account, set_name(s, from_identity(submit, s)), set, why);
	if (rc == RC_OK)
		rc = check_identities(submit, s, account, identity, why);
	if (rc == RC_OK)
		rc = spool_accepts(submit->options.spool, why);
	if (rc == RC_OK)
		rc = account_take(account, (unsigned)s->recipient_count, &s->charge, why);
	return rc;
}
