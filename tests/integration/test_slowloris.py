"""A thousand idle sessions and five hundred that drip a byte now and then: others are served meanwhile, and all of it
comes to an end."""

import resource
import time
from collections import Counter

import pytest

from lib.bench import Load
from lib.clients import Line, connect, submit, text_mail
from lib.daemon import ACCESS_KEY, smtp_password
from lib.slowloris import PLACES, Slowloris
from lib.wait import until

IDLE, SLOW, HONEST = 1000, 500, 20
DEADLINE_S = 12
TIMEOUT = b"451 4.4.2 Timeout waiting for data from client.\r\n"
TOO_MANY = b"421 Too many concurrent SMTP connections\r\n"
PER_ADDRESS = 200  # by default
OTHER = "127.0.0.77"


@pytest.fixture(autouse=True)
def many_descriptors():
    """For this process and the daemon, which has it from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8192:
        pytest.skip("at most %d descriptors" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def idle():
    """begin(daemon, address, count) gives so many sessions that have logged in inside TLS and say nothing more."""
    loads = []

    def begin(daemon, address, count):
        loads.append(Load(daemon.port(), 1, "--idle", "--bind", address, sessions=count))
        assert loads[-1].wait_idle() == count
        return loads[-1]

    yield begin
    for load in loads:
        load.close()


@pytest.fixture
def slow():
    """begin(daemon, count) gives so many that drip."""
    made = []

    def begin(daemon, count, sources, period_s):
        made.append(
            Slowloris(daemon.port(), daemon.port("submissions"), ACCESS_KEY, smtp_password(), count, sources, period_s)
        )
        return made[-1]

    yield begin
    for s in made:
        s.close()


def send(daemon, name, subject, source="127.0.0.1"):
    client = connect(daemon, name, source=source)
    assert submit(client, text_mail(subject=subject))[0] == 250
    client.quit()


def test_500_drip_beside_1000_idle(daemon, sink, idle, slow):
    deadline = f"{DEADLINE_S}s"
    daemon.config["smtp"] = {"max_connections_per_address": IDLE, "max_handshakes": 2 * IDLE, "idle": deadline,
                             "handshake": deadline, "data": deadline}  # fmt: skip
    daemon.route_all_to(sink.port)
    daemon.start()
    send(daemon, "submission", "honest 0")  # opens what stays open: a segment
    sink.wait(1)
    before = daemon.descriptors()
    quiet = idle(daemon, "127.0.0.11", IDLE)
    drip = slow(daemon, SLOW, [f"127.0.0.{i}" for i in range(21, 31)], 2.0)
    until(lambda: drip.in_place() == SLOW, 60, lambda: f"in place: {drip.places}, {drip.endings[:3]}, {drip.failures[:3]}")
    assert daemon.status()["sessions"] == IDLE + SLOW

    for i in range(1, HONEST):
        send(daemon, ("submission", "submissions")[i % 2], f"honest {i}")
    mails = sink.wait(HONEST)
    assert drip.in_place() == SLOW, "they are gone already: the machine is too slow for this deadline"

    until(lambda: len(drip.endings) == SLOW, 60, lambda: f"left: {drip.places}, {drip.failures[:3]}")
    assert Counter(e.place for e in drip.endings) == dict.fromkeys(PLACES, SLOW // len(PLACES))
    for ending in drip.endings:
        assert ending.said == (b"" if ending.place in ("hello", "handshake") else TIMEOUT), ending
        # Their own clocks begin a little later or earlier than the daemon's.
        assert ending.after_s > DEADLINE_S / 2, ending
    until(lambda: daemon.status()["sessions"] == IDLE, 20, lambda: f"{daemon.status()['sessions']} sessions")

    send(daemon, "submission", f"honest {HONEST}")
    quiet.stop()
    assert quiet.result()["lost_connections"] == 0
    until(lambda: daemon.status()["sessions"] == 0, 20, lambda: f"{daemon.status()['sessions']} sessions")
    until(lambda: daemon.descriptors() <= before, 60, lambda: f"{daemon.descriptors()} descriptors, and {before} before")
    mails = sink.wait(HONEST + 1)
    assert sorted(m.message()["Subject"] for m in mails) == sorted(f"honest {i}" for i in range(HONEST + 1))


def test_default_limit_of_an_address(daemon, sink, idle):
    """One address has its share and no more; another is served meanwhile, and the first again when one of its goes."""
    attacker = "127.0.0.66"
    daemon.route_all_to(sink.port)
    daemon.start()
    held = idle(daemon, attacker, PER_ADDRESS)
    for _ in range(50):
        line = Line(daemon.port(), greet=False, source=attacker)
        line.expect(TOO_MANY)
        assert line.at_end()
        line.close()
        refused = Line(daemon.port("submissions"), greet=False, source=attacker)
        assert refused.at_end()
        refused.close()
    assert daemon.status()["sessions"] == PER_ADDRESS
    begin = time.monotonic()
    send(daemon, "submission", "from elsewhere", OTHER)
    send(daemon, "submissions", "from elsewhere", OTHER)
    assert time.monotonic() - begin < 10
    held.stop()
    assert held.result()["lost_connections"] == 0
    until(lambda: daemon.status()["sessions"] == 0, 20, lambda: f"{daemon.status()['sessions']} sessions")
    send(daemon, "submission", "again", attacker)
    assert [m.message()["Subject"] for m in sink.wait(3)].count("from elsewhere") == 2
