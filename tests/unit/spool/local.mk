check_PROGRAMS += tests/unit/spool/test_spool tests/unit/spool/test_faults \
	tests/unit/spool/test_inspect tests/unit/spool/test_index
TESTS += tests/unit/spool/test_spool tests/unit/spool/test_faults \
	tests/unit/spool/test_inspect tests/unit/spool/test_index
SPOOL_TEST_LIBS = src/spool/libpr_spool.a src/net/libpr_net.a $(L_CONFIG) $(LIBEVENT_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_spool_test_spool_SOURCES = tests/unit/spool/test_spool.c tests/unit/spool/world.c \
	tests/unit/spool/world.h
tests_unit_spool_test_spool_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_spool_test_spool_LDADD = $(SPOOL_TEST_LIBS)
tests_unit_spool_test_faults_SOURCES = tests/unit/spool/test_faults.c tests/unit/spool/world.c \
	tests/unit/spool/world.h
tests_unit_spool_test_faults_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_spool_test_faults_LDADD = $(SPOOL_TEST_LIBS)
tests_unit_spool_test_inspect_SOURCES = tests/unit/spool/test_inspect.c tests/unit/spool/world.c \
	tests/unit/spool/world.h
tests_unit_spool_test_inspect_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_spool_test_inspect_LDADD = $(SPOOL_TEST_LIBS)
tests_unit_spool_test_index_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_spool_test_index_LDADD = $(SPOOL_TEST_LIBS)
