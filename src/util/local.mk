noinst_LIBRARIES += src/util/libpr_util.a
src_util_libpr_util_a_SOURCES = \
	src/util/blocks.c src/util/blocks.h \
	src/util/bucket.c src/util/bucket.h \
	src/util/buf.c src/util/buf.h \
	src/util/clock.c src/util/clock.h \
	src/util/crc32c.c src/util/crc32c.h \
	src/util/crypto.c src/util/crypto.h \
	src/util/endpoint.c src/util/endpoint.h \
	src/util/fault.c src/util/fault.h \
	src/util/fsutil.c src/util/fsutil.h \
	src/util/hash.c src/util/hash.h \
	src/util/owned.c src/util/owned.h \
	src/util/heap.c src/util/heap.h \
	src/util/histogram.c src/util/histogram.h \
	src/util/le.h \
	src/util/list.h \
	src/util/log.c src/util/log.h \
	src/util/network.c src/util/network.h \
	src/util/rc.c src/util/rc.h \
	src/util/slab.c src/util/slab.h \
	src/util/span.c src/util/span.h \
	src/util/units.c src/util/units.h
