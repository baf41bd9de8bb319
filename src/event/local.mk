noinst_LIBRARIES += src/event/libpr_event.a
src_event_libpr_event_a_SOURCES = src/event/event.c src/event/event.h
