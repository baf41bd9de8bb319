check_PROGRAMS += tests/unit/delivery/test_client tests/unit/delivery/test_channel
TESTS += tests/unit/delivery/test_client tests/unit/delivery/test_channel
tests_unit_delivery_test_client_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_delivery_test_client_LDADD = $(L_DELIVERY) $(CMOCKA_LIBS)
tests_unit_delivery_test_channel_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_delivery_test_channel_LDADD = $(L_DELIVERY) $(CMOCKA_LIBS)
