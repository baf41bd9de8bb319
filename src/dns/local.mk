noinst_LIBRARIES += src/dns/libpr_dns.a
src_dns_libpr_dns_a_SOURCES = src/dns/mx.h src/dns/resolver.h
