# A private instance of postrider in $dir: certificate, account, DKIM key, a receiver of all its mail, the configuration.
# Read by contrib/quickstart and contrib/debug-instance, which set dir, helper, python, postriderd and postrider, and
# bring say and die. Sets id, password and receiver_port for them.
# shellcheck shell=sh disable=SC2154,SC2034 # what they set and use

# An instance that an earlier run has left: its pid is believed only when its command line names this folder.
end_old() {
	[ -f "$dir/$1.pid" ] || return 0
	pid=$(cat "$dir/$1.pid")
	if [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$dir"; then
		kill "$pid" 2>/dev/null || :
		tries=0
		while kill -0 "$pid" 2>/dev/null && [ $tries -lt 400 ]; do sleep 0.1; tries=$((tries + 1)); done
	fi
	rm -f "$dir/$1.pid"
}

instance_secrets() {
	mkdir -p "$dir/tls" "$dir/dkim" "$dir/secrets" "$dir/inbox"
	if [ ! -f "$dir/tls/cert.pem" ]; then
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=localhost \
			-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$dir/tls/key.pem" -out "$dir/tls/cert.pem" 2>/dev/null
	fi
	[ -f "$dir/dkim/example.test.pem" ] || openssl genrsa -out "$dir/dkim/example.test.pem" 2048 2>/dev/null
	[ -f "$dir/secrets/demo" ] || openssl rand -base64 30 | tr -d '\n' >"$dir/secrets/demo"
	[ -f "$dir/secrets/demo.id" ] || printf 'AKIA%s' "$(openssl rand -hex 8 | tr a-f A-F)" >"$dir/secrets/demo.id"
	id=$(cat "$dir/secrets/demo.id")
	password=$("$postrider" credential derive --region us-east-1 <"$dir/secrets/demo")
	say "certificate   $dir/tls/cert.pem (self-signed, for localhost)"
	say "account       demo, credential $id"
	say "identity      example.test, DKIM key $dir/dkim/example.test.pem, selector quickstart"
}

# instance_receiver PORT LOG: another port if that one is taken. It keeps what it gets in $dir/inbox and writes a line for
# each message to LOG.
instance_receiver() {
	"$python" "$helper" receive "$dir/inbox" "$dir/receiver.port" "$1" </dev/null >>"$2" 2>&1 &
	echo $! >"$dir/receiver.pid"
	receiver_port=$("$python" "$helper" wait "$dir/receiver.port") || return 1
	say "receiver      127.0.0.1:$receiver_port (aiosmtpd), keeps mail in $dir/inbox"
}

# instance_config STARTTLS-PORT TLS-PORT
instance_config() {
	cat >"$dir/postrider.conf" <<END
# A private instance for trying postrider out, made by contrib/${0##*/}. postrider.conf(5) explains every setting.
hostname = "localhost";
region = "us-east-1";
state_directory = "$dir/state";
spool = { directory = "$dir/spool"; reserve = "64M"; };
control = { socket = "$dir/control.sock"; };
log = { sink = "stderr"; };
tls = { certificates = ( { name = "default"; certificate = "$dir/tls/cert.pem"; key = "$dir/tls/key.pem"; } ); };
listeners = (
	{ name = "submission"; addresses = [ "127.0.0.1" ]; port = $1; },
	{ name = "submissions"; addresses = [ "127.0.0.1" ]; port = $2; tls = "implicit"; }
);
accounts = ( { name = "demo"; credentials = ( { id = "$id"; secret = "file:$dir/secrets/demo"; } ); } );
identities = (
	{
		name = "example.test";
		account = "demo";
		dkim_selector = "quickstart";
		dkim_key = "$dir/dkim/example.test.pem";
	}
);
configuration_sets = ( { name = "quickstart"; account = "demo"; } );
# Without a route mail goes to the MX of its destination; here everything stays on this machine.
routes = ( { name = "receiver"; destination = "*"; host = "127.0.0.1"; port = $receiver_port; allow_private = true; } );
END
	"$postriderd" -t -c "$dir/postrider.conf" || die 78 "the configuration is not good"
}

# Until the daemon, whose pid is $1, answers; false when it never will.
instance_wait() {
	tries=0
	until "$postrider" -s "$dir/control.sock" ping >/dev/null 2>&1; do
		kill -0 "$1" 2>/dev/null || return 1
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.1
	done
}
