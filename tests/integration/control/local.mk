TESTS += tests/integration/control/run.sh
EXTRA_DIST += tests/integration/control/run.sh tests/integration/control/control.py
