noinst_LIBRARIES += src/net/libpr_net.a
src_net_libpr_net_a_SOURCES = src/net/loop.c src/net/loop.h src/net/worker.c src/net/worker.h
