"""Sending rate and daily quota of an account, under a hundred sessions at once and over restarts."""

import threading
import time

from lib.clients import connect, submit, text_mail
from lib.daemon import account
from lib.wait import until

RATE = "Throttling failure: Maximum sending rate exceeded."
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
    line = "x" * 76 + "\r\n"
    large = text_mail(body=line * (11 * 1024 * 1024 // len(line)))
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
