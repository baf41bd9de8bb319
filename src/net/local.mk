noinst_LIBRARIES += src/net/libpr_net.a
src_net_libpr_net_a_SOURCES = \
	src/net/conn.c src/net/conn.h \
	src/net/listener.c src/net/listener.h \
	src/net/loop.c src/net/loop.h \
	src/net/proxied.c src/net/proxied.h \
	src/net/tls.c src/net/tls.h \
	src/net/worker.c src/net/worker.h
