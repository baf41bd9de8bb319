"""postriderd under test: a configuration, a folder of its own, start, stop, kill, and what it says."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import subprocess

from .wait import until

BUILD = os.environ.get("POSTRIDER_BUILD", os.getcwd())
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
READY_S = 60
STOP_S = 60


def smtp_password(secret=SECRET_KEY, region="us-east-1"):
    """The SES SMTP password (version 4), derived here independently of the daemon's code."""
    key = ("AWS4" + secret).encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(b"\x04" + key).decode()


def libconfig(value, depth=0):
    """A Python value as libconfig text: dict is a group, a list of dicts a list, another list an array."""
    pad = "\t" * depth
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        lines = [f"{pad}\t{k} = {libconfig(v, depth + 1)};" for k, v in value.items()]
        return "{\n" + "\n".join(lines) + "\n" + pad + "}"
    if value and isinstance(value[0], dict):
        return "( " + ", ".join(libconfig(v, depth) for v in value) + " )"
    return "[ " + ", ".join(libconfig(v, depth) for v in value) + " ]"


def account(name="web", **settings):
    """An account with the credential that the tests log in with."""
    return {
        "name": name,
        "credentials": [{"id": ACCESS_KEY, "secret": SECRET_KEY}],
        **settings,
    }


class Daemon:
    """Made by the `daemon` fixture. `config` may be changed before start() or before reload()."""

    program = os.path.join(BUILD, "src/main/postriderd")

    def __init__(self, folder):
        self.folder = folder
        self.path = os.path.join(folder, "postrider.conf")
        self.log_path = os.path.join(folder, "daemon.log")
        self.process = None
        self.starts = 0
        self.environment = {}  # beside the test's own
        self.config = {
            "hostname": "mail.example.test",
            "region": "us-east-1",
            "provider_domain": "provider.test",
            "state_directory": os.path.join(folder, "state"),
            "workers": 2,
            "loops": 2,
            "spool": {
                "directory": os.path.join(folder, "spool"),
                "segment": "4M",
                "reserve": "1M",
            },
            "control": {"socket": os.path.join(folder, "control.sock")},
            "log": {"sink": "stderr"},
            "listeners": [
                {"name": "submission", "addresses": ["127.0.0.1"], "port": 0},
                {
                    "name": "submissions",
                    "addresses": ["127.0.0.1"],
                    "port": 0,
                    "tls": "implicit",
                },
            ],
            "accounts": [account()],
            "identities": [{"name": "example.com", "account": "web"}],
            "delivery": {"allow_private": True, "retry_min": "1s", "retry_max": "2s"},
        }

    # ---- configuration

    def route_all_to(self, port, host="127.0.0.1", **settings):
        self.config["routes"] = [
            {
                "name": "sink",
                "destination": "*",
                "host": host,
                "port": port,
                "allow_private": True,
                **settings,
            }
        ]

    def write_config(self):
        text = "\n".join(f"{k} = {libconfig(v)};" for k, v in self.config.items()) + "\n"
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as f:
            f.write(text)

    # ---- life

    def start(self):
        self.write_config()
        self.starts += 1
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-f", "-c", self.path],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )
        until(self._is_ready, READY_S, lambda: f"not ready:\n{self.log()[-3000:]}")
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        return len(re.findall(r"master\[\d+\]: ready:", self.log())) >= self.starts

    def stop(self, expect=0):
        """SIGTERM, and a clean end: also the leak checker's word."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_S)
        self.process = None
        assert status == expect, f"exit status {status}:\n{self.log()[-6000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None
        self.starts = len(re.findall(r"master\[\d+\]: ready:", self.log()))

    def reload(self, succeeds=True):
        word = "reloaded:" if succeeds else "the running configuration is unchanged"
        before = self.log().count(word)
        self.write_config()
        self.process.send_signal(signal.SIGHUP)
        self.wait_log(re.escape(word), count=before + 1)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    # ---- what it says

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, count=1, timeout_s=60):
        """Until the log has `count` lines that match; the matches."""
        found = []

        def look():
            found[:] = re.findall(pattern, self.log())
            return len(found) >= count

        until(look, timeout_s, lambda: f"{pattern!r} not in:\n{self.log()[-4000:]}")
        return found

    def port(self, name="submission"):
        """The port this start gave to a listener."""
        ports = re.findall(rf"listening: name={name} address=\S+ port=(\d+)", self.log())
        return int(ports[-1])

    def status(self):
        """GET /v1/status of the control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.config["control"]["socket"])
            connection = http.client.HTTPConnection("localhost")
            connection.sock = s
            connection.request("GET", "/v1/status")
            return json.load(connection.getresponse())

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
