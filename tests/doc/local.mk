TESTS += tests/doc/man.sh
EXTRA_DIST += tests/doc/man.sh tests/doc/replies.py
