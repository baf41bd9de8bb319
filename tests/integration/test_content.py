"""What messages may not hold: attachments of forbidden names, viruses."""

import email.mime.application
import email.mime.multipart
import email.mime.text
import os
import socket
import threading
import time

import pytest

from lib.clamd import EICAR
from lib.clients import connect, message_id, submit, swaks, text_mail


@pytest.fixture
def relay(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.config["spool"]["memory_body"] = "64K"
    return daemon


def nothing_is_left(relay):
    """No text of a large message that was refused or dropped."""
    return not [n for n in os.listdir(os.path.join(relay.config["spool"]["directory"], "large")) if n.endswith(".tmp")]


def with_attachment(name, data=b"MZ", **kind):
    mail = email.mime.multipart.MIMEMultipart()
    mail["From"], mail["To"], mail["Subject"] = "jo@example.com", "to@dest.test", "attached"
    mail.attach(email.mime.text.MIMEText("see there\n"))
    part = email.mime.application.MIMEApplication(data, **kind)
    part.add_header("Content-Disposition", "attachment", filename=name)
    mail.attach(part)
    return mail.as_bytes().replace(b"\n", b"\r\n")


def test_attachment_names(relay, sink):
    client = connect(relay.start())
    for name, told in [
        ("setup.exe", "setup.exe"),
        (("utf-8", "", "größe.Vbs"), "gr????e.Vbs"),
    ]:
        code, text = submit(client, with_attachment(name))
        assert code == 554 and text == f"Transaction failed: Illegal filename '{told}'."
    inner = with_attachment("x.scr")
    code, text = submit(client, b"From: jo@example.com\r\nContent-Type: message/rfc822\r\n\r\n" + inner)
    assert (code, text) == (554, "Transaction failed: Illegal filename 'x.scr'.")
    for name in ["report.pdf", "setup.exe.txt"]:
        code, text = submit(client, with_attachment(name))
        assert code == 250, text
    assert len(sink.wait(2)) == 2
    lines = relay.wait_log(r"NOQUEUE: reject: END-OF-MESSAGE from \S+: 554 Transaction failed: Illegal filename", count=3)
    assert len(lines) == 3


def test_attachment_in_a_large_message(relay, sink):
    """The text is in a file then, which a worker reads."""
    client = connect(relay.start())
    big = os.urandom(2 * 1024 * 1024)
    head, last = with_attachment("data.bin", big), with_attachment("data.bat")
    both = head[: head.rindex(b"--==")] + last[last.index(b"--==") :].replace(
        last.split(b'boundary="')[1].split(b'"')[0], head.split(b'boundary="')[1].split(b'"')[0]
    )
    code, text = submit(client, both)
    assert (code, text) == (554, "Transaction failed: Illegal filename 'data.bat'.")
    code, text = submit(client, head)
    assert code == 250, text
    assert len(sink.wait(1)) == 1
    assert nothing_is_left(relay)


def test_own_list_and_none(relay, sink):
    relay.config["content"] = {"blocked_extensions": ["PDF"]}
    client = connect(relay.start())
    assert submit(client, with_attachment("a.pdf"))[0] == 554
    assert submit(client, with_attachment("a.exe"))[0] == 250
    relay.config["content"] = {"blocked_extensions": []}
    relay.reload()
    client = connect(relay)
    assert submit(client, with_attachment("a.pdf"))[0] == 250
    assert len(sink.wait(2)) == 2


def test_swaks(relay, sink):
    relay.start()
    path = os.path.join(relay.folder, "run.cmd")
    with open(path, "w", encoding="ascii") as f:
        f.write("echo\n")
    status, out = swaks(relay.port(), "--attach-name", "run.cmd", "--attach", "@" + path)
    assert status != 0 and "554 Transaction failed: Illegal filename 'run.cmd'." in out


# ---------------------------------------------------------------- clamd


def test_virus(relay, sink, make_clamd):
    """As in SES: 250, no delivery, no report, an event, and it counts."""
    relay.config["content"] = {"clamd": make_clamd().socket}
    relay.config["accounts"][0]["quota_24h"] = 3
    relay.start()
    path = os.path.join(relay.folder, "eicar.txt")
    with open(path, "w", encoding="ascii") as f:
        f.write(EICAR)
    status, out = swaks(relay.port(), "--attach-type", "text/plain", "--attach-name", "eicar.txt", "--attach", "@" + path)
    assert status == 0, out
    found = relay.wait_log(
        r"submission/smtpd\[\d+\]: NOQUEUE: reject: END-OF-MESSAGE from \S+: Bad content \(Eicar-Signature\S*\); "
        r"from=<jo@example.com> account=web proto=ESMTP message-id=<(\S+)> nrcpt=1"
    )
    assert f"250 Ok {found[0]}" in out
    client = connect(relay)
    for n in range(2):
        code, text = submit(client, text_mail(subject=str(n)))
        assert code == 250, text
        message_id(text)
    code, text = submit(client, text_mail())
    assert (code, text) == (454, "Throttling failure: Daily message quota exceeded.")
    assert [m.message()["Subject"] for m in sink.wait(2)] == ["0", "1"]
    time.sleep(0.5)
    assert len(sink.wait(2)) == 2
    relay.stop()
    assert nothing_is_left(relay)


def test_virus_in_a_large_message(relay, sink, make_clamd):
    relay.config["content"] = {"clamd": make_clamd().socket}
    client = connect(relay.start())
    noise = os.urandom(1024 * 1024)
    code, text = submit(client, with_attachment("clean.bin", noise))
    assert code == 250, text
    code, text = submit(client, with_attachment("virus.bin", noise + EICAR.encode()))
    assert code == 250, text
    relay.wait_log(r"Bad content \(Eicar-Signature")
    assert len(sink.wait(1)) == 1
    assert nothing_is_left(relay)


def test_clamd_cannot_be_asked(relay, sink, make_clamd):
    clamd = make_clamd(limit="1M")
    relay.config["content"] = {"clamd": clamd.socket}
    client = connect(relay.start())
    code, text = submit(client, with_attachment("a.bin", os.urandom(3 * 1024 * 1024)))
    assert (code, text) == (451, "Temporary service failure")  # more than it takes
    clamd.stop()
    code, text = submit(client, text_mail())
    assert (code, text) == (451, "Temporary service failure")
    relay.wait_log(r"filter\[\d+\]: warning: clamd: .*: message-id=<\S+> is refused", count=2)
    relay.config["content"]["on_failure"] = "accept"
    relay.reload()
    client = connect(relay)
    code, text = submit(client, text_mail(subject="unchecked"))
    assert code == 250, text
    relay.wait_log(r"filter\[\d+\]: warning: clamd: .*: message-id=<\S+> is accepted unchecked")
    clamd.start()
    code, text = submit(client, text_mail(body=EICAR + "\r\n"))
    assert code == 250, text
    relay.wait_log("Bad content")
    assert [m.message()["Subject"] for m in sink.wait(1)] == ["unchecked"]


class Listener:
    """Takes connections on a Unix socket and does with each what it was made for."""

    def __init__(self, path, serve):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(100)
        self.serve = serve
        self.taken = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.taken.append(connection)
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass

    def close(self):
        self.server.close()
        for connection in self.taken:
            connection.close()


@pytest.fixture
def listen(folder):
    made = []

    def make(serve, name="filter"):
        path = os.path.join(folder, name)
        made.append(Listener(path, serve))
        return path

    yield make
    for listener in made:
        listener.close()


@pytest.mark.parametrize("answer", [b"", b"stream: OK\0", b"x" * 5000, b"stream: FOUND\0", b"\xff\0"])
def test_a_clamd_that_talks_nonsense(relay, sink, listen, answer):
    def serve(connection):
        connection.recv(10)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    relay.config["content"] = {"clamd": listen(serve)}
    client = connect(relay.start())
    code, text = submit(client, with_attachment("a.bin", os.urandom(300 * 1024)))
    assert (code, text) == (451, "Temporary service failure")


def test_a_clamd_that_hangs(relay, sink, listen):
    relay.config["content"] = {"clamd": listen(lambda connection: None), "clamd_timeout": "2s"}
    client = connect(relay.start())
    began = time.monotonic()
    code, text = submit(client, text_mail())
    assert (code, text) == (451, "Temporary service failure")
    assert 1.5 < time.monotonic() - began < 8
    # many at once: more than are asked at the same time
    clients = [connect(relay) for _ in range(70)]
    for c in clients:
        c.mail("jo@example.com")
        c.rcpt("to@dest.test")
        c.putcmd("data")
        assert c.getreply()[0] == 354
        c.send(text_mail() + b".\r\n")
    assert {c.getreply()[0] for c in clients} == {451}


def test_stop_while_clamd_hangs(relay, sink, listen):
    relay.config["content"] = {"clamd": listen(lambda connection: None), "clamd_timeout": "5m", "on_failure": "accept"}
    client = connect(relay.start())
    client.mail("jo@example.com")
    client.rcpt("to@dest.test")
    client.putcmd("data")
    client.getreply()
    client.send(text_mail() + b".\r\n")
    time.sleep(0.3)
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < 36
