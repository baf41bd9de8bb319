noinst_LIBRARIES += src/bounce/libpr_bounce.a
src_bounce_libpr_bounce_a_SOURCES = src/bounce/bounce.c src/bounce/bounce.h
