#!/bin/sh
# The control socket and the postrider command against a real daemon. POSTRIDER_BUILD names the build directory (default:
# here). POSTRIDER_WRAP is put in front of the daemon, "valgrind -q --error-exitcode=99" for instance.
command -v python3 >/dev/null 2>&1 || exit 77
exec python3 "$(dirname "$0")/control.py" "$@"
