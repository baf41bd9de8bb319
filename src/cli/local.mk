noinst_LIBRARIES += src/cli/libpr_cli.a
src_cli_libpr_cli_a_SOURCES = \
	src/cli/args.c src/cli/args.h \
	src/cli/cli.h \
	src/cli/client.c \
	src/cli/config.c \
	src/cli/credential.c \
	src/cli/daemon.c \
	src/cli/destination.c \
	src/cli/format.c src/cli/format.h \
	src/cli/help.c \
	src/cli/input.c \
	src/cli/message.c \
	src/cli/objects.c \
	src/cli/output.c \
	src/cli/queue.c \
	src/cli/send.c \
	src/cli/snippets.c src/cli/snippets.h \
	src/cli/spool.c \
	src/cli/top.c \
	src/cli/verbs.c

bin_PROGRAMS += src/cli/postrider
src_cli_postrider_SOURCES = src/cli/main.c
src_cli_postrider_LDADD = $(L_CLI)
