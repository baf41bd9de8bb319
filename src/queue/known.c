/* queue/known.c - recipients of whom it is known without asking anybody what becomes of them: mailboxes of the simulator,
 * and those that their account has on its suppression list. Each kind is a destination of its own, so that they go the way of all
 * others, but for the network. */
#include "config.h"

#include "queue/internal.h"

#include "mail/simulator.h"

enum destination_kind
known_kind(const struct queue *queue, const struct message *message, const char *address)
{
	if (message->notice)
		return DESTINATION_REMOTE;
	if (simulator_is_address(span_of(queue->config->simulator_domain), span_of(address)))
		return DESTINATION_SIMULATOR;
	if (queue->options.is_suppressed != NULL &&
	    queue->options.is_suppressed(queue->options.arg, message, address))
		return DESTINATION_SUPPRESSED;
	return DESTINATION_REMOTE;
}

static const char on_account_list[] =
    "Amazon SES did not send the message to this address because it is on the suppression list for "
    "your account.";
static const char on_global_list[] =
    "Amazon SES has suppressed sending to this address because it has a recent history of bouncing "
    "as an invalid address.";

static const struct {
	enum outcome_kind kind;
	int code;
	const char *status;
	const char *text; /* as of a host */
	enum failure_class failure;
} simulated[SIMULATED_COUNT] = {
	[SIMULATED_SUCCESS] = { OUTCOME_DELIVERED, 250, "2.6.0", "2.6.0 Message received",
	    FAILURE_NONE },
	[SIMULATED_BOUNCE] = { OUTCOME_FAILED, 550, "5.1.1", "5.1.1 user unknown",
	    FAILURE_SIMULATED },
	[SIMULATED_OOTO] = { OUTCOME_DELIVERED, 250, "2.6.0", "2.6.0 Message received",
	    FAILURE_NONE },
	[SIMULATED_COMPLAINT] = { OUTCOME_DELIVERED, 250, "2.6.0", "2.6.0 Message received",
	    FAILURE_NONE },
	[SIMULATED_SUPPRESSED] = { OUTCOME_FAILED, 550, "5.1.1", on_global_list,
	    FAILURE_SUPPRESSED },
};

void
known_outcome(const struct queue_item *item, const char *address, struct outcome *out)
{
	enum simulated what = simulator_outcome(span_of(address));

	out->kind = OUTCOME_NONE;
	if (item_destination(item)->kind == DESTINATION_SUPPRESSED) {
		outcome_set(out, OUTCOME_FAILED, 550, "5.1.1", on_account_list);
		out->failure = FAILURE_ON_ACCOUNT_LIST;
		return;
	}
	outcome_set(out, simulated[what].kind, simulated[what].code, simulated[what].status,
	    simulated[what].text);
	out->remote = what != SIMULATED_SUPPRESSED;
	out->failure = simulated[what].failure;
}
