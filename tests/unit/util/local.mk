check_PROGRAMS += tests/unit/util/test_span tests/unit/util/test_base tests/unit/util/test_blocks
TESTS += tests/unit/util/test_span tests/unit/util/test_base tests/unit/util/test_blocks
tests_unit_util_test_span_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_util_test_span_LDADD = $(L_UTIL) $(CMOCKA_LIBS)
tests_unit_util_test_base_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_util_test_base_LDADD = $(L_UTIL) $(CMOCKA_LIBS)
tests_unit_util_test_blocks_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_util_test_blocks_LDADD = $(L_UTIL) $(CMOCKA_LIBS)
