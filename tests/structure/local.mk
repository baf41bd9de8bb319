# What the linker cannot see: that headers, too, are included downwards only.
dist_check_SCRIPTS = tests/structure/includes.py
TESTS += tests/structure/includes.py
