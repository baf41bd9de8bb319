noinst_LIBRARIES += src/spool/libpr_spool.a
src_spool_libpr_spool_a_SOURCES = \
	src/spool/append.c \
	src/spool/compact.c \
	src/spool/digest.c src/spool/digest.h \
	src/spool/digest_job.c \
	src/spool/fate.c src/spool/fate.h \
	src/spool/format.c src/spool/format.h \
	src/spool/index.c src/spool/index.h \
	src/spool/inspect.c src/spool/inspect.h \
	src/spool/load.c \
	src/spool/message.c src/spool/message.h \
	src/spool/read.c \
	src/spool/replay.c \
	src/spool/scan.c src/spool/scan.h \
	src/spool/segment.c \
	src/spool/spool.c src/spool/spool.h src/spool/spool_private.h \
	src/spool/work.c src/spool/work.h \
	src/spool/writer.c src/spool/writer.h
