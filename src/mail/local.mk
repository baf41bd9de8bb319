noinst_LIBRARIES += src/mail/libpr_mail.a
src_mail_libpr_mail_a_SOURCES =
