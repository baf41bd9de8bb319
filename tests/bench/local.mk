# Load generator and sink: for the benchmark, and for the integration tests that need many messages.
check_PROGRAMS += tests/bench/smtp_load tests/bench/smtp_sink
tests_bench_smtp_load_SOURCES = tests/bench/smtp_load.c tests/bench/bench.c
tests_bench_smtp_sink_SOURCES = tests/bench/smtp_sink.c tests/bench/bench.c
BENCH_LIBS = $(L_UTIL) $(LIBEVENT_LIBS) $(LIBEVENT_OPENSSL_LIBS)
tests_bench_smtp_load_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_OPENSSL_CFLAGS)
tests_bench_smtp_load_LDADD = $(BENCH_LIBS)
tests_bench_smtp_sink_LDADD = $(BENCH_LIBS)
tests_bench_smtp_load_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_smtp_sink_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
EXTRA_DIST += tests/bench/bench.h
# A queue of any size on disk, and the time a start needs for it.
check_PROGRAMS += tests/bench/spool_fill
tests_bench_spool_fill_LDADD = src/spool/libpr_spool.a src/net/libpr_net.a $(L_CONFIG) \
	$(LIBEVENT_LIBS)
# A store of any size, and how smtp_load logs in to it.
check_PROGRAMS += tests/bench/store_fill
tests_bench_store_fill_LDADD = src/auth/libpr_auth.a $(L_STORE)

# Compares postrider with Postfix; tests/bench/README.md says how. Arguments: make bench BENCH_ARGS='--quick --only S1,S2'
EXTRA_DIST += tests/bench/README.md tests/bench/run.py tests/bench/measure.py tests/bench/scenarios.py \
	tests/bench/servers.py
CLEANFILES += bench.json
BENCH_ARGS =
bench: src/main/postriderd tests/bench/smtp_load tests/bench/smtp_sink tests/bench/store_fill
	POSTRIDER_BUILD='$(abs_top_builddir)' $(srcdir)/tests/bench/run.py $(BENCH_ARGS)
.PHONY: bench
