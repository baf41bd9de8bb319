sbin_PROGRAMS += src/main/postriderd
src_main_postriderd_SOURCES = \
	src/main/app.c src/main/app.h \
	src/main/main.c \
	src/main/notify.c src/main/notify.h \
	src/main/reload.c src/main/reload.h \
	src/main/snapshot.c src/main/snapshot.h \
	src/main/watchdog.c src/main/watchdog.h
src_main_postriderd_LDADD = $(L_SMTP)
src_main_postriderd_LDFLAGS = $(AM_LDFLAGS) $(SIGN_LDFLAGS)
