"""The spool when the process dies, or the disk fails, at each step of a commit, a rename, the reuse of a segment, a
compaction, a digest: every acknowledged message arrives, those sent twice are bounded, nothing is damaged.

Needs a build with --enable-fault-points; HACKING.md says what POSTRIDER_FAULT means."""

import os
import re
import signal
import socket
import subprocess

import pytest

from lib.bench import Load
from lib.clients import connect, submit, text_mail
from lib.daemon import BUILD
from lib.ports import free_port
from lib.wait import until


def has_fault_points():
    try:
        with open(os.path.join(BUILD, "config.h"), encoding="ascii") as f:
            return "#define FAULT_POINTS 1" in f.read()
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not has_fault_points(), reason="built without --enable-fault-points")

MANY = int(os.environ.get("POSTRIDER_TEST_MESSAGES", "3000"))
SESSIONS = 20
KEPT = 20

# Where the process dies, and at which pass: early, and in the middle of the load.
KILLS = [
    ("segment.open", 2),
    ("segment.allocate", 2),
    ("segment.sync", 3),
    ("segment.rename", 2),
    ("segment.sync_dir", 3),
    ("segment.ready", 2),
    ("write", 40),
    ("write", 301),
    ("sync", 40),
    ("sync", 300),
    ("synced", 40),
    ("synced", 301),
    ("retire", 1),
    ("retire.rename", 2),
    ("retire.sync_dir", 1),
    ("retire.done", 2),
    ("compact.copy", 1),
    ("compact.copy", 15),
    ("digest.write", 1),
    ("digest.written", 2),
    ("large.sync", 5),
    ("large.rename", 5),
    ("large.sync_dir", 5),
    ("large.drop", 5),
]


@pytest.fixture
def loaded(daemon, make_counting_sink, folder, monkeypatch):
    """Starts the daemon under a fault, with messages that stay and a load; finishes and checks."""

    class Loaded:
        def start(self, fault, size, segment="1M"):
            self.sink = make_counting_sink()
            with socket.socket() as s:  # nobody listens there
                s.bind(("127.0.0.1", 0))
                closed = s.getsockname()[1]
            daemon.config["listeners"] = [
                {"name": "submission", "addresses": ["127.0.0.1"], "port": free_port()}
            ]
            daemon.config["spool"].update(segment=segment, memory_body="64K")
            daemon.route_all_to(self.sink.port)
            daemon.config["routes"].insert(
                0,
                {"name": "later", "destination": "later.test", "host": "127.0.0.1", "port": closed,
                 "allow_private": True},
            )  # fmt: skip
            daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
            if fault is not None:
                monkeypatch.setenv("POSTRIDER_FAULT", fault)
            daemon.start()
            monkeypatch.delenv("POSTRIDER_FAULT", raising=False)
            # these wait in the first segment, and have to be moved on
            client = connect(daemon)
            for i in range(KEPT):
                assert submit(client, text_mail(to="k@later.test", subject=str(i)), recipients=["k@later.test"])[0] == 250
            client.quit()
            self.acked = f"{folder}/acked"
            self.load = Load(
                daemon.port(), MANY, "--acked", self.acked, "--domains", "50", "--size", size,
                "--per-connection", 10, sessions=SESSIONS, tls="starttls",
            )  # fmt: skip

        def dies(self, status):
            """The daemon ends at the fault; a new one takes over."""
            until(lambda: daemon.process.poll() is not None, 120, lambda: f"still there:\n{daemon.log()[-3000:]}")
            assert daemon.process.returncode == status, daemon.log()[-3000:]
            daemon.process = None
            daemon.starts = len(re.findall(r"master\[\d+\]: ready:", daemon.log()))
            daemon.start()

        def finish(self, twice, damaged=0):
            result = self.load.result()
            until(lambda: self.is_well(), 120, lambda: daemon.log()[-3000:])
            until(lambda: self.sink.unique() >= result["acked"], 120, lambda: f"{self.sink.unique()} of {result}")
            until(lambda: self.waiting() == KEPT, 120, lambda: daemon.log()[-3000:])
            daemon.stop()
            daemon.start()
            last = re.findall(r"replayed: .* waiting=(\d+) damaged=(\d+)", daemon.log())[-1]
            assert last == (str(KEPT), str(damaged)), daemon.log()[-3000:]
            daemon.stop()
            counted = self.sink.result()
            with open(self.acked, encoding="ascii") as f:
                assert sum(1 for line in f if line.endswith("\n")) == result["acked"]
            assert counted["unique"] >= result["acked"], (counted, result)
            assert counted["duplicates"] <= twice, counted
            return result, counted

        def is_well(self):
            log = daemon.log()
            return log.count("commit failed: ") == log.count("commits work again")

        def waiting(self):
            before = len(re.findall(r"state: messages=", daemon.log()))
            daemon.process.send_signal(signal.SIGUSR2)
            return int(daemon.wait_log(r"state: messages=(\d+)", count=before + 1)[-1])

    return Loaded()


@pytest.mark.parametrize("point,number", KILLS)
def test_death_at_each_step(loaded, point, number):
    loaded.start(f"{point}=kill@{number}", size=80000 if point.startswith("large") else 4000)
    loaded.dies(137)
    loaded.finish(twice=SESSIONS + 150)


@pytest.mark.parametrize(
    "fault",
    [
        "sync=EIO@60",
        "sync=EIO@60+3",
        "write=EIO@60+2",
        "write=ENOSPC@60+2",
        "write=EDQUOT@60",
        "write=short@30+300",
        "segment.open=EROFS@2",
        "segment.allocate=ENOSPC@2+2",
        "segment.sync=EIO@2",
        "segment.rename=EIO@2",
        "segment.sync_dir=EIO@2",
        "retire.rename=EIO@1",
        "retire.sync_dir=EIO@1",
        "digest.write=ENOSPC@1+3",
        "digest.write=short@1+2",
        "large.sync=EIO@5",
        "large.rename=ENOSPC@5",
    ],
)
def test_a_disk_that_fails_for_a_while(loaded, daemon, fault):
    """Clients are refused for the time being, the outcomes wait, and then all goes on: nothing is lost, nothing sent
    twice, since there was no crash."""
    loaded.start(fault, size=80000 if fault.startswith("large") else 4000)
    result, counted = loaded.finish(twice=0)
    assert result["in_doubt"] == 0, result
    assert counted["unique"] == result["acked"], (counted, result)
    if not fault.startswith(("write=short", "retire", "digest")):
        assert "commit failed: " in daemon.log()
        assert daemon.log().count("commit failed: ") == daemon.log().count("commits work again"), daemon.log()[-3000:]
    assert "could not be stored" not in daemon.log()


def test_what_was_refused_is_not_delivered(loaded, daemon):
    """EIO of a sync, then death before anything else: the record of a refused message is in the file, and its
    withdrawal behind it."""
    loaded.start("sync=EIO@60,synced=kill@90", size=4000)
    loaded.dies(137)
    loaded.finish(twice=SESSIONS + 150)


def test_a_message_that_kills_is_held(daemon, sink, monkeypatch):
    """A fault each time one message is read back: after the second one it is held, the third start stays up."""
    daemon.config["listeners"] = [{"name": "submission", "addresses": ["127.0.0.1"], "port": free_port()}]
    daemon.config["delivery"].update(max_connections_per_site=1)
    daemon.route_all_to(sink.port)
    sink.rcpt = {"poison@dest.test": ["451 4.3.0 later"]}
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
    daemon.start()
    client = connect(daemon)
    assert submit(client, text_mail(), recipients=["poison@dest.test"])[0] == 250
    client.quit()
    daemon.wait_log("status=deferred")
    daemon.stop()
    daemon.config["delivery"].update(retry_min="1s", retry_max="1s")
    for _ in range(2):
        monkeypatch.setenv("POSTRIDER_FAULT", "load=abort@1")
        daemon.write_config()
        with open(daemon.log_path, "ab") as log:
            ended = subprocess.run([daemon.program, "-f", "-c", daemon.path], stdout=log, stderr=log, timeout=60)
        assert ended.returncode != 0
        monkeypatch.delenv("POSTRIDER_FAULT")
    daemon.starts = len(re.findall(r"master\[\d+\]: ready:", daemon.log()))
    daemon.start()
    daemon.wait_log(r"held: it was under way each of the last two times")

    def postrider(*words):
        program = os.path.join(BUILD, "src/cli/postrider")
        socket_path = daemon.config["control"]["socket"]
        return subprocess.run([program, "-s", socket_path, *words], capture_output=True, text=True, check=True).stdout

    listed = postrider("queue", "ls", "--state", "held")
    assert "held" in listed and "=sink" in listed, listed
    assert "1 messages held" in postrider("status")
    # it stays so over a restart, and until it is retried
    daemon.stop()
    daemon.start()
    listed = postrider("queue", "ls", "--state", "held")
    assert "held" in listed, listed
    postrider("queue", "retry", listed.splitlines()[1].split()[0])
    sink.wait(1)


def test_a_message_that_cannot_be_read_is_held(daemon, sink, monkeypatch):
    """EIO when one message is read back: it is held, the others flow."""
    closed = free_port()
    daemon.route_all_to(closed)
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
    daemon.start()
    client = connect(daemon)
    for i in range(5):
        assert submit(client, text_mail(subject=str(i)))[0] == 250
    client.quit()
    daemon.wait_log("status=deferred", count=3)
    daemon.stop()
    daemon.route_all_to(sink.port)
    daemon.config["delivery"].update(retry_min="1s", retry_max="1s")
    monkeypatch.setenv("POSTRIDER_FAULT", "load=EIO@2")
    daemon.start()
    sink.wait(4, timeout_s=60)
    daemon.wait_log("cannot be read: .*Input/output error")
