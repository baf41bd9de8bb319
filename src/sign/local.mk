noinst_LIBRARIES += src/sign/libpr_sign.a
src_sign_libpr_sign_a_SOURCES = src/sign/sign.h
