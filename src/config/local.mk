noinst_LIBRARIES += src/config/libpr_config.a
src_config_libpr_config_a_SOURCES = \
	src/config/check.c \
	src/config/check_text.c src/config/check_text.h \
	src/config/config.h \
	src/config/dump.c \
	src/config/errors.c src/config/errors.h \
	src/config/load.c src/config/load.h \
	src/config/object.c src/config/object.h \
	src/config/parse.c \
	src/config/schema.c src/config/schema.h \
	src/config/schema_text.c \
	src/config/secret.c \
	src/config/source.c src/config/source.h \
	src/config/value.c src/config/value.h
