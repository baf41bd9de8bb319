noinst_LIBRARIES += src/config/libpr_config.a
src_config_libpr_config_a_SOURCES = src/config/config.h
