noinst_LIBRARIES += src/wire/libpr_wire.a
src_wire_libpr_wire_a_SOURCES = \
	src/wire/classify.c src/wire/classify.h \
	src/wire/command.c src/wire/command.h \
	src/wire/dot.c src/wire/dot.h \
	src/wire/line.c src/wire/line.h \
	src/wire/outcome.c src/wire/outcome.h \
	src/wire/proxy.c src/wire/proxy.h \
	src/wire/reply.c src/wire/reply.h
