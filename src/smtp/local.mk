noinst_LIBRARIES += src/smtp/libpr_smtp.a
src_smtp_libpr_smtp_a_SOURCES = \
	src/smtp/auth.c \
	src/smtp/data.c \
	src/smtp/internal.h \
	src/smtp/server.c src/smtp/server.h \
	src/smtp/session.c src/smtp/session.h
