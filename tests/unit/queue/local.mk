check_PROGRAMS += tests/unit/queue/test_retry
TESTS += tests/unit/queue/test_retry
tests_unit_queue_test_retry_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_retry_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
