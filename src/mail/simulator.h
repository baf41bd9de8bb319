/* mail/simulator.h - the mailbox simulator: addresses that show an application what can become of its mail. Pure.
 *
 * Mail to it never leaves, counts in no quota and no reputation, and may be sent from the sandbox, too. */
#ifndef MAIL_SIMULATOR_H
#define MAIL_SIMULATOR_H

#include <stdbool.h>

#include "util/span.h"

enum simulated {
	SIMULATED_SUCCESS,
	SIMULATED_BOUNCE,     /* the mailbox does not exist; other local parts are so, too */
	SIMULATED_OOTO,	      /* delivered, and an automatic reply comes back */
	SIMULATED_COMPLAINT,  /* delivered, and called spam by the recipient */
	SIMULATED_SUPPRESSED, /* on the list of the whole service */
	SIMULATED_COUNT
};

/* domain "": there is no simulator. */
bool simulator_is_address(struct span domain, struct span address);

/* Of an address of the simulator; a "+label" of the local part is ignored. */
enum simulated simulator_outcome(struct span address);

#endif
