#!/bin/sh
# Does the simulation find bugs? Each patch of mutants/ puts one into a copy of the source; the simulation is built and
# run until a seed fails. Prints a table; ends with 1 when a bug was not found. Takes some minutes; not in "make check".
set -eu

usage() {
	cat <<-END
	usage: tests/sim/mutants.sh [--seeds N] [--seconds N] [--work DIR] [NAME...]

	  --seeds N    give up a mutant after that many seeds (1000)
	  --seconds N  and after that many seconds (60)
	  --work DIR   where to build (default: a folder that is removed at the end)
	  NAME         only these, as in mutants/NAME.patch
	END
}

seeds=1000 seconds=60 work=
while [ $# -gt 0 ]; do
	case $1 in
	--seeds) seeds=$2; shift ;;
	--seconds) seconds=$2; shift ;;
	--work) work=$2; shift ;;
	-h | --help) usage; exit 0 ;;
	-*) usage >&2; exit 64 ;;
	*) break ;;
	esac
	shift
done

top=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "$work" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work/source" "$work/build"
(cd "$top" && tar -cf - --exclude=.git --exclude='./build*/*.o' .) | tar -xf - -C "$work/source"
[ -x "$work/source/configure" ] || (cd "$work/source" && ./autogen.sh) >"$work/log" 2>&1
(cd "$work/build" && ../source/configure --disable-werror CC="${CC:-gcc}" CFLAGS=-O1) >"$work/log" 2>&1
make -C "$work/build" tests/sim/sim >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }

[ $# -gt 0 ] || set -- "$top"/tests/sim/mutants/*.patch
run() { "$work/build/tests/sim/sim" --seed 1 --count "$seeds" --seconds "$seconds"; }

missed=0
printf '%-26s %-16s %s\n' MUTANT FOUND "WHAT THE SIMULATION SAYS"
for name in "$@"; do
	name=$(basename "$name" .patch)
	patch=$top/tests/sim/mutants/$name.patch
	if ! patch -p1 -s -f --fuzz=0 -d "$work/source" <"$patch" >"$work/log" 2>&1; then
		printf '%-26s %s\n' "$name" "the patch does not apply any more"
		missed=$((missed + 1))
		(cd "$top" && tar -cf - src) | tar -xf - -C "$work/source"
		continue
	fi
	if ! make -C "$work/build" tests/sim/sim >"$work/log" 2>&1; then
		printf '%-26s %s\n' "$name" "does not build"
		missed=$((missed + 1))
	elif run >"$work/out" 2>&1; then
		printf '%-26s %-16s %s\n' "$name" "not found" "$(sed -n 's/^\([0-9]* seeds\).*/\1/p' "$work/out")"
		missed=$((missed + 1))
	else
		printf '%-26s %-16s %s\n' "$name" "$(sed -n 's/^\([0-9]* seeds*\).*/\1/p' "$work/out")" \
			"$(sed -n 's/^FAILED seed [0-9]* life [0-9]* step [0-9]*: //p' "$work/out" | cut -c1-110)"
	fi
	patch -p1 -s -R -f -d "$work/source" <"$patch" >"$work/log" 2>&1
	find "$work/source/src" -name '*.orig' -exec rm -f {} +
done
exit $((missed > 0))
