check_PROGRAMS += tests/unit/event/test_event
TESTS += tests/unit/event/test_event
tests_unit_event_test_event_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_event_test_event_LDADD = $(L_EVENT) $(CMOCKA_LIBS)
