check_PROGRAMS += tests/unit/http/test_http
TESTS += tests/unit/http/test_http
tests_unit_http_test_http_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_http_test_http_LDFLAGS = $(AM_LDFLAGS) $(SIGN_LDFLAGS)
tests_unit_http_test_http_LDADD = $(L_HTTP) $(CMOCKA_LIBS)
