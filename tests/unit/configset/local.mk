check_PROGRAMS += tests/unit/configset/test_configset
TESTS += tests/unit/configset/test_configset
tests_unit_configset_test_configset_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_configset_test_configset_LDADD = $(L_CONFIGSET) $(CMOCKA_LIBS)
