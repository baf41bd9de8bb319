check_PROGRAMS += tests/unit/config/test_load tests/unit/config/test_files \
	tests/unit/config/test_dump tests/unit/config/test_schema
TESTS += tests/unit/config/test_load tests/unit/config/test_files \
	tests/unit/config/test_dump tests/unit/config/test_schema
# config/ needs nothing between itself and util/.
CONFIG_TEST_LIBS = src/config/libpr_config.a $(L_UTIL) $(LIBCONFIG_LIBS) $(CMOCKA_LIBS)
tests_unit_config_test_load_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_config_test_load_LDADD = $(CONFIG_TEST_LIBS)
tests_unit_config_test_files_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_config_test_files_LDADD = $(CONFIG_TEST_LIBS)
tests_unit_config_test_dump_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_config_test_dump_LDADD = $(CONFIG_TEST_LIBS)
tests_unit_config_test_schema_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_config_test_schema_LDADD = $(CONFIG_TEST_LIBS)
EXTRA_DIST += tests/unit/config/config_test.h
