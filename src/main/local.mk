noinst_LIBRARIES += src/main/libpr_main.a
src_main_libpr_main_a_SOURCES =
