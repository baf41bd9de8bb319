dist_man_MANS += doc/postrider.1 doc/postrider.conf.5 doc/postriderd.8 doc/postrider-bounces.5 doc/postrider-log.5 doc/postrider-spool.5
EXTRA_DIST += doc/performance.md
