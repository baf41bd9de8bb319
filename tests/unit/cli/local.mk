check_PROGRAMS += tests/unit/cli/test_args tests/unit/cli/test_format
TESTS += tests/unit/cli/test_args tests/unit/cli/test_format
tests_unit_cli_test_args_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_cli_test_args_LDADD = $(L_CLI) $(CMOCKA_LIBS)
tests_unit_cli_test_format_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_cli_test_format_LDADD = $(L_CLI) $(CMOCKA_LIBS)
