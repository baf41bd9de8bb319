noinst_LIBRARIES += src/delivery/libpr_delivery.a
src_delivery_libpr_delivery_a_SOURCES = \
	src/delivery/channel.c src/delivery/channel.h \
	src/delivery/client.c src/delivery/client.h
