noinst_LIBRARIES += src/wire/libpr_wire.a
src_wire_libpr_wire_a_SOURCES =
