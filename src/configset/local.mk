noinst_LIBRARIES += src/configset/libpr_configset.a
src_configset_libpr_configset_a_SOURCES = src/configset/configset.c src/configset/configset.h
