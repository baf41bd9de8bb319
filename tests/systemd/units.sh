#!/bin/sh
# The unit files: hardened as promised, understood by systemd, and in step with the listeners of the example
# configuration. Needs systemd-analyze; skipped without.
set -eu
src=${srcdir:-.}
command -v systemd-analyze >/dev/null || exit 77

fail() {
	echo "$*" >&2
	exit 1
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Exposure: at most 2.0 of 10.
for unit in systemd/postrider.service systemd/postrider@.service; do
	systemd-analyze security --offline=true --threshold=20 "$unit" >"$dir/security" 2>&1 || {
		cat "$dir/security"
		fail "$unit: exposure is above 2.0"
	}
	grep 'Overall exposure' "$dir/security"
done

# Syntax, with programs that exist wherever this runs.
mkdir "$dir/units"
for unit in systemd/postrider.service systemd/postrider@.service "$src"/systemd/*.socket; do
	sed 's|^\(Exec[A-Za-z]*=\)[^ ]*|\1/bin/true|' "$unit" >"$dir/units/${unit##*/}"
done
cp "$dir/units/postrider@.service" "$dir/units/postrider@test.service"
for unit in postrider.service postrider@test.service postrider-smtp.socket postrider-submission.socket \
	postrider-submission-alt.socket postrider-submissions.socket postrider-submissions-alt.socket; do
	SYSTEMD_UNIT_PATH="$dir/units:" systemd-analyze verify --man=no "$dir/units/$unit" >"$dir/verify" 2>&1 ||
		:
	# The man pages are not installed yet, and other packages' units are not ours to judge.
	if grep -i postrider "$dir/verify"; then
		fail "$unit: systemd-analyze verify complains"
	fi
done

# Nothing is left to be filled in, and reload checks before it signals.
! grep -n '@[a-z]*@' systemd/postrider.service systemd/sysusers.conf systemd/tmpfiles.conf \
	systemd/notify-reload.conf || fail "a path was not filled in"
grep -q '^ExecReload=.*/postriderd -t ' systemd/postrider.service || fail "reload does not check the file"

# Sockets are named as the daemon's own listeners, at the same ports.
printf 'state_directory = "%s/state";\n' "$dir" >"$dir/conf"
src/main/postriderd -T -c "$dir/conf" >"$dir/dump"
for socket in "$src"/systemd/*.socket; do
	name=$(sed -n 's/^FileDescriptorName=//p' "$socket")
	port=$(sed -n 's/^ListenStream=0\.0\.0\.0://p' "$socket")
	[ "${socket##*/}" = "postrider-$name.socket" ] || fail "$socket: its descriptors are named $name"
	grep -q "^ListenStream=\[::\]:$port\$" "$socket" || fail "$socket: no IPv6 socket at $port"
	tr -d '\n\t' <"$dir/dump" | grep -q "name = \"$name\";[^}]*port = $port;" ||
		fail "$socket: no default listener $name at $port"
done
