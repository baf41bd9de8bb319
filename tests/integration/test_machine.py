"""The machine fails around the daemon: the disk is full, inodes are out, the clock jumps, memory is short. Nothing that
was acknowledged is lost, nothing that is refused is kept, and the daemon goes on when the trouble is over."""

import os
import resource
import signal
import smtplib
import subprocess

import pytest

from lib.clients import connect, submit, text_mail
from lib.wait import until

SANITIZED = os.environ.get("POSTRIDER_BUILD_KIND", "").endswith("san")


@pytest.fixture
def small_disk(daemon):
    """The spool on a small file system of its own; mount(options) makes it."""
    if os.getuid() != 0:
        pytest.skip("mounting needs root")
    spool = daemon.config["spool"]["directory"]
    mounted = []

    def mount(options):
        os.makedirs(spool)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700," + options, "tmpfs", spool], check=False)
        if done.returncode != 0:
            pytest.skip("cannot mount here")
        mounted.append(spool)

    yield mount
    if daemon.process is not None:
        daemon.stop()
    for path in mounted:
        subprocess.run(["umount", path], check=True)


def fill(client, content, most=2000):
    """Submit until something is refused: (subjects that were acknowledged, the refusal)."""
    taken = []
    for i in range(most):
        code, text = submit(client, content.replace(b"SUBJECT", str(i).encode()))
        if code != 250:
            return taken, (code, text)
        taken.append(str(i))
    raise AssertionError("never full")


@pytest.mark.parametrize("reserve", ["0", "4M"])
def test_disk_is_full(daemon, sink, make_sink, small_disk, reserve):
    """452 or 451 while it is full, deliveries go on, and mail is taken again when there is room."""
    small_disk("size=24m")
    away = make_sink()
    away.close()
    daemon.route_all_to(away.port)
    daemon.config["spool"].update(segment="2M", reserve=reserve)
    daemon.start()
    client = connect(daemon)
    content = text_mail(subject="SUBJECT", body="x" * 70 + "\r\n") + (b"y" * 76 + b"\r\n") * 1200
    taken, (code, text) = fill(client, content)
    assert code in (451, 452), (code, text)
    assert len(taken) >= 50
    assert submit(client, text_mail())[0] in (250, 451, 452)
    daemon.route_all_to(sink.port)
    daemon.reload()
    until(lambda: sink.count() >= len(taken), 120, lambda: f"{sink.count()} of {len(taken)}")
    got = [m.message()["Subject"] for m in sink.wait(len(taken))]
    assert set(taken) <= set(got) and len(got) <= len(taken) + 1
    until(lambda: submit(client, text_mail(subject="after"))[0] == 250, 60, lambda: "not taken any more")
    until(lambda: "after" in [m.message()["Subject"] for m in list(sink.mails)], 30, lambda: "not delivered")
    client.quit()


def test_inodes_are_out(daemon, sink, small_disk):
    """Large messages are files of their own: without inodes they are refused, small ones go on."""
    small_disk("size=200m,nr_inodes=24")
    daemon.route_all_to(sink.port)
    daemon.config["spool"].update(segment="2M", reserve="0", memory_body="64K")
    daemon.start()
    blocked = [os.path.join(daemon.config["spool"]["directory"], f"block{i}") for i in range(64)]
    made = []
    for path in blocked:
        try:
            with open(path, "wb"):
                made.append(path)
        except OSError:
            break
    assert len(made) < len(blocked)
    client = connect(daemon)
    big = text_mail(subject="big") + (b"y" * 76 + b"\r\n") * 4000
    assert submit(client, big)[0] in (451, 452)
    for path in made:
        os.unlink(path)
    until(lambda: submit(client, big)[0] == 250, 30, lambda: "not taken any more")
    client.quit()
    assert [m.message()["Subject"] for m in sink.wait(1)] == ["big"]


@pytest.mark.skipif(SANITIZED, reason="the library that fakes the clock must come first")
def test_clock_jumps(daemon, sink, folder):
    """A wall clock that goes a day forward, or back: mail that waits is neither bounced nor forgotten."""
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
    if not os.path.exists(library):
        pytest.skip("libfaketime is not installed")
    daemon.route_all_to(sink.port)
    sink.rcpt = {"to@dest.test": ["451 4.3.0 later"] * 1000}
    offset = os.path.join(folder, "offset")

    def jump(text):
        with open(offset + ".new", "w", encoding="ascii") as f:
            f.write(text + "\n")
        os.rename(offset + ".new", offset)

    jump("+0")
    daemon.environment = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": offset,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    daemon.start()
    client = connect(daemon)
    for i, step in enumerate(["+0", "+1d", "-1d", "+0"]):
        jump(step)
        assert submit(client, text_mail(subject=str(i)))[0] == 250
        before = daemon.log().count("status=deferred")
        daemon.wait_log("status=deferred", count=before + 2)
    assert "status=bounced" not in daemon.log()
    jump("+1d")
    sink.rcpt = {}
    got = sorted(m.message()["Subject"] for m in sink.wait(4, timeout_s=60))
    assert got == ["0", "1", "2", "3"]
    client.quit()


@pytest.fixture
def memory_group():
    """limit(pid, bytes): the kernel kills the process when it takes more. Control groups of either version."""
    made = []

    def limit(pid, most):
        for top, file in (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
            path = os.path.join(top, f"postrider-test-{os.getpid()}")
            try:
                os.mkdir(path)
            except OSError:
                continue
            made.append(path)
            if os.path.exists(os.path.join(path, file)):
                for name, value in ((file, most), ("cgroup.procs", pid)):
                    with open(os.path.join(path, name), "w", encoding="ascii") as f:
                        f.write(str(value))
                return
        pytest.skip("no control group for memory can be made here")

    yield limit
    for path in made:
        os.rmdir(path)


@pytest.mark.skipif(SANITIZED, reason="sanitizers need memory of their own")
def test_killed_for_its_memory(daemon, sink, make_sink, memory_group):
    """A control group that is far too small: the kernel kills the daemon in the middle of its work. What was acknowledged
    is there after the next start, and is delivered once."""
    away = make_sink()
    away.close()
    daemon.route_all_to(away.port)
    daemon.config["spool"].update(body_budget="256M", memory_body="16M")
    daemon.start()
    memory_group(daemon.process.pid, daemon.rss_kib() * 1024 + (24 << 20))
    content = text_mail(subject="SUBJECT") + (b"z" * 76 + b"\r\n") * 30000
    small = connect(daemon)
    taken, held = [], []
    for i in range(100):
        try:
            code, text = submit(small, text_mail(subject=str(i)))
            assert code == 250, (code, text)
            taken.append(str(i))
            big = connect(daemon)
            for line in ("MAIL FROM:<jo@example.com>", "RCPT TO:<a@dest.test>"):
                big.docmd(line)
            big.docmd("DATA")
            big.sock.sendall(content[: -len(content) // 10])
            held.append(big)
        except (OSError, smtplib.SMTPException):
            break
    until(lambda: not daemon.alive(), 60, lambda: f"alive with {daemon.rss_kib()} KiB after {len(taken)} messages")
    assert daemon.process.returncode == -signal.SIGKILL
    assert 2 <= len(taken) < 100
    for client in [small, *held]:
        client.close()
    daemon.kill()
    daemon.route_all_to(sink.port)
    daemon.start()

    def subjects():
        return [m.message()["Subject"] for m in list(sink.mails)]

    # One more may be there: stored, and not acknowledged.
    until(lambda: set(taken) <= set(subjects()), 60, lambda: f"{set(taken) - set(subjects())} is lost")
    got = subjects()
    assert len(got) <= len(taken) + 1
    assert len(set(got)) == len(got)


@pytest.mark.skipif(SANITIZED, reason="sanitizers need address space")
def test_memory_is_short(daemon, sink):
    """Twenty sessions with large messages in 600 MB of address space and a small budget: refused or taken, never dead."""
    daemon.route_all_to(sink.port)
    daemon.config["spool"].update(body_budget="8M", memory_body="1M")
    daemon.start()
    before = daemon.rss_kib()
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (900 << 20, 900 << 20))
    clients = [connect(daemon) for _ in range(20)]
    content = text_mail() + (b"z" * 76 + b"\r\n") * 60000
    taken = 0
    for client in clients:
        for text in ("MAIL FROM:<jo@example.com>", "RCPT TO:<a@dest.test>"):
            assert client.docmd(text)[0] == 250
        assert client.docmd("DATA")[0] == 354
        client.sock.sendall(content[: len(content) // 2])
    for client in clients:
        client.sock.sendall(content[len(content) // 2 :] + b"\r\n.\r\n")
        code, text = client.getreply()
        assert code in (250, 451, 452), (code, text)
        taken += code == 250
    assert daemon.rss_kib() < before + 200 * 1024
    for client in clients:
        client.quit()
    client = connect(daemon)
    assert submit(client, text_mail(subject="after"))[0] == 250
    client.quit()
    sink.wait(taken + 1, timeout_s=120)
