"""Fixtures of the integration tests. Everything lives in the test's temporary folder, on free ports of loopback, and is
taken down again, whatever the test did; a daemon that leaks or crashes fails its test at that point."""

import os
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lib.bench import CountingSink  # noqa: E402
from lib.clamd import PROGRAM as CLAMD, Clamd  # noqa: E402
from lib.daemon import Daemon  # noqa: E402
from lib.dns import NameServer  # noqa: E402
from lib.postfix import Postfix  # noqa: E402
from lib.scripted import ScriptedServer  # noqa: E402
from lib.sink import Sink  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


@pytest.fixture
def daemon(folder):
    d = Daemon(folder)
    yield d
    if d.process is not None and d.process.poll() is None:
        d.stop()
    elif d.process is not None:
        pytest.fail(f"postriderd ended by itself: {d.process.returncode}\n{d.log()[-6000:]}")


@pytest.fixture
def sink():
    s = Sink()
    yield s
    s.close()


@pytest.fixture
def make_sink():
    made = []

    def make(*args, **kwargs):
        made.append(Sink(*args, **kwargs))
        return made[-1]

    yield make
    for s in made:
        s.close()


@pytest.fixture
def make_counting_sink():
    made = []

    def make(*options, **kwargs):
        made.append(CountingSink(*options, **kwargs))
        return made[-1]

    yield make
    for s in made:
        s.close()


@pytest.fixture
def make_dns(folder):
    made = []

    def make(zones):
        made.append(NameServer(folder, zones))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def make_postfix(folder):
    if os.getuid() != 0:
        pytest.skip("Postfix's master needs root")
    made = []

    def make(*args, **kwargs):
        made.append(Postfix(folder, *args, **kwargs))
        return made[-1]

    yield make
    for postfix in made:
        postfix.stop()


@pytest.fixture
def make_clamd(folder):
    if CLAMD is None:
        pytest.skip("clamd is not installed")
    made = []

    def make(**settings):
        made.append(Clamd(folder, **settings))
        return made[-1]

    yield make
    for clamd in made:
        clamd.stop()


@pytest.fixture
def scripted():
    made = []

    def make(*args, **kwargs):
        made.append(ScriptedServer(*args, **kwargs))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture(scope="session")
def dkim_key(tmp_path_factory):
    """A fresh RSA-2048 key as a PEM file."""
    path = str(tmp_path_factory.mktemp("dkim") / "key.pem")
    subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
    os.chmod(path, 0o600)
    return path


@pytest.fixture(scope="session")
def make_certificate(tmp_path_factory):
    """Self-signed certificates for localhost and 127.0.0.1; the file holds key and certificate."""

    def make():
        folder = tmp_path_factory.mktemp("tls")
        path, key = str(folder / "cert.pem"), str(folder / "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-keyout", key, "-out", path, "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True,
            capture_output=True,
        )  # fmt: skip
        with open(key, encoding="ascii") as k, open(path, "a", encoding="ascii") as out:
            out.write(k.read())
        os.chmod(path, 0o600)
        return path

    return make


@pytest.fixture(scope="session")
def certificate(make_certificate):
    """One of them."""
    return make_certificate()


@pytest.fixture
def background():
    """Start a helper process; it is ended with the test."""
    started = []

    def start(*args, **kwargs):
        started.append(subprocess.Popen(*args, **kwargs))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
