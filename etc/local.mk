# The example becomes the configuration of a new installation; an existing file is the administrator's.
EXTRA_DIST += etc/postrider.conf

install-data-local: install-etc
install-etc:
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/postrider/conf.d'
	test -e '$(DESTDIR)$(sysconfdir)/postrider/postrider.conf' || \
	  $(INSTALL) -m 640 '$(srcdir)/etc/postrider.conf' '$(DESTDIR)$(sysconfdir)/postrider/postrider.conf'

# Only a file that nobody has changed is taken away again.
uninstall-local: uninstall-etc
uninstall-etc:
	if cmp -s '$(srcdir)/etc/postrider.conf' '$(DESTDIR)$(sysconfdir)/postrider/postrider.conf'; then \
	  rm -f '$(DESTDIR)$(sysconfdir)/postrider/postrider.conf'; \
	fi
	-rmdir '$(DESTDIR)$(sysconfdir)/postrider/conf.d' '$(DESTDIR)$(sysconfdir)/postrider' 2>/dev/null || :
.PHONY: install-etc uninstall-etc
