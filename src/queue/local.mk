noinst_LIBRARIES += src/queue/libpr_queue.a
src_queue_libpr_queue_a_SOURCES = \
	src/queue/internal.h \
	src/queue/audit.c \
	src/queue/known.c \
	src/queue/message.c \
	src/queue/outcome.c \
	src/queue/queue.c src/queue/queue.h \
	src/queue/reason.c src/queue/reason.h \
	src/queue/retry.c src/queue/retry.h \
	src/queue/site.c \
	src/queue/state.c src/queue/state.h \
	src/queue/view.c \
	src/queue/wheel.c src/queue/wheel.h
