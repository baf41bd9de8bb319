check_PROGRAMS += tests/unit/sign/test_sign tests/unit/sign/sign_tool tests/bench/bench_sign
TESTS += tests/unit/sign/test_sign tests/unit/sign/verify.sh
EXTRA_DIST += tests/unit/sign/verify.sh tests/unit/sign/verify.py tests/unit/sign/verify.pl
tests_unit_sign_test_sign_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_sign_test_sign_LDFLAGS = $(AM_LDFLAGS) $(SIGN_LDFLAGS)
tests_unit_sign_test_sign_LDADD = $(L_SIGN) $(CMOCKA_LIBS)
tests_unit_sign_sign_tool_LDFLAGS = $(AM_LDFLAGS) $(SIGN_LDFLAGS)
tests_unit_sign_sign_tool_LDADD = $(L_SIGN)
# Not a test: prints signatures a second.
tests_bench_bench_sign_LDFLAGS = $(AM_LDFLAGS) $(SIGN_LDFLAGS)
tests_bench_bench_sign_LDADD = $(L_SIGN)
