check_PROGRAMS += tests/unit/account/test_account
TESTS += tests/unit/account/test_account
tests_unit_account_test_account_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_account_test_account_LDADD = $(L_ACCOUNT) $(CMOCKA_LIBS)
