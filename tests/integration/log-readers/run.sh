#!/bin/sh
# Readers of Postfix's log read ours: a real daemon, real clients and a real sink make a log; pflogsumm, fail2ban and
# logwatch have to count in it what was done.
#
# POSTRIDER_BUILD names the build directory (default: the current one). Exit status 77: something that is needed is
# not installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
daemon=${POSTRIDER_BUILD:-$PWD}/src/main/postriderd
python=/usr/bin/python3

for tool in swaks pflogsumm fail2ban-regex; do
	command -v "$tool" >/dev/null || { echo "$tool is missing"; exit 77; }
done
"$python" -c 'import aiosmtpd' 2>/dev/null || { echo "python3-aiosmtpd is missing"; exit 77; }
[ -x "$daemon" ] || { echo "$daemon is missing: build first, or set POSTRIDER_BUILD"; exit 1; }

. "$top/tests/integration/lib/scratch.sh"

# The SMTP password of it for us-east-1.
password=$(echo "$secret" | "${POSTRIDER_BUILD:-$PWD}/src/cli/postrider" credential derive)
[ "$password" = BLBM/9hSUELfq8Gw+rU1YcBjkOxGbhT2XG763xVLGWL9 ] || { echo "credential derive: $password"; exit 1; }

cat >"$dir/conf" <<CONF
hostname = "mail.example.com";
state_directory = "$dir/state";
spool = { directory = "$dir/spool"; segment = "1M"; reserve = "0"; };
control = { socket = "$dir/control.sock"; };
log = { sink = "stderr"; };
smtp = { max_auth_failures = 10; };
listeners = ( { name = "submission-alt"; addresses = [ "127.0.0.1" ]; port = $listen; auth_without_tls = true;
	tls = "none"; } );
accounts = ( { name = "web"; credentials = ( { id = "$user"; secret = "plain:$secret"; } ); } );
identities = ( { name = "example.com"; account = "web"; } );
routes = ( { name = "sink"; destination = "*"; host = "127.0.0.1"; port = $sink; tls = "none";
	allow_private = true; } );
CONF

"$python" "$here/sink.py" "$sink" &
pids="$pids $!"
"$daemon" -c "$dir/conf" 2>"$dir/log" &
pids="$pids $!"

# Wait until the log has a line for $1, $2 times.
wait_log() {
	n=0
	until [ "$(grep -c -- "$1" "$dir/log")" -ge "$2" ]; do
		n=$((n + 1))
		[ "$n" -lt 150 ] || fail "no $2 lines with \"$1\""
		sleep 0.1
	done
}
wait_log 'ready: ' 1

# ---------------------------------------------------------------- the day's work

send() { # recipients [more swaks options]
	to=$1
	shift
	swaks --silent 3 --server "127.0.0.1:$listen" --helo client.example --auth PLAIN --auth-user "$user" \
		--auth-password "$password" --from app@example.com --to "$to" "$@"
}

send one@elsewhere.example || fail "a message was not taken"
send two@elsewhere.example || fail "a message was not taken"
send three@elsewhere.example,four@elsewhere.example || fail "a message was not taken"
send refuse@elsewhere.example || fail "a message was not taken"
send later@elsewhere.example || fail "a message was not taken"
! send five@elsewhere.example --from stranger@elsewhere.example || fail "a stranger may send"
for _ in 1 2 3; do
	! send one@elsewhere.example --auth-password wrong || fail "a wrong password is good"
done

# 4 recipients delivered and one report of failure, 1 refused, 1 deferred.
wait_log 'status=sent' 5
wait_log 'status=bounced' 1
wait_log 'status=deferred' 1
wait_log 'SASL PLAIN authentication failed' 3
wait_log ': removed' 5

# ---------------------------------------------------------------- the readers

name='postrider(?:/[-\w]+(?=/))?'

pflogsumm --syslog_name="$name" "$dir/log" >"$dir/summary"
while read -r count what; do
	grep -Eq "^ +$count +$what( |\$)" "$dir/summary" || {
		cat "$dir/summary" >&2
		fail "pflogsumm: not $count $what"
	}
done <<COUNTS
5 received
5 delivered
1 deferred
1 bounced
1 rejected
1 senders
COUNTS
grep -q 'app@example.com' "$dir/summary" || fail "pflogsumm does not know the sender"
grep -q 'elsewhere.example' "$dir/summary" || fail "pflogsumm does not know the destination"

cp -r /etc/fail2ban "$dir/fail2ban"
cp "$top/contrib/fail2ban/filter.d/postrider.conf" "$dir/fail2ban/filter.d/"
cp "$top/contrib/fail2ban/jail.d/postrider.conf" "$dir/fail2ban/jail.d/"
fail2ban-regex -c "$dir/fail2ban" "$dir/log" 'postrider[mode=auth]' >"$dir/matches" 2>&1
grep -q ' 3 matched' "$dir/matches" || {
	cat "$dir/matches" >&2
	fail "fail2ban: not 3 failed logins"
}
fail2ban-regex -c "$dir/fail2ban" -o ip "$dir/log" 'postrider[mode=auth]' >"$dir/addresses" 2>/dev/null
[ "$(sort -u "$dir/addresses")" = 127.0.0.1 ] || fail "fail2ban: another address than the client's"
fail2ban-client -c "$dir/fail2ban" -d >"$dir/jails" 2>&1 || { cat "$dir/jails" >&2; fail "fail2ban: jail file"; }
grep -q "'add', 'postrider', 'systemd'" "$dir/jails" || fail "fail2ban: no jail of the name"

if [ -f /usr/share/logwatch/scripts/services/postfix ]; then
	perl /usr/share/logwatch/scripts/services/postfix --syslog_name "$name" "$dir/log" >"$dir/watched" ||
		fail "logwatch"
	while read -r count what; do
		grep -Eq "^ +$count +$what( |\$)" "$dir/watched" || {
			cat "$dir/watched" >&2
			fail "logwatch: not $count $what"
		}
	done <<-COUNTS
		5 Accepted
		1 Deferred
		1 Bounced
		5 Sent via SMTP
	COUNTS
fi

echo "pflogsumm, fail2ban and logwatch count what was done"
