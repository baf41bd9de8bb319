/* submit/policy.c - may this account send this message as these identities now? Core loop only.
 *
 * Nothing is counted before everything else has passed; what was counted is named in submission->charge, so that it can
 * be given back when the message is not stored after all. */
#include "config.h"

#include "submit/internal.h"

#include <stdio.h>
#include <string.h>

#include "mail/address.h"
#include "mail/simulator.h"

/* ------------------------------------------------------------------ configuration set --------- */

static enum rc
find_set(const struct submit *submit, const char *account, struct span name,
    const struct config_set **out, struct why *why)
{
	*out = NULL;
	if (name.len == 0)
		return RC_OK;
	*out = config_set_find(submit->options.sets, account, name);
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
	const struct submission *submission;
	const char *account;
	struct span arn;    /* the identity of another account that it says it may send as */
	struct span denied; /* an arn that it may not */
	const struct identity *from; /* of the first From mailbox */
	bool first;
	struct buf failed; /* "Jo <jo@example.com>, jo@example.com" */
};

static struct identity_check
check_begin(const struct submit *submit, const struct submission *s)
{
	return (struct identity_check){ .identities = submit->options.identities,
		.submission = s,
		.account = s->account,
		.first = true,
		.failed = BUF_EMPTY };
}

static void
note_failed(struct identity_check *check, struct span text)
{
	if (buf_len(&check->failed) > 0)
		buf_addf(&check->failed, ", ");
	header_unfold(text, &check->failed);
}

/* The identity that the ARN names, when it is for this address and its owner lets this account send as it. */
static const struct identity *
find_delegated(struct identity_check *check, struct span local, struct span domain)
{
	struct span owner, name;
	const struct identity *found = NULL;
	char account[SES_NAME_LEN_MAX + 1];

	if (check->arn.len == 0)
		return NULL;
	if (ses_arn_parse(check->arn, &owner, &name) && span_copy(owner, account, sizeof account))
		found = identity_for(check->identities, account, local, domain);
	if (found != NULL && span_eq(span_of(found->name), name) &&
	    (identity_admits(found, check->account) || strcmp(account, check->account) == 0))
		return found;
	check->denied = check->arn;
	return NULL;
}

static const struct identity *
find_identity(struct identity_check *check, struct span local, struct span domain)
{
	const struct identity *own = identity_for(check->identities, check->account, local, domain);

	return own != NULL ? own : find_delegated(check, local, domain);
}

static void
check_mailbox(void *arg, const struct mailbox *box)
{
	struct identity_check *check = arg;
	const struct identity *found = find_identity(check, box->local, box->domain);

	if (found == NULL)
		note_failed(check, box->whole);
	if (check->first)
		check->from = found;
	check->first = false;
}

static struct span
first_of(struct span a, struct span b)
{
	return a.len > 0 ? a : b;
}

/* `arn`: the X-SES field that speaks of it. */
static void
check_field(struct identity_check *check, struct span name, struct span arn)
{
	const struct header_field *field = header_find(&check->submission->header, name);
	struct why ignored = WHY_EMPTY;

	check->arn = arn;
	if (field != NULL)
		(void)!address_list_parse(field->value, check_mailbox, check, &ignored);
}

static void
check_from(struct identity_check *check)
{
	const struct ses_headers *ses = &check->submission->ses;

	check_field(check, SPAN_LIT("From"), first_of(ses->from_arn, ses->source_arn));
}

static void
check_address(struct identity_check *check, const char *address, struct span arn)
{
	struct mailbox box;
	struct why ignored = WHY_EMPTY;

	check->arn = arn;
	if (address_parse(span_of(address), &box, &ignored) != RC_OK ||
	    find_identity(check, box.local, box.domain) == NULL)
		note_failed(check, span_of(address));
}

static enum rc
access_denied(const struct identity_check *check, struct why *why)
{
	return why_set(why, RC_DENY, 554,
	    "Access denied: User `arn:aws:iam::%s:user/%s' is not authorized to perform "
	    "`ses:SendRawEmail' on resource `%.*s'",
	    check->account, check->submission->credential, SPAN_ARG(check->denied));
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

/* In the sandbox mail goes to what the account owns, and to the simulator. */
static void
check_recipients(struct identity_check *check, const struct config *config)
{
	for (size_t i = 0; i < check->submission->recipient_count; i++) {
		const char *address = check->submission->recipients[i].address;

		if (!simulator_is_address(span_of(config->simulator_domain), span_of(address)))
			check_address(check, address, SPAN_EMPTY);
	}
}

static enum rc
check_identities(struct submit *submit, struct submission *s, const struct account *account,
    const struct identity **from, struct why *why)
{
	struct identity_check check = check_begin(submit, s);
	bool null_sender =
	    s->sender[0] == '\0' && account_settings(account)->profile == PROFILE_RELAY;
	enum rc rc = RC_OK;

	check_from(&check);
	check_field(&check, SPAN_LIT("Sender"), s->ses.source_arn);
	check_field(
	    &check, SPAN_LIT("Return-Path"), first_of(s->ses.return_path_arn, s->ses.source_arn));
	if (!null_sender)
		check_address(
		    &check, s->sender, first_of(s->ses.source_arn, s->ses.return_path_arn));
	if (!account_settings(account)->production)
		check_recipients(&check, submit->config);
	if (check.failed.failed)
		rc = why_set(why, RC_LATER, 451, "Temporary service failure");
	else if (check.denied.len > 0)
		rc = access_denied(&check, why);
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
	if (identity == NULL || strcmp(identity->account, s->account) != 0)
		return SPAN_EMPTY;
	return span_of(identity->configuration_set);
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
policy_signer(const struct submit *submit, const char *account, struct span from)
{
	struct signer_search search = { submit->options.identities, account, NULL, true };
	struct why ignored = WHY_EMPTY;

	(void)!address_list_parse(from, search_signer, &search, &ignored);
	return search.found;
}

static const struct identity *
from_identity(const struct submit *submit, const struct submission *s)
{
	struct identity_check check = check_begin(submit, s);

	check_from(&check);
	buf_free(&check.failed);
	return check.from;
}

/* What goes to the simulator uses no quota. */
static unsigned
counted_recipients(const struct submit *submit, const struct submission *s)
{
	struct span simulator = span_of(submit->config->simulator_domain);
	unsigned count = 0;

	for (size_t i = 0; i < s->recipient_count; i++)
		count += !simulator_is_address(simulator, span_of(s->recipients[i].address));
	return count;
}

enum rc
policy_apply(struct submit *submit, struct submission *s, const struct config_set **set,
    const struct identity **identity, struct why *why)
{
	struct account *account = account_find(submit->options.accounts, s->account);
	enum rc rc;

	if (!account_is_there(account))
		return why_set(why, RC_DENY, 554, "Access denied");
	rc = account_may_send(account, why);
	if (rc == RC_OK)
		rc = ses_headers_parse(&s->header, &s->ses, why);
	if (rc == RC_OK)
		rc = find_set(submit, s->account, set_name(s, from_identity(submit, s)), set, why);
	if (rc == RC_OK)
		rc = check_identities(submit, s, account, identity, why);
	if (rc == RC_OK)
		rc = spool_accepts(submit->options.spool, why);
	if (rc == RC_OK)
		rc = account_take(account, (unsigned)s->recipient_count,
		    counted_recipients(submit, s), &s->charge, why);
	return rc;
}
