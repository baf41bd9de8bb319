noinst_LIBRARIES += src/queue/libpr_queue.a
src_queue_libpr_queue_a_SOURCES =
