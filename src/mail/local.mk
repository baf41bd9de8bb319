noinst_LIBRARIES += src/mail/libpr_mail.a
src_mail_libpr_mail_a_SOURCES = \
	src/mail/address.c src/mail/address.h \
	src/mail/attachment.c src/mail/attachment.h \
	src/mail/date.c src/mail/date.h \
	src/mail/dsn.c src/mail/dsn.h \
	src/mail/header.c src/mail/header.h \
	src/mail/message_id.c src/mail/message_id.h \
	src/mail/mime.c src/mail/mime.h \
	src/mail/rewrite.c src/mail/rewrite.h \
	src/mail/ses_headers.c src/mail/ses_headers.h \
	src/mail/sevenbit.c src/mail/sevenbit.h \
	src/mail/simulator.c src/mail/simulator.h \
	src/mail/transfer.c src/mail/transfer.h
