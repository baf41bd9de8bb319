noinst_LIBRARIES += src/smtp/libpr_smtp.a
src_smtp_libpr_smtp_a_SOURCES =
