check_PROGRAMS += tests/unit/queue/test_retry tests/unit/queue/test_cursor
TESTS += tests/unit/queue/test_retry tests/unit/queue/test_cursor
tests_unit_queue_test_retry_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_retry_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
tests_unit_queue_test_cursor_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_cursor_LDFLAGS = $(AM_LDFLAGS) $(SIGN_LDFLAGS)
tests_unit_queue_test_cursor_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
