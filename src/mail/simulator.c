/* mail/simulator.c - what each mailbox of the simulator stands for. */
#include "config.h"

#include "mail/simulator.h"

static const char *const mailboxes[SIMULATED_COUNT] = {
	[SIMULATED_SUCCESS] = "success",
	[SIMULATED_BOUNCE] = "bounce",
	[SIMULATED_OOTO] = "ooto",
	[SIMULATED_COMPLAINT] = "complaint",
	[SIMULATED_SUPPRESSED] = "suppressionlist",
};

bool
simulator_is_address(struct span domain, struct span address)
{
	size_t at = span_find_last(address, '@');

	return domain.len > 0 && at < address.len && span_ieq(span_skip(address, at + 1), domain);
}

enum simulated
simulator_outcome(struct span address)
{
	struct span local = span_first(address, span_find_last(address, '@'));

	local = span_first(local, span_find(local, '+'));
	for (size_t i = 0; i < SIMULATED_COUNT; i++)
		if (span_ieq(local, span_of(mailboxes[i])))
			return (enum simulated)i;
	return SIMULATED_BOUNCE;
}
