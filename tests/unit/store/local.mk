check_PROGRAMS += tests/unit/store/test_store tests/unit/store/test_damage tests/unit/store/test_faults
TESTS += tests/unit/store/test_store tests/unit/store/test_damage tests/unit/store/test_faults
STORE_TEST_LIBS = $(L_STORE) $(CMOCKA_LIBS)
tests_unit_store_test_store_SOURCES = tests/unit/store/test_store.c tests/unit/store/shelf.c \
	tests/unit/store/shelf.h
tests_unit_store_test_store_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_store_test_store_LDADD = $(STORE_TEST_LIBS)
tests_unit_store_test_damage_SOURCES = tests/unit/store/test_damage.c tests/unit/store/shelf.c \
	tests/unit/store/shelf.h
tests_unit_store_test_damage_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_store_test_damage_LDADD = $(STORE_TEST_LIBS)
tests_unit_store_test_faults_SOURCES = tests/unit/store/test_faults.c tests/unit/store/shelf.c \
	tests/unit/store/shelf.h
tests_unit_store_test_faults_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_store_test_faults_LDADD = $(STORE_TEST_LIBS)
