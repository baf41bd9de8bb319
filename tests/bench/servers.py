"""The servers that are compared: each a private instance in a folder of its own, with the same keys, on the same file
system, its processes in a control group.

What a scenario asks of a server is a Setup; how the server does it stands here, and in the results as its
configuration."""

import dataclasses
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import measure

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
# pylint: disable=wrong-import-position
from lib.daemon import ACCESS_KEY, BUILD, Daemon, account, smtp_password  # noqa: E402
from lib.postfix import Postfix as PostfixInstance  # noqa: E402

DOMAIN = "example.com"
SELECTOR = "bench"
IDLE_CONNECTIONS = 1000
CONCURRENCY = 50
MANY = 100000
STOP_S = 90


@dataclasses.dataclass(frozen=True)
class Setup:
    tls: bool = False
    auth: bool = False
    dkim: bool = False
    slow_domains: tuple = ()
    idle_connections: int = 0
    tls_first: bool = False  # another port where TLS comes first
    fill: tuple = ()  # accounts, and identities of each, that the store has


class Ports:
    """Free ports of loopback from a range."""

    def __init__(self, first, last):
        self.first, self.last, self.next = first, last, first

    def take(self):
        for _ in range(self.last - self.first + 1):
            port = self.next
            self.next = port + 1 if port < self.last else self.first
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port
        raise SystemExit(f"no free port from {self.first} to {self.last}")


class Keys:
    """One RSA-2048 key for DKIM and one ECDSA certificate, for all servers."""

    def __init__(self, folder):
        self.dkim = os.path.join(folder, "dkim.pem")
        self.tls_key = os.path.join(folder, "key.pem")
        self.certificate = os.path.join(folder, "cert.pem")
        _must("openssl", "genrsa", "-out", self.dkim, "2048")
        _must("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
              self.tls_key, "-out", self.certificate, "-days", "30", "-subj", "/CN=mail.example.test", "-addext",
              "subjectAltName=DNS:mail.example.test")  # fmt: skip
        for path in (self.dkim, self.tls_key):
            os.chmod(path, 0o600)


def _must(*command, **kwargs):
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")


def _end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """`port` is where clients connect, `user` and `password` what they log in with, or ""; `logins`: a file of many, or "".
    `tls_port`: where TLS comes first. `ready_s`: from exec to readiness."""

    name = ""
    tls_port = 0
    logins = ""
    ready_s = 0.0

    def __init__(self, work, keys, ports, setup, fast_port, slow_port):
        self.folder = os.path.join(work, self.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder, mode=0o755)
        self.keys, self.ports, self.setup = keys, ports, setup
        self.fast_port, self.slow_port = fast_port, slow_port or fast_port
        self.port = ports.take()
        self.user = self.password = ""
        self.group = measure.Group(self.name)
        try:
            with self.group.inside():
                self.start()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        try:
            self.end()
        finally:
            self.group.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        raise NotImplementedError

    def end(self):
        raise NotImplementedError


class Readiness:
    """A service manager's socket: when the program has said that it is ready."""

    def __init__(self, path):
        self.path, self.at, self.socket = path, None, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while b"READY=1" not in self.socket.recv(4096):
            pass
        self.at = time.monotonic()

    def wait(self):
        self.thread.join(STOP_S)
        if self.at is None:
            raise RuntimeError("postriderd is not ready")
        return self.at


def filled_store(work, accounts, identities):
    """A state directory with so much in its store, and the file with its logins. Made once."""
    state = os.path.join(work, f"filled-{accounts}-{identities}")
    logins = state + ".logins"
    if not os.path.exists(logins):
        _must(os.path.join(BUILD, "tests/bench/store_fill"), state, str(accounts), str(identities), logins)
    return state, logins


class Postrider(Server):
    name = "postrider"
    program = Daemon.program
    daemon = None

    @classmethod
    def missing(cls):
        return None if os.path.exists(cls.program) else f"{cls.program} is not built"

    @classmethod
    def version(cls):
        return measure.output(cls.program, "-V").splitlines()[0]

    def start(self):
        setup = self.setup
        self.daemon = daemon = Daemon(self.folder)
        daemon.program = self.program
        config = daemon.config
        for default in ("loops", "workers"):
            del config[default]
        config["spool"] = {"directory": os.path.join(self.folder, "spool")}
        config["smtp"] = {"max_connections": MANY, "max_connections_per_address": MANY, "max_handshakes": MANY}
        config["listeners"] = [{"name": "submission", "addresses": ["127.0.0.1"], "port": self.port}]
        if setup.tls_first:
            config["smtp"].update(idle="10m", handshake="10m")  # slow clients stay while they are measured
            self.tls_port = self.ports.take()
            config["listeners"].append(
                {"name": "submissions", "addresses": ["127.0.0.1"], "port": self.tls_port, "tls": "implicit"}
            )
        if setup.tls:
            config["tls"] = {"certificates": [
                {"name": "default", "certificate": self.keys.certificate, "key": self.keys.tls_key}]}  # fmt: skip
        else:
            config["listeners"][0].update(tls="none", auth_without_tls=True)
        if setup.dkim:
            config["identities"][0].update(dkim_selector=SELECTOR, dkim_key=self.keys.dkim)
        config["accounts"] = [account()]
        config["delivery"] = {
            "allow_private": True,
            "max_connections_per_site": CONCURRENCY,
            "messages_per_connection": MANY,
            "final": "1h",
        }
        config["routes"] = [self._route(f"slow{i}", d, self.slow_port) for i, d in enumerate(setup.slow_domains)]
        config["routes"].append(self._route("sink", "*", self.fast_port))
        self.user, self.password = ACCESS_KEY, smtp_password()
        if setup.fill:
            state, self.logins = filled_store(os.path.dirname(self.folder), *setup.fill)
            shutil.copytree(state, config["state_directory"])
        ready = Readiness(os.path.join(self.folder, "notify"))
        daemon.environment = {"NOTIFY_SOCKET": ready.path}
        begin = time.monotonic()
        daemon.start()
        self.ready_s = ready.wait() - begin
        self.group.roots = [daemon.process.pid]

    @staticmethod
    def _route(name, destination, port):
        return {"name": name, "destination": destination, "host": "127.0.0.1", "port": port, "allow_private": True}

    def configuration(self):
        return measure.read(self.daemon.path).replace(self.folder, "FOLDER")

    def end(self):
        if self.daemon is not None and self.daemon.process is not None:
            _end(self.daemon.process)
            self.daemon.process = None


class Before(Postrider):
    """Another build of postrider: has a change made it slower?"""

    name = "before"


class Postfix(Server):
    """With opendkim as its milter, and Cyrus SASL with a sasldb of its own. Without AUTH it trusts loopback."""

    name = "postfix"
    instance = None
    milter = None

    @staticmethod
    def missing():
        """Why it cannot be run here, or None."""
        if os.getuid() != 0:
            return "Postfix needs root"
        for program, package in (
            ("/usr/sbin/postfix", "postfix"),
            ("/usr/sbin/opendkim", "opendkim"),
            ("/usr/sbin/saslpasswd2", "sasl2-bin"),
        ):
            if not os.path.exists(program):
                return f"{package} is not installed"
        return None

    @staticmethod
    def version():
        postfix = measure.output("/usr/sbin/postconf", "-d", "-h", "mail_version").splitlines()[-1:]
        opendkim = re.search(r"OpenDKIM Filter (v\S+)", measure.output("/usr/sbin/opendkim", "-V"))
        return f"Postfix {''.join(postfix)}, OpenDKIM {opendkim.group(1) if opendkim else '?'}"

    def start(self):
        setup = self.setup
        settings = self._throughput()
        if setup.slow_domains:
            slow = " ".join(f"{{{d} = smtp:[127.0.0.1]:{self.slow_port}}}" for d in setup.slow_domains)
            settings["transport_maps"] = f"inline:{{ {slow} }}"
        if setup.tls:
            chain = os.path.join(self.folder, "chain.pem")
            with os.fdopen(os.open(chain, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(measure.read(self.keys.tls_key) + measure.read(self.keys.certificate))
            settings.update(smtpd_tls_security_level="may", smtpd_tls_chain_files=chain)
        if setup.auth:
            settings.update(self._sasl())
        if setup.dkim:
            settings.update(smtpd_milters=self._start_opendkim(), milter_default_action="tempfail")
        self.instance = PostfixInstance(self.folder, self.port, settings)
        if setup.auth:  # Debian's Postfix looks here, whatever cyrus_sasl_config_path says
            os.symlink(os.path.join(self.folder, "sasl"), os.path.join(self.instance.config, "sasl"))
        self.group.roots += [int(measure.read(os.path.join(self.instance.folder, "queue/pid/master.pid")))]

    def _throughput(self):
        """All limits out of the way, and everything that we know to make it faster."""
        concurrency = str(CONCURRENCY)
        return {
            "default_process_limit": str(max(300, self.setup.idle_connections + 100)),
            "max_use": "1000",
            "in_flow_delay": "0",
            "qmgr_message_active_limit": "300000",
            "qmgr_message_recipient_limit": "300000",
            "default_destination_concurrency_limit": concurrency,
            "smtp_destination_concurrency_limit": concurrency,
            "initial_destination_concurrency": concurrency,
            "smtp_connection_cache_destinations": f"[127.0.0.1]:{self.fast_port}, [127.0.0.1]:{self.slow_port}",
            "smtp_connection_reuse_count_limit": "0",
            "smtp_tls_security_level": "none",
            "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_client_connection_rate_limit": "0",
            "smtpd_client_message_rate_limit": "0",
            "smtpd_client_recipient_rate_limit": "0",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject"
            if self.setup.auth
            else "permit_mynetworks, reject",
            "relayhost": f"[127.0.0.1]:{self.fast_port}",
            "minimal_backoff_time": "300s",
            "maximal_backoff_time": "4000s",
            "queue_run_delay": "300s",
            "smtp_data_done_timeout": "3600s",
        }

    def _sasl(self):
        folder = os.path.join(self.folder, "sasl")
        database = os.path.join(folder, "sasldb2")
        os.mkdir(folder, 0o755)
        with open(os.path.join(folder, "smtpd.conf"), "w", encoding="ascii") as f:
            f.write(f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\nmech_list: PLAIN LOGIN\n")
        self.user, self.password = "web", "secret-of-the-benchmark"
        _must("/usr/sbin/saslpasswd2", "-p", "-c", "-f", database, "-u", "postfix.test", self.user,
              input=self.password.encode())  # fmt: skip
        os.chown(database, pwd.getpwnam("postfix").pw_uid, -1)
        return {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "cyrus",
            "smtpd_sasl_path": "smtpd",
            "cyrus_sasl_config_path": folder,
            "smtpd_sasl_local_domain": "postfix.test",
            "smtpd_sasl_security_options": "noanonymous",
        }

    def _start_opendkim(self):
        self.milter_config, path = os.path.join(self.folder, "opendkim.conf"), os.path.join(self.folder, "milter")
        with open(self.milter_config, "w", encoding="ascii") as f:
            f.write(
                f"Mode s\nCanonicalization relaxed/simple\nDomain {DOMAIN}\nSelector {SELECTOR}\nKeyFile {self.keys.dkim}\n"
                f"InternalHosts 127.0.0.1\nSocket local:{path}\nUMask 000\nBackground no\nSyslog no\nRequireSafeKeys no\n"
            )
        self.milter = subprocess.Popen(
            ["/usr/sbin/opendkim", "-f", "-x", self.milter_config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.group.roots.append(self.milter.pid)
        deadline = time.monotonic() + 20
        while not os.path.exists(path):
            if time.monotonic() > deadline or self.milter.poll() is not None:
                raise RuntimeError("opendkim does not start")
            time.sleep(0.05)
        return f"unix:{path}"

    def configuration(self):
        text = measure.read(os.path.join(self.instance.config, "main.cf"))
        if self.milter is not None:
            text += "# opendkim.conf\n" + measure.read(self.milter_config)
        return text.replace(self.folder, "FOLDER")

    def end(self):
        if self.instance is not None:
            self.instance.stop()
        elif self.group.path is not None and os.path.isdir(os.path.join(self.folder, "postfix/etc")):
            measure.output("/usr/sbin/postfix", "-c", os.path.join(self.folder, "postfix/etc"), "stop")
        if self.milter is not None:
            _end(self.milter)


ALL = {s.name: s for s in (Postrider, Before, Postfix)}
