#!/bin/sh
# Every manual page is clean for mandoc, postriderd(8) has every SMTP reply that the sources can give, and
# postrider-bounces(5) the rules by which failures are told apart.
# Needs mandoc and python3; skipped without.
set -eu
src=${srcdir:-.}
command -v mandoc >/dev/null || exit 77
[ -x /usr/bin/python3 ] || exit 77

status=0
for page in "$src"/doc/*.[1-9]; do
	mandoc -T lint -W warning "$page" || status=1
done
mandoc -T ascii -O width=1000 "$src/doc/postriderd.8" | /usr/bin/python3 "$src/tests/doc/replies.py" "$src" || status=1
/usr/bin/python3 "$src/tests/doc/bounces.py" "$src" || status=1
exit $status
