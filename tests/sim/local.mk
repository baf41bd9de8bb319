# The deterministic simulation: the daemon's parts on a network, a DNS and a disk in memory. tests/sim/README.md.
# net/conn.c and net/tls.c stay out of the link because sim_conn.c has what others need of them.
check_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = tests/sim/sim.c tests/sim/sim.h tests/sim/world.c tests/sim/model.c tests/sim/remote.c \
	tests/sim/sim_conn.c tests/sim/sim_dns.c tests/sim/sim_disk.c
tests_sim_sim_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_sim_LDADD = $(L_SUBMIT)
tests_sim_sim_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=account_keep,--wrap=account_refund,--wrap=account_take \
	-Wl,--wrap=bounce_make,--wrap=crypto_random,--wrap=event_recipient,--wrap=event_send \
	-Wl,--wrap=fsutil_publish,--wrap=fsutil_write_all,--wrap=log_line,--wrap=log_line_fields \
	-Wl,--wrap=renameat,--wrap=unlinkat \
	-Wl,--wrap=spool_append_done,--wrap=spool_append_message,--wrap=spool_append_state
TESTS += tests/sim/check.sh
EXTRA_DIST += tests/sim/check.sh tests/sim/mutants.sh tests/sim/mutants tests/sim/README.md

# The long run: make sim SEEDS=10000 SIM_FLAGS="--without power".
SEEDS = 1000
SIM_FLAGS =
.PHONY: sim
sim: tests/sim/sim
	tests/sim/sim --fresh $(SEEDS) --keep-going --shrink $(SIM_FLAGS)
