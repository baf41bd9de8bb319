# What other programs need to work with postrider; for reading and copying, below the documentation directory.
contribdir = $(docdir)
nobase_dist_contrib_DATA = contrib/log-readers.md contrib/postfix/main.cf \
	contrib/fail2ban/filter.d/postrider.conf contrib/fail2ban/jail.d/postrider.conf \
	contrib/logwatch/postrider.conf contrib/grafana/postrider.json \
	contrib/prometheus/postrider.rules.yml
nobase_dist_contrib_SCRIPTS = contrib/certbot/postrider contrib/logwatch/postrider
EXTRA_DIST += contrib/quickstart.py contrib/instance.sh contrib/debug-instance

# A daemon to play with, in the foreground: make debug-instance [GDB=1] [SANITIZERS=address,undefined]
GDB =
SANITIZERS =
.PHONY: debug-instance
debug-instance:
	@MAKE='$(MAKE)' GDB='$(GDB)' SANITIZERS='$(SANITIZERS)' '$(srcdir)/contrib/debug-instance'
