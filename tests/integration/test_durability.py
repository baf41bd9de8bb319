"""250 means on disk: many sessions at once, kill -9 in the middle, restarts; what was acknowledged arrives."""

import os
import re
import signal
import subprocess
import time

import pytest

from lib.bench import Load
from lib.clients import connect, submit, text_mail
from lib.daemon import Daemon
from lib.ports import free_port
from lib.wait import until

MANY = int(os.environ.get("POSTRIDER_TEST_MESSAGES", "10000"))


def test_100_sessions_each_message_exactly_once(daemon, make_counting_sink, dkim_key):
    sink = make_counting_sink()
    daemon.config["identities"] = [
        {"name": "example.com", "account": "web", "dkim_selector": "sel", "dkim_key": dkim_key}
    ]
    daemon.route_all_to(sink.port)
    daemon.start()
    result = Load(daemon.port(), MANY).result()
    assert result["acked"] == MANY and result["lost_connections"] == 0, result
    until(lambda: sink.unique() >= MANY, 300, lambda: f"{sink.unique()} of {MANY}")
    daemon.stop()
    counted = sink.result()
    assert counted["unique"] == counted["messages"] == MANY and counted["duplicates"] == 0, counted


def acknowledged(path):
    with open(path, encoding="ascii") as f:
        return sum(1 for line in f if line.endswith("\n"))


@pytest.mark.parametrize("round", range(3))
def test_kill_9_loses_nothing(daemon, make_counting_sink, folder, round):
    """Killed three times in the middle of 100 sessions: everything that got 250 arrives at least once, and twice only
    what was under way."""
    sink = make_counting_sink()
    daemon.config["listeners"] = [{"name": "submission", "addresses": ["127.0.0.1"], "port": free_port()}]
    daemon.route_all_to(sink.port)
    daemon.start()
    acked_path = f"{folder}/acked"
    load = Load(daemon.port(), MANY, "--acked", acked_path, "--domains", "50")
    kills = 3
    for i in range(kills):
        goal = MANY * (i + 1) // (kills + 2) + round * 97
        until(lambda: sink.unique() >= goal, 300, lambda: f"{sink.unique()} of {goal}")
        daemon.kill()
        daemon.start()
    result = load.result()
    assert result["acked"] + result["in_doubt"] == MANY, result
    until(lambda: sink.unique() >= result["acked"], 300, lambda: f"{sink.unique()} of {result}")
    daemon.wait_log(r"replayed: .*", count=kills)
    until(lambda: queue_is_empty(daemon), 60, lambda: daemon.log()[-2000:])
    daemon.stop()
    counted = sink.result()
    assert acknowledged(acked_path) == result["acked"]
    assert counted["unique"] >= result["acked"], (counted, result)
    # 20 connections, and the outcomes that the commit under way would have made durable
    assert counted["duplicates"] <= kills * 120, counted


def queue_is_empty(daemon):
    """Every message that a start found or took in has been removed: asked of the daemon itself (SIGUSR2)."""
    before = len(re.findall(r"state: messages=", daemon.log()))
    daemon.process.send_signal(signal.SIGUSR2)
    lines = daemon.wait_log(r"state: messages=(\d+)", count=before + 1)
    return lines[-1] == "0"


def test_queue_survives_a_restart(daemon, sink, make_sink):
    """Mail for a host that is away waits, through stop and start and kill, and goes out when it is back."""
    closed = make_sink()
    closed.close()
    daemon.route_all_to(closed.port)
    daemon.start()
    client = connect(daemon)
    for i in range(30):
        assert submit(client, text_mail(subject=str(i)))[0] == 250
    big = text_mail(subject="big") + (b"y" * 900 + b"\r\n") * 5000
    assert submit(client, big)[0] == 250
    client.quit()
    daemon.wait_log(r"status=deferred")
    daemon.stop()
    daemon.start()
    daemon.wait_log(r"replayed: segments=\d+ messages=\d+ waiting=31 damaged=0")
    daemon.kill()
    daemon.route_all_to(sink.port)
    daemon.start()
    mails = sink.wait(31, timeout_s=120)
    assert sorted(m.message()["Subject"] for m in mails) == sorted([str(i) for i in range(30)] + ["big"])
    assert next(m for m in mails if m.message()["Subject"] == "big").body == big.split(b"\r\n\r\n", 1)[1]
    until(lambda: queue_is_empty(daemon), 60, lambda: daemon.log()[-2000:])
    daemon.stop()
    daemon.start()
    assert "waiting=0" in re.findall(r"replayed: .*", daemon.log())[-1]
    assert not os.listdir(os.path.join(daemon.config["spool"]["directory"], "large"))


def test_stop_finishes_what_is_under_way(daemon, make_sink):
    """SIGTERM while messages come in: no session is cut without a reply, nothing acknowledged is lost."""
    sink = make_sink()
    daemon.route_all_to(sink.port)
    daemon.start()
    load = Load(daemon.port(), 100000, sessions=20)
    until(lambda: sink.count() > 100, 60, lambda: f"{sink.count()}")
    daemon.stop()
    load.stop()
    result = load.result()
    assert result["in_doubt"] == 0, result
    daemon.start()
    until(lambda: queue_is_empty(daemon), 60, lambda: daemon.log()[-2000:])
    assert sink.count() == result["acked"]


def test_disk_below_its_reserve(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.config["spool"]["reserve"] = "1024G"
    daemon.start()
    client = connect(daemon)
    code, text = submit(client, text_mail())
    assert code == 452, text
    daemon.config["spool"]["reserve"] = "1M"
    daemon.reload()
    end = time.monotonic() + 30
    while code != 250 and time.monotonic() < end:
        code, text = submit(client, text_mail())
    assert code == 250
    client.quit()
    sink.wait()


@pytest.mark.skipif(os.environ.get("POSTRIDER_BUILD_KIND", "").endswith("san"), reason="sanitizers keep freed memory")
def test_memory_is_flat(daemon, make_counting_sink):
    """More than 100,000 messages leave no more behind than the first 10,000. The room for messages on their way out is an eighth of
    the budget: small here, so that a queue that grows for a while does not count."""
    sink = make_counting_sink()
    daemon.route_all_to(sink.port)
    daemon.config["spool"]["body_budget"] = "16M"
    daemon.start()

    def after(messages):
        assert Load(daemon.port(), messages, sessions=50).result()["acked"] == messages
        until(lambda: queue_is_empty(daemon), 300, lambda: daemon.log()[-2000:])
        return daemon.rss_kib()

    after(10000)
    sizes = [after(30000) for _ in range(4)]
    # A longer queue at its worst moment may leave memory behind once; a leak of 60 bytes a message does each time.
    growth = [b - a for a, b in zip(sizes, sizes[1:])]
    assert min(growth) < 1800, f"{sizes} KiB"


def test_quit_drains(daemon, sink):
    """SIGQUIT: clients are let go, what is due is delivered, what is deferred stays, and the daemon ends."""
    sink.rcpt = {"later@dest.test": ["451 4.3.0 later"] * 100}
    daemon.route_all_to(sink.port)
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h", max_connections_per_site=1)
    daemon.start()
    client = connect(daemon)
    assert submit(client, text_mail(), recipients=["later@dest.test"])[0] == 250
    daemon.wait_log("status=deferred")
    for i in range(50):
        assert submit(client, text_mail(subject=str(i)))[0] == 250
    daemon.process.send_signal(signal.SIGQUIT)
    until(lambda: client.noop()[0] == 421, 30, lambda: "the session goes on")
    assert daemon.process.wait(60) == 0
    daemon.process = None
    assert sink.count() == 50
    daemon.start()
    assert "waiting=1" in re.findall(r"replayed: .*", daemon.log())[-1]


def test_stop_does_not_wait_for_ever(daemon, scripted):
    """A host that never answers the end of data: the attempt is cut, the message stays, the end is clean."""
    server = scripted("dot", b"")
    server.hang = True
    daemon.route_all_to(server.port)
    daemon.start()
    client = connect(daemon)
    assert submit(client, text_mail())[0] == 250
    client.quit()
    until(lambda: server.hung, 30, lambda: "the message was not sent")
    daemon.stop()
    assert "some sessions or attempts did not end in time" in daemon.log()
    server.hang = False
    daemon.start()
    until(lambda: queue_is_empty(daemon), 60, lambda: daemon.log()[-2000:])
    assert server.taken == 1


@pytest.mark.parametrize("shared", ["spool", "state"])
def test_second_daemon_of_a_directory(daemon, sink, folder, shared):
    """It says why it does not start, and the first goes on."""
    daemon.route_all_to(sink.port)
    daemon.start()
    os.mkdir(os.path.join(folder, "second"))
    second = Daemon(os.path.join(folder, "second"))
    if shared == "spool":
        second.config["spool"] = daemon.config["spool"]
    else:
        second.config["state_directory"] = daemon.config["state_directory"]
    second.write_config()
    done = subprocess.run([second.program, "-f", "-c", second.path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 75, done.stderr
    assert re.search(r"cannot start: \S+ is in use by another process: two daemons cannot share a " + shared, done.stderr)
    client = connect(daemon)
    assert submit(client, text_mail())[0] == 250
    client.quit()
    sink.wait(1)
