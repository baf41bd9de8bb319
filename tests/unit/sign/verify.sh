#!/bin/sh
# Signs hostile and odd messages and has two verifiers that share no code with the signer check them.
# Needs: openssl, python3-dkim, libmail-dkim-perl; skipped without.
set -eu
tool=$PWD/tests/unit/sign/sign_tool
here=${srcdir:-.}/tests/unit/sign
# Debian's modules belong to Debian's interpreters, whatever stands first in PATH.
python=/usr/bin/python3
perl=/usr/bin/perl
"$python" -c 'import dkim' 2>/dev/null || exit 77
"$perl" -MMail::DKIM::Verifier -MNet::DNS -e1 2>/dev/null || exit 77
openssl version >/dev/null 2>&1 || exit 77

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
umask 077
openssl genrsa -out "$dir/key" 2048 2>/dev/null
"$tool" "$dir/key" example.com sel record >"$dir/record"
"$python" "$here/verify.py" "$tool" "$dir"
"$perl" "$here/verify.pl" "$dir/record" "$dir"/*.eml
