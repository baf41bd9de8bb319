check_PROGRAMS += tests/unit/net/test_loop tests/unit/net/test_conn
TESTS += tests/unit/net/test_loop tests/unit/net/test_conn
tests_unit_net_test_loop_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_net_test_loop_LDADD = $(L_NET) $(CMOCKA_LIBS)
tests_unit_net_test_conn_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_net_test_conn_LDADD = $(L_NET) $(CMOCKA_LIBS)
EXTRA_DIST += tests/unit/net/net_test.h
