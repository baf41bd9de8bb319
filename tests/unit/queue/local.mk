check_PROGRAMS += tests/unit/queue/test_report tests/unit/queue/test_retry tests/unit/queue/test_cursor tests/unit/queue/test_wheel \
	tests/unit/queue/test_fair tests/unit/queue/test_learn
TESTS += tests/unit/queue/test_report tests/unit/queue/test_retry tests/unit/queue/test_cursor tests/unit/queue/test_wheel \
	tests/unit/queue/test_fair tests/unit/queue/test_learn
tests_unit_queue_test_retry_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_retry_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
tests_unit_queue_test_cursor_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_cursor_LDFLAGS = $(AM_LDFLAGS) $(SIGN_LDFLAGS)
tests_unit_queue_test_cursor_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
tests_unit_queue_test_report_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_report_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
tests_unit_queue_test_wheel_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_wheel_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
tests_unit_queue_test_fair_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_fair_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
tests_unit_queue_test_learn_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_queue_test_learn_LDADD = $(L_QUEUE) $(CMOCKA_LIBS)
EXTRA_DIST += tests/unit/queue/queue_test.h
