# Units, the user and the directories. Files *.in get the paths of this build at make time.
UNITS_MADE = systemd/postrider.service systemd/postrider@.service
UNITS_FIXED = systemd/postrider-smtp.socket systemd/postrider-submission.socket \
	systemd/postrider-submission-alt.socket systemd/postrider-submissions.socket \
	systemd/postrider-submissions-alt.socket

dist_systemdsystemunit_DATA = $(UNITS_FIXED)
nodist_systemdsystemunit_DATA = $(UNITS_MADE)

EXAMPLES_MADE = systemd/notify-reload.conf
systemdexampledir = $(docdir)/systemd
nodist_systemdexample_DATA = $(EXAMPLES_MADE)

# Installed as postrider.conf in two directories, so automake's _DATA cannot do it.
SYSTEMD_LISTS = systemd/sysusers.conf systemd/tmpfiles.conf
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
noinst_DATA = $(SYSTEMD_LISTS)

install-data-local: install-systemd-lists
install-systemd-lists: $(SYSTEMD_LISTS)
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) systemd/sysusers.conf '$(DESTDIR)$(sysusersdir)/postrider.conf'
	$(INSTALL_DATA) systemd/tmpfiles.conf '$(DESTDIR)$(tmpfilesdir)/postrider.conf'

uninstall-local: uninstall-systemd-lists
uninstall-systemd-lists:
	rm -f '$(DESTDIR)$(sysusersdir)/postrider.conf' '$(DESTDIR)$(tmpfilesdir)/postrider.conf'
.PHONY: install-systemd-lists uninstall-systemd-lists

SYSTEMD_MADE = $(UNITS_MADE) $(EXAMPLES_MADE) $(SYSTEMD_LISTS)
CLEANFILES += $(SYSTEMD_MADE)
EXTRA_DIST += systemd/postrider.service.in systemd/postrider@.service.in systemd/sysusers.conf.in \
	systemd/tmpfiles.conf.in systemd/notify-reload.conf.in

$(SYSTEMD_MADE): Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && \
	$(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	  -e 's|@localstatedir[@]|$(localstatedir)|g' '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@
systemd/postrider.service: systemd/postrider.service.in
systemd/postrider@.service: systemd/postrider@.service.in
systemd/sysusers.conf: systemd/sysusers.conf.in
systemd/tmpfiles.conf: systemd/tmpfiles.conf.in
systemd/notify-reload.conf: systemd/notify-reload.conf.in
