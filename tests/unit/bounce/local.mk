check_PROGRAMS += tests/unit/bounce/test_bounce
TESTS += tests/unit/bounce/test_bounce
tests_unit_bounce_test_bounce_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_bounce_test_bounce_LDADD = $(L_BOUNCE) $(CMOCKA_LIBS)
