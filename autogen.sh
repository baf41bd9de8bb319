#!/bin/sh
# Makes ./configure from configure.ac; needed once in a checkout without it.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all,no-portability
