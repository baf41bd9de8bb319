check_PROGRAMS += tests/unit/identity/test_identity
TESTS += tests/unit/identity/test_identity
tests_unit_identity_test_identity_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_identity_test_identity_LDADD = $(L_IDENTITY) $(CMOCKA_LIBS)
