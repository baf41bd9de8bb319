check_PROGRAMS += tests/unit/spool/test_spool
TESTS += tests/unit/spool/test_spool
tests_unit_spool_test_spool_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_spool_test_spool_LDADD = src/spool/libpr_spool.a src/net/libpr_net.a \
	$(L_UTIL) $(LIBEVENT_LIBS) $(CMOCKA_LIBS)
