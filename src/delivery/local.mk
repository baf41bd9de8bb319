noinst_LIBRARIES += src/delivery/libpr_delivery.a
src_delivery_libpr_delivery_a_SOURCES =
