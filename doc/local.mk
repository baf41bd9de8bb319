dist_man_MANS += doc/postrider.conf.5 doc/postrider.1
