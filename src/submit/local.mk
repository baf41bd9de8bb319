noinst_LIBRARIES += src/submit/libpr_submit.a
src_submit_libpr_submit_a_SOURCES =
