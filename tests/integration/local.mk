PYTHON_TESTS = \
	tests/integration/test_accounts.py \
	tests/integration/test_clients.py \
	tests/integration/test_content.py \
	tests/integration/test_delivery.py \
	tests/integration/test_durability.py \
	tests/integration/test_eight_bit.py \
	tests/integration/test_habits.py \
	tests/integration/test_hostile.py \
	tests/integration/test_limits.py \
	tests/integration/test_machine.py \
	tests/integration/test_metrics.py \
	tests/integration/test_milters.py \
	tests/integration/test_postfix.py \
	tests/integration/test_powercut.py \
	tests/integration/test_proxy.py \
	tests/integration/test_queue_commands.py \
	tests/integration/test_quickstart.py \
	tests/integration/test_reload.py \
	tests/integration/test_scripts.py \
	tests/integration/test_sites.py \
	tests/integration/test_slowloris.py \
	tests/integration/test_spool_commands.py \
	tests/integration/test_spool_faults.py \
	tests/integration/test_submission.py

# Tests with real programs around a real daemon; they run by hand or by tests/run, not in "make check".
EXTRA_DIST += tests/integration/run tests/integration/pytest.ini tests/integration/conftest.py \
	tests/integration/lib tests/integration/node/package.json tests/integration/node/package-lock.json \
	tests/integration/node/nodemailer.js tests/integration/clients $(PYTHON_TESTS) tests/integration/ports.py \
	tests/integration/powercut/recorder.c \
	tests/integration/log-readers/run.sh tests/integration/log-readers/sink.py \
	tests/integration/sandbox/run.sh tests/integration/sandbox/under.py
