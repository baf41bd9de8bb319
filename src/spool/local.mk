noinst_LIBRARIES += src/spool/libpr_spool.a
src_spool_libpr_spool_a_SOURCES =
