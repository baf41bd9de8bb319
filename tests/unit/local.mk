# Unit tests mirror src/: tests/unit/FOLDER/test_FILE.c, listed in tests/unit/FOLDER/local.mk.
EXTRA_DIST += tests/env.sh tests/unit/test.h
if HAVE_CMOCKA
include tests/unit/spool/local.mk
include tests/unit/store/local.mk
include tests/unit/wire/local.mk
include tests/unit/mail/local.mk
include tests/unit/util/local.mk
include tests/unit/auth/local.mk
include tests/unit/sign/local.mk
include tests/unit/config/local.mk
include tests/unit/dns/local.mk
include tests/unit/smtp/local.mk
include tests/unit/net/local.mk
include tests/unit/identity/local.mk
include tests/unit/event/local.mk
include tests/unit/bounce/local.mk
include tests/unit/queue/local.mk
include tests/unit/account/local.mk
include tests/unit/configset/local.mk
include tests/unit/suppress/local.mk
include tests/unit/delivery/local.mk
include tests/unit/filter/local.mk
include tests/unit/admin/local.mk
include tests/unit/http/local.mk
include tests/unit/cli/local.mk
endif

# make test T=NAME: one test of any kind.
EXTRA_DIST += tests/one
T =
.PHONY: test
test:
	@MAKE='$(MAKE)' '$(srcdir)/tests/one' '$(T)' $(TESTS)
