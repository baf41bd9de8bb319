# Sourced by scripts that start a daemon of their own: a folder for it, everything ended and removed at the end, two free
# ports, and the access key that AWS publishes as an example. Expects $top and $python.
# shellcheck shell=sh disable=SC2154 # $top and $python are the script's

dir=$(mktemp -d)
pids= # of what is to be ended, the latest last
cleanup() {
	for pid in $pids; do
		if kill "$pid" 2>/dev/null; then
			wait "$pid" 2>/dev/null || :
		fi
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

fail() {
	echo "FAIL: $*" >&2
	echo "--- the log:" >&2
	cat "$dir/log" >&2
	exit 1
}

# shellcheck disable=SC2046 # two words: the ports
set -- $("$python" "$top/tests/integration/ports.py" 2)
# shellcheck disable=SC2034 # for the script
listen=$1 sink=$2
# shellcheck disable=SC2034
user=AKIAIOSFODNN7EXAMPLE secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY

umask 077
: >"$dir/log"
