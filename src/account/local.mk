noinst_LIBRARIES += src/account/libpr_account.a
src_account_libpr_account_a_SOURCES = \
	src/account/account.c src/account/account.h \
	src/account/usage.c src/account/usage.h
