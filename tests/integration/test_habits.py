"""The commands of HACKING.md that a developer gives every day, as they are given."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import pytest

from lib.daemon import BUILD
from lib.wait import until


def make(*arguments):
    return subprocess.run(
        ["make", "-s", *arguments], cwd=BUILD, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name, said",
    [
        ("test_dot", "9 test(s) run"),
        ("test_dot::test_enc*", "1 test(s) run"),
        ("smuggling", "1 test(s) run"),
        ("fuzz_dot", "dot: "),
        ("includes.py", "PASS tests/structure/includes.py"),
        ("test_submission.py::test_curl", "1 passed"),
    ],
)
def test_one_test(name, said):
    done = make("test", f"T={name}")
    assert done.returncode == 0 and said in done.stdout, done.stdout


@pytest.mark.parametrize("name", ["", "no_such_test", "test_dot::no_such_function", "test_submission.py::test_nothing"])
def test_one_test_that_is_not_there(name):
    done = make("test", f"T={name}")
    assert done.returncode != 0, done.stdout


def test_fuzz_one_parser():
    if shutil.which("clang") is None:
        pytest.skip("clang is missing")
    done = make("fuzz", "F=address", "SECONDS=2")
    assert done.returncode == 0, done.stdout
    assert re.search(r"Done \d+ runs", done.stdout), "libFuzzer ran"
    kept = re.search(r"(\d+) new inputs in (\S+)$", done.stdout, re.M)
    assert kept and len(os.listdir(kept[2])) >= int(kept[1]), done.stdout


class DebugInstance:
    """make debug-instance as from a terminal: a session of its own, all of which gets the signal of Ctrl-C."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            ["make", "-s", "debug-instance"], cwd=BUILD, env={**os.environ, "TMPDIR": folder}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def line(self, pattern):
        def find():
            return next((line for line in list(self.lines) if re.search(pattern, line)), None)

        return until(find, 60, lambda: f"no line {pattern} in\n" + "".join(self.lines))

    def printed(self, program):
        """Gives a command as it was printed."""
        command = self.line(rf"^  (\S*/)?{program}\s").strip()
        done = subprocess.run(
            command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, command + "\n" + done.stdout
        return done.stdout

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(60)
        self.reader.join(60)
        assert not self.reader.is_alive(), "nobody holds its output any more"


def processes_of(folder):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read()
        except OSError:
            continue
        if folder.encode() in words and int(pid) != os.getpid():
            found.append(words)
    return found


def test_debug_instance():
    if shutil.which("swaks") is None:
        pytest.skip("swaks is missing")
    place = tempfile.mkdtemp(prefix="pr-")  # short: the control socket is in it
    instance = DebugInstance(place)
    try:
        instance.line("^Ctrl-C ends it")
        assert "250 Ok" in instance.printed("swaks")
        arrived = instance.line("^received .* to you@elsewhere.test, subject test ")
        with open(arrived.split()[1].rstrip(":"), encoding="utf-8") as f:
            assert "d=example.test; s=quickstart" in " ".join(f.read().split())
        instance.printed("curl --crlf")
        instance.line("^received .*, subject from curl")
        assert '"version"' in instance.printed("curl --unix-socket")
        assert "2 accepted" in instance.printed("postrider -s \\S+ status")
        assert processes_of(place)
    finally:
        instance.interrupt()
    assert any("stopped" in line for line in instance.lines), "".join(instance.lines)
    assert os.listdir(place) == []
    assert processes_of(place) == []
    os.rmdir(place)
