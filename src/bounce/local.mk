noinst_LIBRARIES += src/bounce/libpr_bounce.a
src_bounce_libpr_bounce_a_SOURCES =
