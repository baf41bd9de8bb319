check_PROGRAMS += tests/unit/dns/test_mx tests/unit/dns/test_packet tests/unit/dns/test_unbound
TESTS += tests/unit/dns/test_mx tests/unit/dns/test_packet tests/unit/dns/test_unbound
tests_unit_dns_test_mx_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_dns_test_mx_LDADD = $(L_DNS) $(CMOCKA_LIBS)
tests_unit_dns_test_packet_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_dns_test_packet_LDADD = $(L_DNS) $(CMOCKA_LIBS)
tests_unit_dns_test_unbound_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_dns_test_unbound_LDADD = $(L_DNS) $(CMOCKA_LIBS)
