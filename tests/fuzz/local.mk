# Fuzz targets: tests/fuzz/fuzz_PARSER.c with its corpus in tests/fuzz/corpus/PARSER.
#
# With configure --enable-fuzzers (CC=clang) they are libFuzzer programs; "make fuzz F=dot SECONDS=60" makes such a build
# if need be, and runs one of them.
# Otherwise each one is linked with replay.c and "make check" runs it over its corpus.
FUZZ_TARGETS = \
	tests/fuzz/fuzz_address tests/fuzz/fuzz_attachment tests/fuzz/fuzz_auth tests/fuzz/fuzz_client tests/fuzz/fuzz_command \
	tests/fuzz/fuzz_config tests/fuzz/fuzz_dot tests/fuzz/fuzz_envelope tests/fuzz/fuzz_header \
	tests/fuzz/fuzz_milter tests/fuzz/fuzz_mx_rdata tests/fuzz/fuzz_proxy tests/fuzz/fuzz_reply tests/fuzz/fuzz_scan tests/fuzz/fuzz_ses_headers \
	tests/fuzz/fuzz_session tests/fuzz/fuzz_sevenbit
FUZZ_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests -DTEST_SRCDIR='"$(abs_top_srcdir)/tests"'

check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run tests/beside
F =
SECONDS = 60
.PHONY: fuzz
fuzz:
	@MAKE='$(MAKE)' '$(srcdir)/tests/fuzz/run' '$(F)' '$(SECONDS)' $(HAS_FUZZERS)

# What these and "make debug-instance" have built, and what was found, goes with the rest.
distclean-local:
	-rm -rf build-fuzz build-sanitizers fuzz
if FUZZERS
FUZZ_MAIN =
HAS_FUZZERS = yes
LINK_FUZZ = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay.c
HAS_FUZZERS = no
LINK_FUZZ = $(AM_LDFLAGS)
TESTS += $(FUZZ_TARGETS)
endif

tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz_address.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_address_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"address"'
tests_fuzz_fuzz_address_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_address_LDADD = $(L_MAIL)
tests_fuzz_fuzz_attachment_SOURCES = tests/fuzz/fuzz_attachment.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_attachment_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"attachment"'
tests_fuzz_fuzz_attachment_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_attachment_LDADD = $(L_MAIL)
tests_fuzz_fuzz_auth_SOURCES = tests/fuzz/fuzz_auth.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_auth_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"auth"'
tests_fuzz_fuzz_auth_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_auth_LDADD = $(L_AUTH)
tests_fuzz_fuzz_client_SOURCES = tests/fuzz/fuzz_client.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_client_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"client"'
tests_fuzz_fuzz_client_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_client_LDADD = $(L_DELIVERY)
tests_fuzz_fuzz_command_SOURCES = tests/fuzz/fuzz_command.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_command_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"command"'
tests_fuzz_fuzz_command_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_command_LDADD = $(L_WIRE)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_config_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"config"'
tests_fuzz_fuzz_config_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_config_LDADD = $(L_CONFIG)
tests_fuzz_fuzz_dot_SOURCES = tests/fuzz/fuzz_dot.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_dot_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"dot"'
tests_fuzz_fuzz_dot_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_dot_LDADD = $(L_WIRE)
tests_fuzz_fuzz_envelope_SOURCES = tests/fuzz/fuzz_envelope.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_envelope_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"envelope"'
tests_fuzz_fuzz_envelope_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_envelope_LDADD = $(L_QUEUE)
tests_fuzz_fuzz_header_SOURCES = tests/fuzz/fuzz_header.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_header_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"header"'
tests_fuzz_fuzz_header_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_header_LDADD = $(L_MAIL)
tests_fuzz_fuzz_milter_SOURCES = tests/fuzz/fuzz_milter.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_milter_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"milter"'
tests_fuzz_fuzz_milter_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_milter_LDADD = $(L_FILTER)
tests_fuzz_fuzz_mx_rdata_SOURCES = tests/fuzz/fuzz_mx_rdata.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_mx_rdata_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"mx_rdata"'
tests_fuzz_fuzz_mx_rdata_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_mx_rdata_LDADD = $(L_DNS)
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_proxy_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"proxy"'
tests_fuzz_fuzz_proxy_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_proxy_LDADD = $(L_WIRE)
tests_fuzz_fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_reply_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"reply"'
tests_fuzz_fuzz_reply_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_reply_LDADD = $(L_WIRE)
tests_fuzz_fuzz_scan_SOURCES = tests/fuzz/fuzz_scan.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_scan_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"scan"'
tests_fuzz_fuzz_scan_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_scan_LDADD = src/spool/libpr_spool.a src/net/libpr_net.a $(L_CONFIG) $(LIBEVENT_LIBS)
tests_fuzz_fuzz_ses_headers_SOURCES = tests/fuzz/fuzz_ses_headers.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_ses_headers_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"ses_headers"'
tests_fuzz_fuzz_ses_headers_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_ses_headers_LDADD = $(L_MAIL)
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c tests/fuzz/fuzz.h \
	tests/unit/smtp/fake_host.c tests/unit/smtp/fake_host.h $(FUZZ_MAIN)
tests_fuzz_fuzz_session_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"session"'
tests_fuzz_fuzz_session_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_session_LDADD = $(L_SMTP)
tests_fuzz_fuzz_sevenbit_SOURCES = tests/fuzz/fuzz_sevenbit.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_sevenbit_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_PARSER='"sevenbit"'
tests_fuzz_fuzz_sevenbit_LDFLAGS = $(LINK_FUZZ)
tests_fuzz_fuzz_sevenbit_LDADD = $(L_MAIL)
