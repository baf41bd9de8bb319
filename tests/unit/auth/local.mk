check_PROGRAMS += tests/unit/auth/test_auth tests/unit/auth/test_password
TESTS += tests/unit/auth/test_auth tests/unit/auth/test_password
tests_unit_auth_test_auth_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_auth_test_auth_LDADD = $(L_AUTH) $(CMOCKA_LIBS)
tests_unit_auth_test_password_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_auth_test_password_LDADD = $(L_AUTH) $(CMOCKA_LIBS)
