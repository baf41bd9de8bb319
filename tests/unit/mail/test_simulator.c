/* Unit tests of mail/simulator.c: which addresses are the simulator's, and what becomes of their mail. */
#include "config.h"

#include "unit/test.h"

#include "mail/simulator.h"
#include "util/rc.h"

#define DOMAIN "simulator.example.com"

static bool
is_simulated(const char *address)
{
	return simulator_is_address(SPAN_LIT(DOMAIN), span_of(address));
}

static void
test_addresses(void **state)
{
	(void)state;
	assert_true(is_simulated("success@" DOMAIN));
	assert_true(is_simulated("anything@" DOMAIN));
	assert_true(is_simulated("success@Simulator.EXAMPLE.com"));
	assert_true(is_simulated("\"a@b\"@" DOMAIN));
	assert_false(is_simulated("success@example.com"));
	assert_false(is_simulated("success@x." DOMAIN));
	assert_false(is_simulated("success@" DOMAIN "."));
	assert_false(is_simulated("success@" DOMAIN "@example.org"));
	assert_false(is_simulated("success@"));
	assert_false(is_simulated(DOMAIN));
	assert_false(is_simulated(""));
	/* There is no simulator: nothing is its address, not even what has no domain. */
	assert_false(simulator_is_address(SPAN_EMPTY, SPAN_LIT("success@" DOMAIN)));
	assert_false(simulator_is_address(SPAN_EMPTY, SPAN_LIT("success@")));
	assert_false(simulator_is_address(SPAN_EMPTY, SPAN_LIT("success")));
	assert_false(simulator_is_address(SPAN_EMPTY, SPAN_EMPTY));
}

static void
test_outcomes(void **state)
{
	static const struct {
		const char *address;
		enum simulated outcome;
	} rows[] = {
		{ "success@" DOMAIN, SIMULATED_SUCCESS },
		{ "bounce@" DOMAIN, SIMULATED_BOUNCE },
		{ "ooto@" DOMAIN, SIMULATED_OOTO },
		{ "complaint@" DOMAIN, SIMULATED_COMPLAINT },
		{ "suppressionlist@" DOMAIN, SIMULATED_SUPPRESSED },
		{ "Success@" DOMAIN, SIMULATED_SUCCESS },
		{ "success+label@" DOMAIN, SIMULATED_SUCCESS },
		{ "complaint+a+b@" DOMAIN, SIMULATED_COMPLAINT },
		{ "ooto+@" DOMAIN, SIMULATED_OOTO },
		{ "suppressionlist+success@" DOMAIN, SIMULATED_SUPPRESSED },
		/* Whatever else is a mailbox that does not exist. */
		{ "nobody@" DOMAIN, SIMULATED_BOUNCE },
		{ "+success@" DOMAIN, SIMULATED_BOUNCE },
		{ "successful@" DOMAIN, SIMULATED_BOUNCE },
		{ "succes@" DOMAIN, SIMULATED_BOUNCE },
		{ "\"success\"@" DOMAIN, SIMULATED_BOUNCE },
		{ "success@x@" DOMAIN, SIMULATED_BOUNCE },
		{ "@" DOMAIN, SIMULATED_BOUNCE },
		{ "", SIMULATED_BOUNCE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(simulator_outcome(span_of(rows[i].address)), rows[i].outcome);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_outcomes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
