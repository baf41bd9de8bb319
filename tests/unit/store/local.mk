check_PROGRAMS += tests/unit/store/test_store
TESTS += tests/unit/store/test_store
STORE_TEST_LIBS = $(L_STORE) $(CMOCKA_LIBS)
tests_unit_store_test_store_SOURCES = tests/unit/store/test_store.c tests/unit/store/shelf.c \
	tests/unit/store/shelf.h
tests_unit_store_test_store_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_store_test_store_LDADD = $(STORE_TEST_LIBS)
