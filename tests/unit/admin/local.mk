check_PROGRAMS += tests/unit/admin/test_admin
TESTS += tests/unit/admin/test_admin
tests_unit_admin_test_admin_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_admin_test_admin_LDADD = $(L_ADMIN) $(CMOCKA_LIBS)
