noinst_LIBRARIES += src/filter/libpr_filter.a
src_filter_libpr_filter_a_SOURCES = \
	src/filter/ask.c src/filter/ask.h \
	src/filter/clamd.c src/filter/clamd.h \
	src/filter/filter.h \
	src/filter/scan.c \
	src/filter/feed.c src/filter/feed.h
