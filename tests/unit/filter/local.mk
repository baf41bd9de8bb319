check_PROGRAMS += tests/unit/filter/test_clamd
TESTS += tests/unit/filter/test_clamd
tests_unit_filter_test_clamd_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_filter_test_clamd_LDADD = $(L_FILTER) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/filter/test_milter
TESTS += tests/unit/filter/test_milter
tests_unit_filter_test_milter_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_filter_test_milter_LDADD = $(L_FILTER) $(CMOCKA_LIBS)
