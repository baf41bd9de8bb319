noinst_LIBRARIES += src/spool/libpr_spool.a
src_spool_libpr_spool_a_SOURCES = \
	src/spool/compact.c \
	src/spool/format.c src/spool/format.h \
	src/spool/index.c src/spool/index.h \
	src/spool/load.c \
	src/spool/message.c src/spool/message.h \
	src/spool/replay.c \
	src/spool/spool.c src/spool/spool.h src/spool/spool_private.h \
	src/spool/writer.c src/spool/writer.h
