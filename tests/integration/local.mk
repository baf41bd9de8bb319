# Tests with real programs around a real daemon; they run by hand or by tests/run, not in "make check".
EXTRA_DIST += tests/integration/ports.py \
	tests/integration/log-readers/run.sh tests/integration/log-readers/sink.py \
	tests/integration/sandbox/run.sh tests/integration/sandbox/under.py
