noinst_LIBRARIES += src/queue/libpr_queue.a
src_queue_libpr_queue_a_SOURCES = \
	src/queue/internal.h \
	src/queue/attempt.c \
	src/queue/audit.c \
	src/queue/destination.c \
	src/queue/fair.c src/queue/fair.h \
	src/queue/known.c \
	src/queue/learn.c src/queue/learn.h \
	src/queue/message.c \
	src/queue/outcome.c \
	src/queue/overview.c \
	src/queue/pool.c \
	src/queue/queue.c src/queue/queue.h \
	src/queue/reason.c src/queue/reason.h \
	src/queue/retry.c src/queue/retry.h \
	src/queue/site.c \
	src/queue/slot.c \
	src/queue/state.c src/queue/state.h \
	src/queue/stream.c \
	src/queue/view.c \
	src/queue/wheel.c src/queue/wheel.h
