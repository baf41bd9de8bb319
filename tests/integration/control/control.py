"""Every call of the control interface and every command of postrider against a real postriderd, whose mail stays queued
because its route leads to a server that defers it. What has to happen is waited for, never slept for."""

import contextlib
import http.client
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import smtplib
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib.ports import free_port  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("POSTRIDER_BUILD", os.getcwd())
DAEMON = os.path.join(BUILD, "src/main/postriderd")
POSTRIDER = os.path.join(BUILD, "src/cli/postrider")
WRAP = os.environ.get("POSTRIDER_WRAP", "").split()
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
PATIENCE = 60 if WRAP else 20
MIB = 1 << 20
OTHER_UID = 54321
CONNECTIONS_MAX = 64


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "waited in vain for " + what
        time.sleep(0.01)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)  # waits while the backlog is full, as it would not with a timeout
        self.sock.settimeout(self.timeout)


class Hole:
    """Accepts connections and says nothing, so that an attempt stays under way; then it closes them."""

    def __init__(self):
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = free_port()
        self.server.bind(("127.0.0.1", self.port))
        self.server.listen()
        self.server.settimeout(PATIENCE)
        self.open = []

    def accept(self):
        self.open.append(self.server.accept()[0])

    def close(self):
        self.server.close()
        for s in self.open:
            s.close()


class Deferrer(socketserver.ThreadingTCPServer):
    """Speaks SMTP and defers every recipient."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100

    class RequestHandlerClass(socketserver.StreamRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                self.wfile.write(b"220 deferrer ESMTP\r\n")
                for line in self.rfile:
                    verb = line[:4].upper()
                    answer = {b"RCPT": b"450 4.2.0 greylisted", b"QUIT": b"221 bye",
                              b"DATA": b"503 no recipients"}.get(verb, b"250 ok")
                    self.wfile.write(answer + b"\r\n")
                    if verb == b"QUIT":
                        return

    def __init__(self):
        super().__init__(("127.0.0.1", free_port()), self.RequestHandlerClass)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


class Daemon:
    def __init__(self, mode="0660", socket_path=None, extra=""):
        self.dir = tempfile.mkdtemp(prefix="postrider-control.")
        os.chmod(self.dir, 0o755)
        self.sock = self.dir + "/run/control.sock" if socket_path is None else socket_path
        self.conf = self.dir + "/postrider.conf"
        self.log_path = self.dir + "/log"
        self.mode = mode
        self.port, self.deferrer, self.hole = free_port(), Deferrer(), Hole()
        self.process = None
        self.write_conf(extra)

    def write_conf(self, extra=""):
        text = f"""
hostname = "mail.example.test";
state_directory = "{self.dir}/state";
loops = 2;
workers = 2;
spool = {{ directory = "{self.dir}/spool"; segment = "8M"; memory_body = "64K"; reserve = "1M"; }};
control = {{ socket = "{self.sock}"; mode = "{self.mode}"; }};
smtp = {{ max_message_size = "2M"; }};
listeners = ( {{ name = "submission"; addresses = [ "127.0.0.1" ]; port = {self.port};
    tls = "none"; auth_without_tls = true; }} );
accounts = ( {{ name = "web"; production = true;
    credentials = ( {{ id = "{KEY_ID}"; secret = "{SECRET}"; }} ); }},
    {{ name = "relay"; profile = "relay"; production = true; }},
    {{ name = "slow"; production = true; send_rate = 0.001; send_burst = 1.0; }},
    {{ name = "none"; production = true; }} );
identities = ( {{ name = "example.com"; account = "web"; verified = true; }},
    {{ name = "relay.example"; account = "relay"; verified = true; }},
    {{ name = "slow@slow.example"; account = "slow"; verified = true; }} );
delivery = {{ allow_private = true; retry_min = "10m"; retry_max = "20m"; }};
routes = (
    {{ name = "hole"; destination = "hole.test"; host = "127.0.0.1"; port = {self.hole.port};
        allow_private = true; tls = "none"; }},
    {{ name = "later"; destination = "*"; host = "127.0.0.1";
        port = {self.deferrer.server_address[1]};
        allow_private = true; tls = "none"; }} );
{extra}
"""
        with open(self.conf, "w") as f:
            os.chmod(self.conf, 0o600)
            f.write(text)

    def start(self, expect_ready=True):
        log = open(self.log_path, "a")
        seen = os.path.getsize(self.log_path)
        self.process = subprocess.Popen(
            WRAP + [DAEMON, "-f", "-c", self.conf], stderr=log, stdout=log, stdin=subprocess.DEVNULL
        )
        log.close()
        if expect_ready:
            wait_for(
                "the daemon",
                lambda: "ready:" in self.log()[seen:] or self.process.poll() is not None,
            )
            assert self.process.poll() is None, self.log()
        return self

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def stop(self):
        """Ends it as an operator does; sanitizers and valgrind speak by the exit status."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        assert status == 0, (status, self.log()[-4000:])
        assert self.sock == "" or not os.path.exists(self.sock)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.hole.close()
        self.deferrer.end()
        shutil.rmtree(self.dir)

    # ---- ways to ask ----

    def connect(self):
        return UnixConnection(self.sock)

    def http(self, method, target, body=None):
        c = self.connect()
        try:
            c.request(method, target, body)
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def json(self, method, target, body=None, want=200):
        status, _, text = self.http(method, target, body)
        assert status == want, (method, target, status, text)
        return json.loads(text)

    def curl(self, *args):
        """The same by curl, when it is there."""
        if shutil.which("curl") is None:
            return None
        return subprocess.run(
            ["curl", "-sS", "--unix-socket", self.sock, *args], capture_output=True, check=True
        ).stdout

    def cli(self, *args, stdin=b"", prefix=(), want=0):
        r = subprocess.run(
            [*prefix, POSTRIDER, "-s", self.sock, *args],
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            env={**os.environ, "TZ": "UTC", "POSTRIDER_SOCKET": "/nonexistent"},
        )
        assert r.returncode == want, (args, r)
        assert want == 0 or r.stderr.startswith(b"postrider: "), r
        assert want != 0 or r.stderr == b"", r
        return (r.stdout if want == 0 else r.stderr).decode()

    def rows(self, query=""):
        return [json.loads(line) for line in self.http("GET", "/v1/queue" + query)[2].splitlines()]

    def submit(self, to="jo@dest.test", account="web", extra=b""):
        message = b"From: a@example.com\r\nSubject: s\r\n" + extra + b"\r\nbody\r\n"
        target = f"/v1/messages?account={account}&to={to}"
        return self.json("POST", target, message)["message_id"]

    def row(self, message_id):
        return next((r for r in self.rows() if r["message_id"] == message_id), None)

    def deferred(self, message_id):
        """The row, once its first attempt has failed."""

        def look():
            row = self.row(message_id)
            return row if row is not None and row["queue_name"] == "deferred" else None

        return wait_for("the first attempt", look)

    def empty(self):
        for row in self.rows():
            wait_for(
                "the end of an attempt",
                lambda: self.http("DELETE", "/v1/queue/" + row["queue_id"])[0] != 409,
            )
        assert self.rows() == []


# ---------------------------------------------------------------- the tests ----------------------


def test_daemon(d):
    assert d.cli("ping") == "The daemon answers.\n"
    assert json.loads(d.cli("ping", "--json"))["status"] == "ok"
    status = d.json("GET", "/v1/status")
    if not WRAP:
        assert status["pid"] == d.process.pid
    assert status["hostname"] == "mail.example.test" and status["config_file"] == d.conf
    assert status["reload"] == {"result": "none"}
    assert set(status["events"]) >= {"Send", "Delivery", "Bounce", "DeliveryDelay", "Reject"}
    assert set(status["queue"]) >= {"messages", "ready", "active", "deferred"}
    assert set(json.loads(d.cli("status", "--json"))) == set(status)
    assert "postriderd " in d.cli("status")
    text = d.http("GET", "/v1/config")[2].decode()
    assert SECRET not in text and '"***"' in text
    assert d.cli("config", "show") == text
    assert json.loads(d.cli("config", "show", "--json")) == {"source": "daemon", "text": text}
    curled = d.curl("http://x/v1/status")
    assert curled is None or json.loads(curled)["version"] == status["version"]


def test_send(d):
    d.cli("send", "--account", "web", "--to", "jo+x@dest.test", "b@dest.test", stdin=b"hi\n")
    answer = json.loads(d.cli("send", "--account", "web", "--to", "c@dest.test", "--json"))
    row = d.deferred(answer["message_id"])
    assert row["destination"] == "=later" and row["recipient_count"] == 1 and row["attempts"] == 1
    assert "greylisted" in row["reason"] and row["next_attempt"] > row["arrival_time"]
    content = d.cli("queue", "show", row["queue_id"], "--content")
    assert "From: postmaster@example.com\r\n" in content and "This is a test message" in content
    assert d.curl("http://x/v1/queue/%s/message" % row["queue_id"]) in (None, content.encode())
    # A text that cannot go as it is, and a subject that is no ASCII.
    text = "grüße\n.\nx".encode()
    out = d.cli("send", "--account", "web", "--from", "ü@example.com", "--to", "c@dest.test",
                stdin=text, want=65)
    assert "from=" in out
    d.cli("send", "--account", "web", "--from", "a@example.com", "--to", "c@dest.test",
          "--subject", "Grüße", stdin=text)
    # A file with LF lines; the sender comes from its From field.
    path = d.dir + "/message"
    with open(path, "wb") as f:
        f.write(b"From: Jo <jo@example.com>\nTo: x@dest.test\nSubject: raw\n\nline\n")
    mid = json.loads(d.cli("send", "--account", "web", "--raw", path, "--to", "c@dest.test", "--json"))
    shown = d.json("GET", "/v1/queue/" + mid["message_id"])
    assert shown["sender"] == "jo@example.com" and shown["account"] == "web"
    with open(path, "rb") as f:
        d.cli("send", "--account", "web", "--raw", "-", "--to", "c@dest.test", stdin=f.read())
    # By SMTP, with the password that the command derives.
    password = d.cli("credential", "derive", "--region", "us-east-1", stdin=SECRET.encode()).strip()
    with smtplib.SMTP("127.0.0.1", d.port, timeout=PATIENCE) as s:
        s.login(KEY_ID, password)
        s.sendmail("a@example.com", ["smtp@dest.test"], "From: a@example.com\r\n\r\nby SMTP\r\n")
        assert d.json("GET", "/v1/status")["sessions"] == 1
    assert len(d.rows()) == 6
    # Refusals.
    assert "no identity" in d.cli("send", "--account", "none", "--to", "a@b.test", want=64)
    assert "There is no account" in d.cli(
        "send", "--account", "x", "--from", "a@b.c", "--to", "a@b.test", want=65)
    assert "not verified" in d.cli(
        "send", "--account", "web", "--from", "a@foreign.test", "--to", "a@b.test", want=77)
    slow = ("send", "--account", "slow", "--to", "a@b.test")
    d.cli(*slow)
    assert "rate" in d.cli(*slow, want=75)
    assert "No such file" in d.cli("send", "--account", "web", "--raw", "/x", "--to", "a@b.c", want=66)
    out = d.cli("send", "--dry-run", "--account", "web", "--to", "a@b.test", "--subject", "x")
    assert "Subject: x\r\n" in out and len(d.rows()) == 7
    d.cli("send", "--account", "web", "--raw", path, "--subject", "s", "--to", "a@b.c", want=64)
    # The null sender is for relays only.
    null = "/v1/messages?account=%s&from=&to=a@b.test"
    bounce = b"From: a@relay.example\r\n\r\nx\r\n"
    d.json("POST", null % "web", bounce, want=400)
    mid = d.json("POST", null % "relay", bounce)["message_id"]
    assert d.json("GET", "/v1/queue/" + mid)["sender"] == ""
    d.empty()


def test_large(d):
    body = (b"x" * 76 + b"\r\n") * (MIB // 78)
    head = b"From: a@example.com\r\nSubject: large\r\n\r\n"
    target = "/v1/messages?account=web&to=jo@dest.test"
    mid = d.json("POST", target, head + body)["message_id"]
    row = d.deferred(mid)
    assert d.http("GET", "/v1/queue/%s/message" % row["queue_id"])[2].endswith(b"\r\n\r\n" + body)
    # A header longer than what is kept in memory of a large message stays whole.
    fields = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 200) for i in range(400))
    mid = d.json("POST", target, fields + head + body)["message_id"]
    content = d.http("GET", "/v1/queue/%s/message" % mid)[2]
    assert content.count(b"y" * 200) == 400 and content.split(b"\r\n\r\n", 1)[1] == body
    too_large = head + body * 3
    d.json("POST", target, too_large[: 2 * MIB + 2], want=413)
    assert d.http("POST", target, too_large + body * 2)[0] == 413  # not read at all
    path = d.dir + "/large"
    for size in (2 * MIB + 100, len(too_large + body)):
        with open(path, "wb") as f:
            f.write((too_large + body)[:size])
        assert "" != d.cli("send", "--account", "web", "--raw", path, "--to", "a@b.test", want=65)
    d.empty()
    assert [n for n in os.listdir(d.dir + "/spool/large") if n.endswith(".tmp")] == []


def test_queue(d):
    ids = [d.submit("a%d@dest.test&to=b@other.test" % i) for i in range(3)]
    rows = [d.deferred(mid) for mid in ids]
    assert set(rows[0]) == {
        "queue_name", "queue_id", "arrival_time", "message_size", "message_id", "destination", "account",
        "recipient_count", "open_count", "attempts", "next_attempt", "reason"}
    assert [r["message_id"] for r in d.rows()] == ids
    assert len(d.rows("?limit=2")) == 2 and d.rows("?limit=0") == []
    assert len(d.rows("?state=deferred")) == 3 and d.rows("?state=active") == []
    assert len(d.rows("?destination=%3DLATER")) == 3 and d.rows("?destination=dest.test") == []
    listed = [json.loads(x) for x in d.cli("queue", "ls", "--json").splitlines()]
    assert [x["queue_id"] for x in listed] == [r["queue_id"] for r in rows]
    out = d.cli("queue", "ls", "--state", "deferred", "--destination", "=later", "-n", "2")
    assert rows[0]["queue_id"] in out and out.endswith("2 messages\n") and "\033" not in out
    curled = d.curl("http://x/v1/queue?limit=1")
    assert curled is None or json.loads(curled)["message_id"] == ids[0]

    shown = d.json("GET", "/v1/queue/" + rows[0]["queue_id"])
    assert shown == d.json("GET", "/v1/queue/" + ids[0])
    assert shown["sender"] == "a@example.com" and shown["client"] == "local[uid=%d]" % os.getuid()
    assert [r["address"] for r in shown["recipients"]] == ["a0@dest.test", "b@other.test"]
    for r in shown["recipients"]:
        assert r["state"] == "deferred" and "greylisted" in r["delay_reason"]
    assert json.loads(d.cli("queue", "show", ids[0], "--json")) == shown
    out = d.cli("queue", "show", rows[0]["queue_id"].lower())
    assert "a0@dest.test" in out and "greylisted" in out

    def tries(i, n):
        wait_for("a retry", lambda: (r := d.row(ids[i]))["attempts"] == n and r["next_attempt"])

    assert d.cli("queue", "retry", rows[0]["queue_id"]) == "1 message will be tried now.\n"
    tries(0, 2)
    assert json.loads(d.cli("queue", "retry", "--all", "--json")) == {"retried": 3}
    tries(0, 3), tries(1, 2), tries(2, 2)
    assert d.json("POST", "/v1/queue/retry?destination=%3Dlater") == {"retried": 3}
    tries(0, 4), tries(1, 3), tries(2, 3)
    assert d.json("POST", "/v1/queue/retry?destination=nowhere") == {"retried": 0}
    assert d.json("POST", "/v1/queue/%s/retry" % ids[1]) == {"retried": 1}
    tries(1, 4)
    for which in ((ids[0],), ("--all",), ("--destination", "=later")):
        out = d.cli("queue", "retry", "--dry-run", *which)
        assert rows[0]["queue_id"] in out and "deferred" in out, out
        out = d.cli("queue", "retry", "--dry-run", "--json", *which)
        assert json.loads(out.splitlines()[0])["message_id"] == ids[0]
    assert "from <a@example.com>" in d.cli("queue", "drop", "--dry-run", *ids)
    assert [r["attempts"] for r in d.rows()] == [4, 4, 3]
    d.cli("queue", "retry", want=64)
    d.cli("queue", "retry", "--all", "--destination", "x", want=64)
    assert "no message" in d.cli("queue", "retry", "00000000FF", want=65)

    assert "--yes" in d.cli("queue", "drop", ids[0], want=64)
    assert len(d.rows()) == 3
    assert d.cli("queue", "drop", "--yes", rows[0]["queue_id"]) == "1 message dropped.\n"
    r = subprocess.run([POSTRIDER, "-s", d.sock, "queue", "drop", "-y", ids[0], ids[1]],
                       capture_output=True)
    assert r.returncode == 65 and r.stdout == b"1 message dropped.\n", r
    assert d.json("DELETE", "/v1/queue/" + ids[2]) == {"dropped": 1}
    assert d.rows() == [] and d.cli("queue", "ls") == "The queue is empty.\n"
    d.json("GET", "/v1/queue/" + ids[2], want=404)
    d.json("GET", "/v1/queue/" + ids[2] + "/message", want=404)
    d.json("DELETE", "/v1/queue/" + ids[2], want=404)
    d.json("POST", "/v1/queue/" + ids[2] + "/retry", want=404)
    d.json("GET", "/v1/queue/" + "A" * 500, want=404)


def test_active(d):
    mid = d.submit("jo@hole.test&to=b@dest.test")
    d.hole.accept()
    shown = d.json("GET", "/v1/queue/" + mid)
    assert shown["queue_name"] == "active"
    assert d.json("DELETE", "/v1/queue/" + mid, want=409)["error"]["code"] == "Conflict"
    assert "under way" in d.cli("queue", "drop", "--yes", mid, want=75)
    d.hole.open[0].close()
    wait_for("the end of the attempt", lambda: d.http("DELETE", "/v1/queue/" + mid)[0] == 200)


def test_terminal(d):
    """Questions are asked on a terminal only, and there are colours."""
    for answer, status, left in ((b"n\n", 75, 1), (b"y\n", 0, 0)):
        if left == 1:
            mid = d.submit()
            d.deferred(mid)
        master, slave = pty.openpty()
        p = subprocess.Popen([POSTRIDER, "-s", d.sock, "queue", "drop", mid], stdin=slave,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.close(slave)
        os.write(master, answer)
        out = p.communicate(timeout=PATIENCE)[0]
        os.close(master)
        assert p.returncode == status and b"from <a@example.com> to 1 recipients" in out, out
        assert len(d.rows()) == left
    d.deferred(d.submit())
    for no_color in ("", "1"):
        master, slave = pty.openpty()
        p = subprocess.Popen([POSTRIDER, "-s", d.sock, "queue", "ls"], stdout=slave,
                             env={**os.environ, "NO_COLOR": no_color, "TERM": "xterm"})
        os.close(slave)
        out = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(master, 65536):
                out += chunk
        os.close(master)
        assert p.wait(PATIENCE) == 0
        assert (b"\033[" in out) == (no_color == ""), out
    d.empty()


WRONG = [
    ("GET", "/", None, 404, "NotFound"),
    ("GET", "/v1/nothing", None, 404, "NotFound"),
    ("GET", "/v1/ping/", None, 404, "NotFound"),
    ("GET", "/v1/queue/x/y/z", None, 404, "NotFound"),
    ("GET", "/v1/queue/1", None, 404, "NotFound"),
    ("POST", "/v1/ping", None, 405, "MethodNotAllowed"),
    ("PUT", "/v1/queue/1", b"x", 405, "MethodNotAllowed"),
    ("PATCH", "/v1/queue", None, 405, "MethodNotAllowed"),
    ("OPTIONS", "/v1/queue", None, 405, "MethodNotAllowed"),
    ("FROBNICATE", "/v1/queue", None, 405, "MethodNotAllowed"),
    ("GET", "/v1/queue?limit=-1", None, 400, "BadRequest"),
    ("GET", "/v1/queue?limit=x", None, 400, "BadRequest"),
    ("GET", "/v1/queue?state=hold", None, 400, "BadRequest"),
    ("GET", "/v1/queue?nonsense", None, 400, "BadRequest"),
    ("GET", "/v1/queue?=x", None, 400, "BadRequest"),
    ("GET", "/v1/queue?destination=a%00b", None, 400, "BadRequest"),
    ("POST", "/v1/queue/retry?stie=x", None, 400, "BadRequest"),
    ("POST", "/v1/queue/retry?destination=", None, 400, "BadRequest"),
    ("GET", "/v1/ping?a=b", None, 400, "BadRequest"),
    ("POST", "/v1/messages", b"x", 400, "BadRequest"),
    ("POST", "/v1/messages?account=nobody&to=a@b.c", b"x", 400, "BadRequest"),
    ("POST", "/v1/messages?account=web&from=a@example.com", b"From: a@example.com\r\n\r\n", 400,
     "BadRequest"),
    ("POST", "/v1/messages?account=web&to=a@b.c", b"", 400, "BadRequest"),
    ("POST", "/v1/messages?account=web&to=nonsense&from=a@example.com", b"x", 400, "BadRequest"),
    ("POST", "/v1/messages?account=web&to=a@b.c%3E%20NOTIFY=NEVER%20%3Cx&from=a@example.com", b"x",
     400, "BadRequest"),
    ("POST", "/v1/messages?account=web&from=a@example.com%3E%20SIZE=1&to=a@b.c", b"x", 400,
     "BadRequest"),
    ("POST", "/v1/messages?account=web&from=a@example.com&to=a@b.c", b"no header\r\n", 400,
     "MessageRejected"),
    ("POST", "/v1/messages?account=web&from=a@example.com&to=a@b.c",
     b"From: a@example.com\r\n\r\nbare\nLF\r\n", 400, "MessageRejected"),
    ("POST", "/v1/messages?account=web&from=a@example.com&to=a@b.c",
     b"From: a@example.com\r\n\r\nbare\rCR\r\n", 400, "MessageRejected"),
    ("POST", "/v1/messages?account=web&from=a@example.com&to=a@b.c",
     b"From: a@example.com\r\n\r\n\0\r\n", 400, "MessageRejected"),
    ("POST", "/v1/messages?account=web&from=a@example.com&to=a@b.c",
     b"From: a@example.com\r\n\r\n" + b"x" * 999 + b"\r\n", 400, "MessageRejected"),
    ("POST", "/v1/messages?account=web&from=a@example.com&to=a@b.c",
     b"Subject: x\r\n\r\nx\r\n", 400, "MessageRejected"),
    ("POST", "/v1/messages?account=web&from=a@foreign.test&to=a@b.c",
     b"From: a@example.com\r\n\r\nx\r\n", 403, "MessageRejected"),
]


def test_wrong_input(d):
    for method, target, body, status, code in WRONG:
        got, headers, text = d.http(method, target, body)
        assert got == status, (method, target, got, text)
        assert headers["Content-Type"] == "application/json"
        error = json.loads(text)["error"]
        assert error["code"] == code and error["message"] != "", (method, target, error)
        if status == 405:
            assert "GET" in headers["Allow"], headers
        if code == "MessageRejected":
            assert error["smtp_code"] == 554, error
        shown = d.curl("-X", method, "http://x" + target) if body is None else None
        assert shown is None or shown == text, (shown, text)
    assert d.http("HEAD", "/v1/ping")[0] == 405
    # Not even HTTP, or hardly.
    for raw in (b"\r\n\r\n", b"\0" * 100 + b"\r\n", b"EHLO x\r\n", b"GET\r\n\r\n",
                b"GET /v1/ping HTTP/9.9\r\n\r\n", b"GET /v1/ping HTTP/1.1\r\nbroken\r\n\r\n",
                b"POST /v1/messages HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                b"POST /v1/messages HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                b"POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
                b"CONNECT localhost:25 HTTP/1.1\r\n\r\n", b"GET http://[ HTTP/1.1\r\n\r\n",
                b"GET //v1 HTTP/1.1\r\nHost: [\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.sock)
            with contextlib.suppress(OSError):
                s.sendall(raw)
                s.shutdown(socket.SHUT_WR)
                s.settimeout(PATIENCE)
                while s.recv(65536):
                    pass
    # HTTP/1.0, and two requests at once on a connection.
    for raw, count in ((b"GET /v1/queue HTTP/1.0\r\n\r\n", 1),
                       (b"GET /v1/ping HTTP/1.0\r\n\r\n", 1),
                       (b"GET /v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"
                        b"GET /v1/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 2)):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(d.sock)
            s.sendall(raw)
            got = b""
            while chunk := s.recv(65536):
                got += chunk
            assert got.count(b"200 OK") == count, got
    assert d.cli("ping") != ""


def as_other(groups=None):
    return ["setpriv", "--reuid", str(OTHER_UID), "--regid", str(OTHER_UID),
            *(["--clear-groups"] if groups is None else ["--groups", groups])]


def may_test_other_users():
    return os.getuid() == 0 and shutil.which("setpriv") is not None and subprocess.run(
        [*as_other(), POSTRIDER, "-V"], capture_output=True).returncode == 0


def test_other_users(d):
    """This daemon's socket is open to all; what they may do with it is another matter."""
    if not may_test_other_users():
        print("   skipped: needs root, setpriv and a build that others may read")
        return
    mid = d.submit()
    row = d.deferred(mid)
    other = as_other()
    assert json.loads(d.cli("ping", "--json", prefix=other))["status"] == "ok"
    assert row["queue_id"] in d.cli("queue", "ls", prefix=other)
    assert "jo@dest.test" in d.cli("queue", "show", mid, prefix=other)
    d.cli("status", prefix=other), d.cli("config", "show", prefix=other)
    for command in (("queue", "retry", mid), ("queue", "retry", "--all"), ("reload",),
                    ("queue", "drop", "--yes", mid), ("queue", "show", "--content", mid),
                    ("send", "--account", "web", "--to", "a@b.c")):
        assert "Only root" in d.cli(*command, prefix=other, want=77)
    assert len(d.rows()) == 1
    # The socket's group is the daemon's. Its members may, also when it is not their first one.
    member = as_other(str(os.stat(d.sock).st_gid))
    assert d.cli("queue", "retry", mid, prefix=member) != ""
    wait_for("the retry", lambda: d.row(mid)["attempts"] == 2 and d.row(mid)["next_attempt"])
    assert d.cli("queue", "drop", "--yes", mid, prefix=member) != ""
    assert re.search(r"control\[\d+\]: DELETE /v1/queue/%s: uid=%d, pid=\d+, status=200"
                     % (mid, OTHER_UID), d.log())


def test_closed_door(d):
    """With the usual mode others do not even get in."""
    assert os.stat(d.sock).st_mode & 0o777 == 0o660
    if may_test_other_users():
        assert "may not use" in d.cli("ping", prefix=as_other(), want=77)


def test_listing_while_messages_vanish(d):
    count = 1500
    c = d.connect()
    for i in range(count):
        c.request("POST", "/v1/messages?account=web&to=a%d@dest.test" % i,
                  b"From: a@example.com\r\n\r\nx\r\n")
        r = c.getresponse()
        assert r.status == 200, r.read()
        r.read()
    wait_for("deferral", lambda: d.json("GET", "/v1/status")["queue"]["deferred"] == count)
    every = [r["queue_id"] for r in d.rows()]
    assert len(every) == count
    # A reader that stands still after the first bytes.
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)
        s.connect(d.sock)
        s.sendall(b"GET /v1/queue HTTP/1.0\r\n\r\n")
        got = s.recv(4096)
        gone = set(random.sample(every, count // 2))
        for qid in gone:
            c.request("DELETE", "/v1/queue/" + qid)
            r = c.getresponse()
            assert r.status == 200, r.read()
            r.read()
        new = d.submit()
        while chunk := s.recv(65536):
            got += chunk
    lines = got.split(b"\r\n\r\n", 1)[1].splitlines()
    seen = [json.loads(line) for line in lines]
    ids = [r["queue_id"] for r in seen]
    assert len(ids) == len(set(ids)) < count
    assert set(every) - gone <= set(ids) <= set(every) | {r["queue_id"] for r in d.rows()}
    assert any(r["message_id"] == new for r in d.rows())
    # Filters that pass nothing, and peers that go away in the middle.
    assert d.rows("?destination=nowhere") == []
    for take in (1, 100, 100000):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.sock)
            s.sendall(b"GET /v1/queue HTTP/1.1\r\nHost: x\r\n\r\n")
            assert s.recv(take) != b""
    p = subprocess.Popen([POSTRIDER, "-s", d.sock, "queue", "ls"], stdout=subprocess.PIPE)
    p.stdout.readline()
    p.stdout.close()
    p.wait(PATIENCE)
    assert d.json("POST", "/v1/queue/retry")["retried"] == len(d.rows())
    c.close()


def test_peers_that_go(d):
    mid = d.submit()
    body = b"From: a@example.com\r\n\r\nx\r\n"
    large = b"From: a@example.com\r\n\r\n" + (b"y" * 70 + b"\r\n") * 2000
    requests = [b"GET /v1/queue/%s HTTP/1.1\r\nHost: x\r\n\r\n" % mid.encode(),
                b"GET /v1/queue/%s/message HTTP/1.1\r\nHost: x\r\n\r\n" % mid.encode(),
                b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
                b"POST /v1/queue/retry HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
                b"GET /v1/queue HTTP/1.1\r\nHost: x\r\n\r\n"]
    for text in (body, large):
        requests.append(b"POST /v1/messages?account=web&to=gone@dest.test HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(text) + text)
    before = d.json("GET", "/v1/status")["events"]["Send"]
    for _ in range(20):
        for request in requests:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(d.sock)
                s.sendall(request)
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(d.sock)
                s.sendall(request[: len(request) // 2])
    # Whoever has sent a whole message has sent it.
    wait_for("the messages", lambda: d.json("GET", "/v1/status")["events"]["Send"] == before + 40)
    d.cli("ping")
    wait_for("deferral", lambda: all(r["queue_name"] == "deferred" for r in d.rows()))
    d.empty()


def test_full_house(d):
    def descriptors():
        return len(os.listdir("/proc/%d/fd" % d.process.pid))

    guests = []
    for _ in range(CONNECTIONS_MAX):
        c = d.connect()
        c.request("GET", "/v1/ping")
        assert c.getresponse().read()
        guests.append(c)
    late = socket.socket(socket.AF_UNIX)
    late.connect(d.sock)
    late.sendall(b"GET /v1/ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert select.select([late], [], [], 0.3)[0] == []
    guests[0].request("GET", "/v1/ping")  # those inside are served
    assert guests[0].getresponse().read()
    guests[1].close()
    late.settimeout(PATIENCE)
    assert b"200 OK" in late.recv(65536)
    late.close()
    for c in guests:
        c.close()
    for _ in range(3 * CONNECTIONS_MAX):  # and everybody who left makes room
        d.json("GET", "/v1/ping")
    wait_for("the guests to leave", lambda: descriptors() < CONNECTIONS_MAX)


def test_reload(d):
    d.cli("reload")
    assert json.loads(d.cli("reload", "--json")) == {"status": "reloaded", "restart_needed": []}
    good = open(d.conf).read()
    d.write_conf('smtp_ = 1; dns = { timeout = "0s"; };')
    out = d.cli("reload", want=78)
    assert 'unknown setting "smtp_"' in out and "unchanged" in out and d.conf in out
    error = d.json("POST", "/v1/reload", b"", want=400)["error"]
    assert error["code"] == "InvalidConfiguration" and len(error["errors"]) == 2
    status = d.json("GET", "/v1/status")["reload"]
    assert status["result"] == "failed" and status["errors"] == error["errors"]
    assert "failed" in d.cli("status")
    d.write_conf()
    with open(d.conf, "w") as f:
        f.write(good.replace('"mail.example.test"', '"new.example.test"').replace("8M", "16M"))
    assert "spool.segment: changed" in d.cli("reload")
    assert d.json("GET", "/v1/status")["hostname"] == "new.example.test"
    with open(d.conf, "w") as f:
        f.write(good)
    # Many at once: each gets the result of a reload that began after its request.
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(d.http("POST", "/v1/reload", b"")[0]))
               for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    assert answers == [200] * 10
    assert d.json("GET", "/v1/status")["hostname"] == "mail.example.test"


def test_config_commands(d):
    def run(*args, stdin=b"", env=None):
        return subprocess.run([POSTRIDER, *args], input=stdin, capture_output=True,
                              env={**os.environ, "POSTRIDER_SOCKET": "", **(env or {})})

    r = run("-c", d.conf, "ping")  # the socket's path by the configuration
    assert r.returncode == 0, r
    r = run("ping", env={"POSTRIDER_SOCKET": d.sock})
    assert r.returncode == 0, r
    r = run("-c", d.conf, "config", "check")
    assert r.returncode == 0 and r.stdout.decode() == d.conf + ": no errors\n", r
    r = run("config", "check", "-c", "-", stdin=b"hostnam = 1;\nx = ;\n")
    assert r.returncode == 78 and b"standard input:" in r.stderr and b"error" in r.stderr, r
    r = run("config", "check", "-c", "-", "--json", stdin=b"hostnam = \"x\";\n")
    assert r.returncode == 78 and json.loads(r.stdout)["errors"][0]["line"] == 1, r
    r = run("config", "check", "-c", "/nonexistent/file")
    assert r.returncode == 66, r
    r = run("config", "show", "-c", d.conf)
    assert r.returncode == 0 and b'hostname = "mail.example.test"' in r.stdout, r
    assert SECRET.encode() not in r.stdout
    r = run("config", "show", "--defaults")
    assert r.returncode == 0 and r.stdout.startswith(b"# All settings"), r
    r = run("-c", "/nonexistent/file", "ping")
    assert r.returncode == 78, r
    r = run("-s", "/nonexistent/socket", "ping")
    assert r.returncode == 69 and b"No such file" in r.stderr, r
    r = run("-s", "/nonexistent/socket", "config", "show")
    assert r.returncode == 69, r


def test_credentials(d):
    known = {("--region", "us-east-1"): 4, ("--version", "2"): 2, (): 4}
    path = d.dir + "/secret"
    with open(path, "w") as f:
        f.write(SECRET + "\n")
    for options, version in known.items():
        out = d.cli("credential", "derive", *options, stdin=SECRET.encode() + b"\n")
        assert re.fullmatch(r"[A-Za-z0-9+/]{44}\n", out), out
        assert out[0] == {2: "A", 4: "B"}[version]
        again = json.loads(d.cli("credential", "derive", *options, "--secret-file", path, "--json"))
        assert again["smtp_password"] + "\n" == out and again["version"] == version
    d.cli("credential", "derive", "--version", "3", stdin=b"x", want=64)
    d.cli("credential", "derive", "--version", "2", "--region", "x", stdin=b"x", want=64)
    d.cli("credential", "derive", stdin=b"", want=65)
    d.cli("credential", "derive", stdin=b"x" * 5000, want=65)
    d.cli("credential", "derive", "--secret-file", "/nonexistent", want=66)


def test_help_and_page(d):
    """The manual page has every command and option that the table has."""
    page = open(os.path.join(HERE, "../../../doc/postrider.1")).read()
    everything = d.cli("help")
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", everything, re.M)
    assert len(commands) >= 12
    for command in commands:
        assert "Cm " + command in page, command
        text = d.cli(*command.split(), "--help")
        assert text == d.cli("help", *command.split()) and "usage: postrider " + command in text
        for option in re.findall(r"--([a-z-]+)", text):
            assert "Fl -" + option in page, option
    assert "unknown command" in d.cli("hlep", want=64)
    assert "no command" in d.cli("help", "nothing", want=64)
    assert d.cli("-V").startswith("postrider ")


def test_stop_with_open_requests(d):
    ids = [d.submit("x%d@dest.test" % i) for i in range(800)]
    wait_for("deferral", lambda: d.json("GET", "/v1/status")["queue"]["deferred"] == len(ids))
    d.submit("jo@hole.test")
    d.hole.accept()
    idle = d.connect()
    idle.request("GET", "/v1/ping")
    idle.getresponse().read()
    silent, half, stuck, retry, reload, show = (socket.socket(socket.AF_UNIX) for _ in range(6))
    for s in (silent, half, stuck, retry, reload, show):
        s.connect(d.sock)
    half.sendall(b"POST /v1/messages?account=web&to=a@b.c HTTP/1.1\r\nContent-Length: 9999\r\n\r\nFrom")
    stuck.sendall(b"GET /v1/queue HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stuck.recv(100) != b""
    retry.sendall(b"POST /v1/queue/retry HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    reload.sendall(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    show.sendall(b"GET /v1/queue/%s HTTP/1.1\r\nHost: x\r\n\r\n" % ids[0].encode())
    d.process.send_signal(signal.SIGTERM)
    wait_for("the stop", lambda: "master" in d.log() and ": stopping" in d.log())
    # The attempt at the hole keeps the daemon: it still answers, but changes nothing any more.
    assert d.json("GET", "/v1/ping")["status"] == "ok"
    assert d.json("POST", "/v1/queue/retry", b"", want=503)["error"]["code"] == "ServiceUnavailable"
    assert "stopping" in d.cli("reload", want=75)
    d.hole.close()
    d.stop()
    for s in (silent, half, stuck, retry, reload, show):
        s.close()


def test_socket_file(d):
    d.kill()  # leaves its file behind
    assert os.path.exists(d.sock)
    d.start()
    d.cli("ping")
    # Another daemon does not take it away.
    second = Daemon(socket_path=d.sock)
    try:
        second.start(expect_ready=False)
        assert second.process.wait(PATIENCE) == 75, second.log()
        assert "another process listens" in second.log()
        d.cli("ping")
        # Neither does it remove what is no socket.
        second.sock = second.dir + "/file"
        open(second.sock, "w").close()
        second.write_conf()
        second.start(expect_ready=False)
        assert second.process.wait(PATIENCE) == 78, second.log()
        assert os.path.isfile(second.sock)
        second.sock = second.dir + "/" + "x" * 120
        second.write_conf()
        second.start(expect_ready=False)
        assert second.process.wait(PATIENCE) == 78, second.log()
        # And a daemon without one runs.
        second.sock = ""
        second.write_conf()
        second.start()
        second.stop()
    finally:
        second.remove()
    # A file that somebody put in the place of ours stays.
    os.unlink(d.sock)
    open(d.sock, "w").close()
    d.process.send_signal(signal.SIGTERM)
    assert d.process.wait(PATIENCE) == 0
    assert os.path.isfile(d.sock)
    os.unlink(d.sock)


SHARED = [test_daemon, test_send, test_large, test_queue, test_active, test_terminal,
          test_wrong_input, test_closed_door, test_peers_that_go, test_full_house, test_reload,
          test_config_commands, test_credentials, test_help_and_page,
          test_listing_while_messages_vanish]
OWN = [(test_other_users, {"mode": "0666"}), (test_stop_with_open_requests, {}),
       (test_socket_file, {})]


def run(test, daemon):
    began = time.monotonic()
    try:
        test(daemon)
        print(f"ok   {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        return True
    except Exception:
        traceback.print_exc()
        print(f"FAIL {test.__name__}\n{daemon.log()[-3000:]}", flush=True)
        return False


def main():
    good = True
    only = sys.argv[1:]
    plan = [([t for t in SHARED if not only or t.__name__ in only], {})]
    plan += [([t], options) for t, options in OWN if not only or t.__name__ in only]
    for tests, options in plan:
        if not tests:
            continue
        d = Daemon(**options)
        try:
            d.start()
            for test in tests:
                good &= run(test, d)
            if d.process.poll() is None:
                d.stop()
            assert not re.search("AddressSanitizer|LeakSanitizer|runtime error", d.log()), d.log()
        except Exception:
            traceback.print_exc()
            good = False
        finally:
            d.remove()
    sys.exit(0 if good else 1)


main()
