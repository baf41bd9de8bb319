TESTS += tests/systemd/units.sh
EXTRA_DIST += tests/systemd/units.sh
