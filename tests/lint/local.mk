# The layout of the sources, and what programs find in them without running them. The versions of Debian 12 decide.
EXTRA_DIST += .clang-format .clang-tidy tests/lint/run tests/lint/cppcheck.txt
FORMAT = find $(top_srcdir)/src $(top_srcdir)/tests -name '*.[ch]' ! -path '*/node_modules/*' -print0 | \
	xargs -0 -n 50 $(CLANG_FORMAT)
CLANG_FORMAT = clang-format

.PHONY: format format-check lint
format:
	@$(FORMAT) -i
format-check:
	@$(FORMAT) --dry-run -Werror
lint:
	@cd $(top_builddir) && $(abs_top_srcdir)/tests/lint/run $(DEFS) -I$(abs_top_builddir) -I$(abs_top_srcdir)/src \
		$(AM_CPPFLAGS) $(CPPFLAGS) -std=gnu11 $(LIBEVENT_CFLAGS) $(OPENSSL_CFLAGS) $(SASL_CFLAGS) \
		$(LIBCONFIG_CFLAGS) $(OPENDKIM_CFLAGS) $(UNBOUND_CFLAGS) $(IDN2_CFLAGS) $(JANSSON_CFLAGS) $(LIBCURL_CFLAGS) \
		$(SQLITE_CFLAGS)
