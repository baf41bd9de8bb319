noinst_LIBRARIES += src/identity/libpr_identity.a
src_identity_libpr_identity_a_SOURCES = src/identity/identity.c src/identity/identity.h
