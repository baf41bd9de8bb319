#!/bin/sh
# The daemon needs no system call that its unit forbids: it starts, takes a message over TLS, signs and delivers it,
# reloads and stops under the filter of systemd/postrider.service.
#
# POSTRIDER_BUILD names the build directory (default: the current one). Exit status 77: something that is needed is
# not installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
build=${POSTRIDER_BUILD:-$PWD}
python=/usr/bin/python3

for tool in swaks openssl systemd-analyze; do
	command -v "$tool" >/dev/null || { echo "$tool is missing"; exit 77; }
done
"$python" -c 'import aiosmtpd, seccomp' 2>/dev/null || { echo "python3-aiosmtpd or python3-seccomp is missing"; exit 77; }
[ -x "$build/src/main/postriderd" ] || { echo "build first, or set POSTRIDER_BUILD"; exit 1; }
! grep -q __asan_init "$build/src/main/postriderd" || { echo "the sanitizer needs calls of its own"; exit 77; }

. "$top/tests/integration/lib/scratch.sh"

openssl genrsa -out "$dir/key.pem" 2048 2>/dev/null
cat >"$dir/conf" <<CONF
hostname = "mail.example.com";
state_directory = "$dir/state";
spool = { directory = "$dir/spool"; segment = "4M"; reserve = "0"; };
control = { socket = "$dir/control.sock"; };
log = { sink = "stderr"; };
listeners = ( { name = "submission"; addresses = [ "127.0.0.1" ]; port = $listen; } );
accounts = ( { name = "web"; credentials = ( { id = "$user"; secret = "plain:$secret"; } ); } );
identities = ( { name = "example.com"; account = "web"; dkim_selector = "s"; dkim_key = "$dir/key.pem"; } );
dns = { servers = [ "127.0.0.1@9" ]; timeout = "1s"; };
routes = ( { name = "sink"; destination = "elsewhere.example"; host = "127.0.0.1"; port = $sink;
	allow_private = true; } );
CONF

"$python" "$top/tests/integration/log-readers/sink.py" "$sink" &
pids="$pids $!"
"$python" "$here/under.py" "$build/systemd/postrider.service" "$build/src/main/postriderd" -c "$dir/conf" \
	2>"$dir/log" &
daemon=$!
pids="$pids $daemon"

wait_log() {
	n=0
	until grep -q -- "$1" "$dir/log"; do
		n=$((n + 1))
		[ "$n" -lt 150 ] || fail "no line with \"$1\""
		sleep 0.1
	done
}

wait_log 'ready: '
# Large enough for a file of its own; one recipient has to be looked up in DNS, where nobody answers.
head -c 1500000 /dev/urandom | base64 >"$dir/body"
swaks --silent 3 --server "127.0.0.1:$listen" --tls --auth PLAIN --auth-user AKIAIOSFODNN7EXAMPLE \
	--auth-password "$(echo "$secret" | "$build/src/cli/postrider" credential derive)" --from app@example.com \
	--to one@elsewhere.example,two@nowhere.example --attach "@$dir/body" || fail "the message was not taken"
wait_log 'to=<one@elsewhere.example>.*status=sent'
wait_log 'to=<two@nowhere.example>.*status=deferred'
kill -HUP "$daemon"
wait_log 'reloaded: '
kill -USR2 "$daemon"
wait_log 'state: '
! grep -i 'not permitted' "$dir/log" || fail "a call was refused"
kill -TERM "$daemon"
wait "$daemon" || fail "exit status $?"
pids=${pids% *}
echo "nothing that the unit forbids was missed"
