noinst_LIBRARIES += src/auth/libpr_auth.a
src_auth_libpr_auth_a_SOURCES = src/auth/auth.c src/auth/auth.h src/auth/credentials.c src/auth/credentials.h src/auth/password.c
