noinst_LIBRARIES += src/account/libpr_account.a
src_account_libpr_account_a_SOURCES =
