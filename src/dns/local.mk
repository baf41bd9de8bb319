noinst_LIBRARIES += src/dns/libpr_dns.a
src_dns_libpr_dns_a_SOURCES = src/dns/cache.c src/dns/mx.c src/dns/mx.h src/dns/packet.c \
	src/dns/packet.h src/dns/resolver.h src/dns/unbound.c
