check_PROGRAMS += tests/unit/delivery/test_client
TESTS += tests/unit/delivery/test_client
tests_unit_delivery_test_client_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_delivery_test_client_LDADD = $(L_DELIVERY) $(CMOCKA_LIBS)
