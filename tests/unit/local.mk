# Unit tests mirror src/: tests/unit/FOLDER/test_FILE.c, listed in tests/unit/FOLDER/local.mk.
if HAVE_CMOCKA
include tests/unit/util/local.mk
include tests/unit/auth/local.mk
include tests/unit/sign/local.mk
include tests/unit/dns/local.mk
endif
