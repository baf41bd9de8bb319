TESTS += tests/doc/man.sh tests/doc/architecture.py
EXTRA_DIST += tests/doc/man.sh tests/doc/replies.py tests/doc/bounces.py tests/doc/architecture.py

# The worked examples of HACKING.md, as patches.
EXTRA_DIST += tests/doc/examples/run tests/doc/examples/event.patch tests/doc/examples/reply.patch \
	tests/doc/examples/setting.patch tests/doc/examples/verb.patch
.PHONY: examples
examples:
	@MAKE='$(MAKE)' '$(srcdir)/tests/doc/examples/run'
