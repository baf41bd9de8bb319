TESTS += tests/doc/man.sh tests/doc/architecture.py
EXTRA_DIST += tests/doc/man.sh tests/doc/replies.py tests/doc/architecture.py
