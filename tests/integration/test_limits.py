"""Sending rate and daily quota of an account, under two hundred sessions at once and over restarts."""

import bisect
import os
import smtplib
import threading
import time

import pytest
from lib.clients import connect, insecure_context, message_id, submit, text_mail
from lib.daemon import account, smtp_password
from lib.timed_sink import TimedSink
from lib.wait import until

RATE = "Throttling failure: Maximum sending rate exceeded."
LARGE = ("x" * 76 + "\r\n") * (11 * 1024 * 1024 // 78)
QUOTA = "Throttling failure: Daily message quota exceeded."


def hammer(daemon, threads, until_s, recipients=1):
    """All threads submit as fast as they can; [(time of the reply, reply)]."""
    replies, lock = [], threading.Lock()
    names = [f"r{i}@dest.test" for i in range(recipients)]
    clients = [connect(daemon) for _ in range(threads)]
    start = threading.Barrier(threads + 1)
    failures = []

    def work(client):
        try:
            start.wait()
            while time.monotonic() < end[0]:
                code, text = submit(client, text_mail(), recipients=names)
                with lock:
                    replies.append((time.monotonic(), code, text))
            client.quit()
        except Exception as e:  # told to the test below
            failures.append(e)

    end = [0.0]
    workers = [threading.Thread(target=work, args=(c,)) for c in clients]
    for w in workers:
        w.start()
    end[0] = time.monotonic() + until_s
    start.wait()
    for w in workers:
        w.join()
    assert not failures, failures[0]
    return replies


def test_rate_with_100_sessions(daemon, make_counting_sink):
    """Accepted recipients follow the bucket: burst at once, then the rate, never less."""
    sink = make_counting_sink()
    rate, burst, seconds = 40, 60, 5
    daemon.config["accounts"] = [account(send_rate=float(rate), send_burst=float(burst))]
    daemon.route_all_to(sink.port)
    daemon.start()
    begin = time.monotonic()
    replies = hammer(daemon, 100, seconds)
    took = max(t for t, _, _ in replies) - begin
    good = sorted(t for t, code, _ in replies if code == 250)
    assert {(c, x) for _, c, x in replies if c != 250} == {(454, RATE)}
    assert len(good) <= burst + rate * took + 1
    assert len(good) >= burst + rate * (seconds - 1), f"{len(good)} in {took:.1f} s: blocked below the rate"
    slack_s = 0.3  # replies are seen later than they are decided
    for i, t in enumerate(good):
        window = [x for x in good[i:] if x <= t + 1]
        assert len(window) <= burst + rate * (1 + slack_s) + 1


def test_recipients_count_not_messages(daemon, make_counting_sink):
    sink = make_counting_sink()
    daemon.config["accounts"] = [account(send_rate=1.0, send_burst=100.0)]
    daemon.route_all_to(sink.port)
    daemon.start()
    client = connect(daemon)
    to = [f"r{i}@dest.test" for i in range(50)]
    assert submit(client, text_mail(), recipients=to)[0] == 250
    assert submit(client, text_mail(), recipients=to)[0] == 250
    assert submit(client, text_mail(), recipients=to) == (454, RATE)
    client.quit()


def test_quota_is_exact_and_survives(daemon, make_counting_sink):
    """300 recipients a day: 100 sessions get exactly that, and a restart or a kill gives no new ones."""
    sink = make_counting_sink()
    daemon.config["accounts"] = [account(quota_24h=300)]
    daemon.route_all_to(sink.port)
    daemon.start()
    replies = hammer(daemon, 100, 3)
    assert sum(code == 250 for _, code, _ in replies) == 300
    assert {(c, x) for _, c, x in replies if c != 250} == {(454, QUOTA)}
    daemon.stop()
    daemon.start()
    client = connect(daemon)
    assert submit(client, text_mail()) == (454, QUOTA)
    client.quit()
    daemon.config["accounts"] = [account(quota_24h=310)]
    daemon.reload()
    client = connect(daemon)
    assert [submit(client, text_mail())[0] for _ in range(12)] == [250] * 10 + [454] * 2
    client.quit()


def test_quota_over_kill(daemon, make_sink):
    """What was counted just before a kill is still counted: from the usage file or from the spool."""
    away = make_sink()
    away.close()
    daemon.config["accounts"] = [account(quota_24h=20)]
    daemon.route_all_to(away.port)
    daemon.start()
    client = connect(daemon)
    assert [submit(client, text_mail())[0] for _ in range(20)] == [250] * 20
    daemon.kill()
    daemon.start()
    client = connect(daemon)
    assert submit(client, text_mail()) == (454, QUOTA)
    client.quit()
    until(daemon.alive, 1, lambda: "")


def test_refused_messages_cost_nothing(daemon, make_counting_sink):
    sink = make_counting_sink()
    daemon.config["accounts"] = [account(quota_24h=5)]
    daemon.route_all_to(sink.port)
    daemon.start()
    client = connect(daemon)
    for _ in range(10):
        assert submit(client, text_mail(sender="x@other.test"))[0] == 554
    assert [submit(client, text_mail())[0] for _ in range(6)] == [250] * 5 + [454]
    client.quit()


def test_large_messages_are_paced(daemon, sink):
    """Above 10 MB the reply waits for the account's rate of bytes; too long a wait is refused, a small message is not."""
    daemon.route_all_to(sink.port)
    daemon.config["smtp"] = {"large_rate": "8M"}
    daemon.start()
    large = text_mail(body=LARGE)
    with connect(daemon) as client:
        begin = time.monotonic()
        assert submit(client, large)[0] == 250  # takes what a second allows, and more
        assert submit(client, large)[0] == 250
        # The second begins when what the first took beyond a second's worth, and a second's worth, is there again.
        assert time.monotonic() - begin >= len(large) / (8 * 1024 * 1024)
        daemon.config["smtp"] = {"large_rate": "1K"}
        daemon.reload()
    with connect(daemon) as client:
        first = submit(client, large)  # depends on how much of the old rate was left
        assert first[0] == 250 or first == (454, RATE)
        assert submit(client, large) == (454, RATE)
        assert submit(client, text_mail())[0] == 250
    sink.wait(3)


def test_stop_with_a_paced_message(daemon, sink):
    """One that waits for its turn when the daemon stops is refused for the time being, at once."""
    daemon.route_all_to(sink.port)
    daemon.config["smtp"] = {"large_rate": "64K"}
    daemon.start()
    large = text_mail(body=LARGE)
    replies = []
    client = connect(daemon)
    assert submit(client, large)[0] == 250
    folder = os.path.join(daemon.folder, "spool", "large")

    def sizes():
        return [os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)]

    def told():
        return f"{os.listdir(folder)}:\n{daemon.log()[-2000:]}"

    until(lambda: sizes() == [], 60, told)  # the first has arrived and is forgotten
    waits = threading.Thread(target=lambda: replies.append(submit(client, large)))
    waits.start()
    until(lambda: sizes() == [len(large)], 60, told)
    daemon.stop()
    waits.join()
    client.close()
    assert replies == [(451, "Temporary service failure")]
    assert "did not end in time" not in daemon.log()


CLIENTS = 200
OTHER_KEY, OTHER_SECRET = "AKIAIOSFODNN7OTHER00", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYOTHERKEY00"
CLOCK_S = 0.1  # an id has the time from a moment before the bucket is asked


@pytest.fixture
def pressed(daemon):
    """Two accounts; start(**limits of the first) gives the sink of all mail, which has a label for each account."""
    sink = TimedSink()
    ports = {name: sink.listen(name) for name in ("web", "other")}

    def start(**limits):
        daemon.config["smtp"] = {"max_connections_per_address": 2 * CLIENTS, "max_handshakes": 2 * CLIENTS}
        daemon.config["accounts"] = [
            account(**limits),
            {"name": "other", "credentials": [{"id": OTHER_KEY, "secret": OTHER_SECRET}],
             "send_rate": limits["send_rate"], "send_burst": limits["send_burst"]},
        ]  # fmt: skip
        daemon.config["identities"].append({"name": "example.org", "account": "other"})
        daemon.config["routes"] = [
            {"name": name, "destination": f"{name}.test", "host": "127.0.0.1", "port": port, "allow_private": True}
            for name, port in ports.items()
        ]
        daemon.start()
        return sink

    yield start
    if daemon.alive():
        daemon.stop()
    sink.close()


def connect_other(daemon):
    client = smtplib.SMTP("127.0.0.1", daemon.port(), timeout=60)
    client.starttls(context=insecure_context())
    client.login(OTHER_KEY, smtp_password(OTHER_SECRET))
    return client


class Pressure:
    """Clients in step: every `interval_s` all of them submit at once, `rounds` times. Those times are the load itself:
    what is offered, not what is waited for."""

    def __init__(self, clients, rounds, interval_s, sender, to, recipients=1):
        self.clients, self.rounds, self.interval_s = clients, rounds, interval_s
        self.content = text_mail(sender=sender, X_Seq="1")
        self.sender, self.to = sender, [f"r{i}@{to}" for i in range(recipients)]
        self.replies, self.failures = [], []
        self.threads = [threading.Thread(target=self._work, args=(c,)) for c in clients]

    def begin(self, at):
        self.at = at
        for thread in self.threads:
            thread.start()
        return self

    def _work(self, client):
        try:
            for i in range(self.rounds):
                time.sleep(max(self.at + i * self.interval_s - time.monotonic(), 0))
                self.replies.append(submit(client, self.content, sender=self.sender, recipients=self.to))
            client.quit()
        except Exception as e:  # told to the test by end()
            self.failures.append(e)

    def end(self):
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures[0]
        assert len(self.replies) == self.rounds * len(self.clients)
        return self

    def refusals(self):
        return {reply for reply in self.replies if reply[0] != 250}

    def accepted_s(self):
        """When the account was charged, in order: the daemon's own clock, which is in the id."""
        ids = (message_id(text) for code, text in self.replies if code == 250)
        return sorted((int(i[:16], 16) & 0xFFFFFFFFFFFF) / 1000 for i in ids)


def press(daemon, rate, rounds):
    """Twice the rate from CLIENTS clients of one account, two fifths of the rate from ten of the other."""
    interval_s = CLIENTS / (2 * rate)
    web = Pressure([connect(daemon) for _ in range(CLIENTS)], rounds, interval_s, "jo@example.com", "web.test")
    other = Pressure([connect_other(daemon) for _ in range(10)], int(rounds * interval_s), 1, "jo@example.org",
                     "other.test", recipients=rate // 25)  # fmt: skip
    at = time.monotonic() + 0.2
    other.begin(at)
    web.begin(at).end()
    other.end()
    return web, other


def most_in(times, window_s):
    """The most of any window, which begins with one of them."""
    return max(bisect.bisect_right(times, t + window_s) - i for i, t in enumerate(times))


def test_twice_the_rate_from_200_clients(daemon, pressed):
    """No second has more than the rate and the burst, the day no more than the quota, and nobody else notices."""
    rate, burst, quota = 100, 150, 550
    pressed(send_rate=float(rate), send_burst=float(burst), quota_24h=quota)
    web, other = press(daemon, rate, rounds=8)
    accepted = web.accepted_s()
    assert most_in(accepted, 1) <= burst + rate * (1 + CLOCK_S)
    assert most_in(accepted, 3) <= burst + rate * (3 + CLOCK_S)
    assert len(accepted) == quota, "all of it, since twice the rate would be three times as much"
    assert web.refusals() == {(454, RATE), (454, QUOTA)}
    assert other.refusals() == set()


def test_smoothed_from_200_clients(daemon, pressed):
    """Twice the rate is taken whole and leaves at the rate; nobody else waits."""
    rate, burst, rounds = 100, 150, 4
    sink = pressed(send_rate=float(rate), send_burst=float(burst), over_limit="smooth")
    web, other = press(daemon, rate, rounds)
    assert web.refusals() == set() and other.refusals() == set()
    until(lambda: len(sink.of("web")) >= CLIENTS * rounds, 120, lambda: f"{len(sink.of('web'))} came")
    left_s = [taken.time_ns / 1e9 for taken in sink.of("web")]
    # A late delivery is the machine's affair; an early one is more than the rate. The clocks of the two are one.
    for i, t in enumerate(left_s):
        assert i + 1 <= burst + rate * (t - web.at + CLOCK_S), f"{i + 1} after {t - web.at:.2f} s"
    assert len(left_s) == CLIENTS * rounds, "some came twice"
    assert max(taken.time_ns for taken in sink.of("other")) / 1e9 < left_s[-1]
