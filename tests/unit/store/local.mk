STORE_TESTS = tests/unit/store/test_store tests/unit/store/test_damage tests/unit/store/test_faults \
	tests/unit/store/test_migrations
check_PROGRAMS += $(STORE_TESTS)
TESTS += $(STORE_TESTS)
STORE_TEST_LIBS = $(L_STORE) $(CMOCKA_LIBS)
STORE_TEST_SHELF = tests/unit/store/shelf.c tests/unit/store/shelf.h
STORE_TEST_SHIM = tests/unit/store/shim.c tests/unit/store/shim.h
tests_unit_store_test_store_SOURCES = tests/unit/store/test_store.c $(STORE_TEST_SHELF)
tests_unit_store_test_store_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_store_test_store_LDADD = $(STORE_TEST_LIBS)
tests_unit_store_test_damage_SOURCES = tests/unit/store/test_damage.c $(STORE_TEST_SHELF) $(STORE_TEST_SHIM)
tests_unit_store_test_damage_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_store_test_damage_LDADD = $(STORE_TEST_LIBS)
tests_unit_store_test_faults_SOURCES = tests/unit/store/test_faults.c $(STORE_TEST_SHELF) $(STORE_TEST_SHIM)
tests_unit_store_test_faults_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_store_test_faults_LDADD = $(STORE_TEST_LIBS)
# Has migrations of its own, which the linker takes instead of the library's.
tests_unit_store_test_migrations_SOURCES = tests/unit/store/test_migrations.c $(STORE_TEST_SHELF) $(STORE_TEST_SHIM)
tests_unit_store_test_migrations_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_store_test_migrations_LDADD = $(STORE_TEST_LIBS)
