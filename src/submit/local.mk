noinst_LIBRARIES += src/submit/libpr_submit.a
src_submit_libpr_submit_a_SOURCES = \
	src/submit/body.c \
	src/submit/check.c \
	src/submit/compose.c \
	src/submit/content.c \
	src/submit/convert.c \
	src/submit/internal.h \
	src/submit/pace.c \
	src/submit/pipeline.c \
	src/submit/policy.c \
	src/submit/submit.h
