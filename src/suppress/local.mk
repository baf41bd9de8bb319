noinst_LIBRARIES += src/suppress/libpr_suppress.a
src_suppress_libpr_suppress_a_SOURCES = src/suppress/suppress.c src/suppress/suppress.h
