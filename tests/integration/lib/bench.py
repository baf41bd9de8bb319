"""The load generator and the counting sink of tests/bench, as objects."""

import json
import os
import signal
import subprocess

from .daemon import ACCESS_KEY, BUILD, smtp_password


class CountingSink:
    """smtp_sink: counts every message by its number."""

    def __init__(self, *options, maximum=1000000):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests/bench/smtp_sink"), "--port", "0", "--max", str(maximum), *map(str, options)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = json.loads(self.process.stdout.readline())["port"]

    def unique(self):
        """How many different messages have come."""
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())["unique"]

    def result(self):
        """End it, and what it counted."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=60)
        return json.loads(out.splitlines()[-1])

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Load:
    """smtp_load in the background; result() waits for its end."""

    def __init__(self, port, messages, *options, sessions=100, tls="starttls"):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests/bench/smtp_load"), "--port", str(port), "--tls", tls, "--user", ACCESS_KEY,
             "--password", smtp_password(), "--messages", str(messages), "--sessions", str(sessions),
             *map(str, options)],
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def wait_idle(self):
        """With --idle: until all sessions are, and how many that is."""
        return json.loads(self.process.stdout.readline())["idle_sessions"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def result(self, timeout_s=600):
        out, _ = self.process.communicate(timeout=timeout_s)
        assert self.process.returncode == 0, out
        return json.loads(out.splitlines()[-1])
