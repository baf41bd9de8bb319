# fake_host.c stands in for the server; scripted sessions are in tests/dialog.
check_PROGRAMS += tests/unit/smtp/test_session tests/unit/smtp/test_dialog \
	tests/unit/smtp/test_server
TESTS += tests/unit/smtp/test_session tests/unit/smtp/test_dialog \
	tests/unit/smtp/test_server
EXTRA_DIST += tests/dialog
tests_unit_smtp_test_session_SOURCES = tests/unit/smtp/test_session.c \
	tests/unit/smtp/fake_host.c tests/unit/smtp/fake_host.h tests/unit/config/config_test.h
tests_unit_smtp_test_session_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_smtp_test_session_LDADD = $(L_SMTP) $(CMOCKA_LIBS)
tests_unit_smtp_test_dialog_SOURCES = tests/unit/smtp/test_dialog.c \
	tests/unit/smtp/fake_host.c tests/unit/smtp/fake_host.h
tests_unit_smtp_test_dialog_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_smtp_test_dialog_LDADD = $(L_SMTP) $(CMOCKA_LIBS)
tests_unit_smtp_test_server_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_smtp_test_server_LDADD = $(L_SMTP) $(CMOCKA_LIBS)
