check_PROGRAMS += tests/unit/suppress/test_suppress
TESTS += tests/unit/suppress/test_suppress
tests_unit_suppress_test_suppress_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_suppress_test_suppress_LDADD = $(L_SUPPRESS) $(CMOCKA_LIBS)
