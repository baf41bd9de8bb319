noinst_LIBRARIES += src/filter/libpr_filter.a
src_filter_libpr_filter_a_SOURCES = \
	src/filter/ask.c src/filter/ask.h \
	src/filter/clamd.c src/filter/clamd.h \
	src/filter/consult.c \
	src/filter/edits.c src/filter/edits.h \
	src/filter/feed.c src/filter/feed.h \
	src/filter/filter.h \
	src/filter/milter.c src/filter/milter.h \
	src/filter/scan.c
