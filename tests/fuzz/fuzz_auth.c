/* Fuzz target: an AUTH exchange. Lines of the input are mechanism, initial response ("-": none), answers. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_result(const struct auth_exchange *exchange)
{
	const char *name, *password;

	auth_exchange_result(exchange, &name, &password);
	if (name[0] == '\0' || strlen(name) > AUTH_NAME_MAX || password[0] == '\0' ||
	    strlen(password) > AUTH_NAME_MAX)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct span rest = span_make((const char *)data, size), mechanism, initial, line;
	struct auth_exchange *exchange;
	const char *challenge;
	struct why why = WHY_EMPTY;
	enum rc rc;

	if (!ready && auth_init(NULL) != RC_OK)
		abort();
	ready = true;
	if (!span_next(&rest, '\n', &mechanism) || !span_next(&rest, '\n', &initial))
		return 0;
	exchange = auth_exchange_new("mail.example.com");
	if (exchange == NULL)
		return 0;
	rc = auth_exchange_start(
	    exchange, mechanism, !span_eq(initial, SPAN_LIT("-")), initial, &challenge, &why);
	while (rc == RC_MORE && span_next(&rest, '\n', &line))
		rc = auth_exchange_step(exchange, line, &challenge, &why);
	if (rc == RC_OK)
		check_result(exchange);
	else if (rc != RC_MORE && (rc != RC_BAD || why.code == 0))
		abort();
	auth_exchange_free(exchange);
	return 0;
}
