"""What must not hurt: slow, silent, greedy and lying clients. After each, a good client is served at once."""

import os
import re
import resource
import smtplib
import socket
import time

import pytest

from lib.clients import Line, connect, insecure_context, submit, text_mail
from lib.wait import until


@pytest.fixture
def relay(daemon, sink):
    daemon.config["smtp"] = {"idle": "5s", "handshake": "5s", "max_connections_per_address": 2000}
    daemon.route_all_to(sink.port)
    daemon.start()
    yield daemon
    # the message of the good client is on its way: the sink goes only after it
    daemon.wait_log(": removed", count=len(re.findall(r"nrcpt=1 \(queue active\)", daemon.log())))


def assert_served(daemon, within_s=5.0):
    start = time.monotonic()
    client = connect(daemon)
    assert submit(client, text_mail())[0] == 250
    client.quit()
    assert time.monotonic() - start < within_s


def logged_in(daemon):
    line = Line(daemon.port())
    line.command(b"EHLO a", b"250")
    line.starttls()
    line.login()
    return line


ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r.\n", b"\n.\r", b"\n\r.\r\n", b"\r\n.\n\r",
        b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n.\x0b\r\n", b"\r\n\xe2\x80\xa8.\r\n"]  # fmt: skip


def test_smuggling(relay, sink):
    """No other ending than CR LF . CR LF ends a message; content with bare CR, LF or NUL is refused, whole."""
    line = logged_in(relay)
    for end in ENDS:
        for command in (b"MAIL FROM:<jo@example.com>", b"RCPT TO:<a@dest.test>"):
            line.command(command, b"250 ")
        line.command(b"DATA", b"354 ")
        line.send(b"From: jo@example.com\r\nSubject: outer\r\n\r\nx" + end)
        line.send(b"MAIL FROM:<jo@example.com>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"
                  b"From: jo@example.com\r\nSubject: smuggled\r\n\r\ny\r\n.\r\n")  # fmt: skip
        got = line.reply()
        strange = any(c in end for c in (b"\n.\n", b"\0", b"\r.", b"\n\r")) or b"\r\r" in end or end in (b"\n.\r\n", b"\r\n.\r")
        if got.startswith(b"250"):
            assert not strange, end
        else:
            assert got.startswith(b"554 Transaction failed:"), (end, got)
    line.command(b"NOOP", b"250 Ok\r\n")  # in step: no reply too many
    line.close()
    for mail in sink.mails:
        assert mail.message()["Subject"] == "outer"
        assert mail.recipients == ["a@dest.test"]
    assert_served(relay)


def test_injected_header_names(relay, sink):
    """Header blocks that are none."""
    client = connect(relay)
    for content in (
        b" From: jo@example.com\r\n\r\nx\r\n",
        b"From jo Mon Jan 1\r\nFrom: jo@example.com\r\n\r\nx\r\n",
        b"From: jo@example.com\r\nno colon here\r\n\r\nx\r\n",
        b"From: jo@example.com\r\n: empty\r\n\r\nx\r\n",
        b"From: jo@example.com\r\nSub ject: x\r\n\r\nx\r\n",
        b"From: jo@example.com\r\nX-\x01: x\r\n\r\nx\r\n",
        b"From: jo@example.com\r\n" + b"X-A: b\r\n" * 5000 + b"\r\nx\r\n",
        b"From: jo@example.com\r\nX-A: " + b"b" * 900000 + b"\r\n\r\nx\r\n",
        b"From: jo@example.com\r\n" + b"X-A: " + b"b\r\n " * 50000 + b"\r\n\r\nx\r\n",
        b"From: " + b"(" * 20000 + b" jo@example.com\r\n\r\nx\r\n",
        b"From: " + b", ".join(b"a%d@example.com" % i for i in range(20000)) + b"\r\n\r\nx\r\n",
    ):
        start = time.monotonic()
        code, text = submit(client, content)
        assert code in (250, 552, 554), (code, text, content[:60])
        assert time.monotonic() - start < 5
    client.quit()
    assert_served(relay)


def test_endless_line(relay):
    """32 MB without a line end: closed early, memory flat."""
    before = relay.rss_kib()
    for secure in (False, True):
        line = logged_in(relay) if secure else Line(relay.port())
        sent = 0
        with pytest.raises(OSError):
            line.socket.settimeout(20)
            while sent < 32 << 20:
                line.send(b"x" * 65536)
                sent += 65536
            line.file.read()
            raise ConnectionResetError
        assert sent < 8 << 20, "it went on reading"
        line.close()
    assert relay.rss_kib() < before + 65536
    assert_served(relay)


def test_replies_not_read(relay):
    """Fifty thousand NOOPs and no reply read: the daemon stops reading, and its memory does not follow."""
    line = logged_in(relay)
    before = relay.rss_kib()
    line.socket.settimeout(3)
    try:
        for _ in range(4000):
            line.send(b"NOOP\r\n" * 2000)
    except OSError:
        pass
    assert relay.rss_kib() < before + 16384
    line.close()
    assert_served(relay)


def test_500_slow_clients(relay):
    """Silent ones, ones that drip, ones stuck in the handshake: a good client does not notice; all are let go."""
    sockets = []
    for i in range(500):
        s = socket.create_connection(("127.0.0.1", relay.port("submissions" if i % 5 == 4 else "submission")))
        if i % 5 == 1:
            s.sendall(b"E")
        elif i % 5 == 2:
            s.sendall(b"EHLO a\r\nSTARTTLS\r\n")
        elif i % 5 == 3:
            s.sendall(b"NOOP\r\n")
        sockets.append(s)
    assert_served(relay)

    def closed(s):
        s.setblocking(False)
        try:
            while True:
                if not s.recv(65536):
                    return True
        except BlockingIOError:
            return False
        except OSError:
            return True

    left = list(sockets)

    def all_closed():
        left[:] = [s for s in left if not closed(s)]
        return not left

    until(all_closed, 60, lambda: f"{len(left)} connections are still open")
    for s in sockets:
        s.close()
    assert_served(relay)


def test_drip_ends_as_if_silent(relay):
    """A byte now and then does not keep a session alive: the deadline is for the whole command."""
    s = socket.create_connection(("127.0.0.1", relay.port()))
    s.settimeout(0.5)
    start = time.monotonic()
    open_still = True
    while open_still and time.monotonic() - start < 30:
        try:
            s.sendall(b"E")
            open_still = bool(s.recv(1000)) or False
        except socket.timeout:
            continue
        except OSError:
            open_still = False
        else:
            open_still = time.monotonic() - start < 30 and open_still
    assert time.monotonic() - start < 20
    s.close()


def test_out_of_descriptors(daemon, sink):
    """More clients than descriptors: they are told, the daemon does not spin, and serves again when some are free."""
    daemon.route_all_to(sink.port)
    daemon.config["smtp"] = {"max_connections_per_address": 2000}
    daemon.start()
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (80, 80))
    sockets = [socket.create_connection(("127.0.0.1", daemon.port())) for _ in range(150)]
    told = 0
    for s in sockets:
        s.settimeout(1)
        try:
            told += s.recv(100).startswith(b"421 Too many concurrent SMTP connections")
        except OSError:
            pass
    assert told > 0
    before = cpu_s(daemon)
    start = time.monotonic()
    until(lambda: time.monotonic() > start + 1, 5, lambda: "")
    assert cpu_s(daemon) - before < 0.5, "it spins"
    for s in sockets:
        s.close()
    until(lambda: served(daemon), 30, lambda: "nobody is served")


def cpu_s(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def served(daemon):
    try:
        assert_served(daemon)
        return True
    except (OSError, smtplib.SMTPException):
        return False


def test_connection_limits(daemon, sink):
    daemon.config["smtp"] = {"max_connections_per_address": 5}
    daemon.route_all_to(sink.port)
    daemon.start()
    lines = [Line(daemon.port()) for _ in range(5)]
    refused = Line(daemon.port(), greet=False)
    refused.expect(b"421 Too many concurrent SMTP connections\r\n")
    assert refused.at_end()
    for line in lines:
        line.close()
    until(lambda: Line(daemon.port(), greet=False).reply().startswith(b"220"), 20, lambda: "still refused")


def test_other_protocols(relay):
    for first in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"POST / HTTP/1.0\r\n\r\n"):
        line = Line(relay.port())
        line.send(first)
        assert line.at_end()
        line.close()
    with pytest.raises(OSError):
        with socket.create_connection(("127.0.0.1", relay.port("submissions")), timeout=20) as s:
            s.sendall(b"EHLO plain text on a TLS port\r\n")
            if not s.recv(1000):
                raise ConnectionResetError
            insecure_context().wrap_socket(s)
    assert_served(relay)


def test_abandoned_in_data(relay, sink):
    """Connections cut at every stage leave nothing behind and nothing is delivered."""
    for stage in (b"MAIL FROM:<jo@example.com>\r\n", b"MAIL FROM:<jo@example.com>\r\nRCPT TO:<a@dest.test>\r\n",
                  b"MAIL FROM:<jo@example.com>\r\nRCPT TO:<a@dest.test>\r\nDATA\r\nFrom: jo@example.com\r\n\r\nx\r\n",
                  b"MAIL FROM:<jo@example.com>\r\nRCPT TO:<a@dest.test>\r\nDATA\r\n" + text_mail() + b"x" * 3000000):  # fmt: skip
        line = logged_in(relay)
        line.send(stage)
        line.expect(b"250")
        line.close()
    assert_served(relay)
    assert len(sink.wait(1)) == 1
