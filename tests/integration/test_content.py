"""What messages may not hold: attachments of forbidden names."""

import email.mime.application
import email.mime.multipart
import email.mime.text
import os

import pytest

from lib.clients import connect, submit, swaks


@pytest.fixture
def relay(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.config["spool"]["memory_body"] = "64K"
    return daemon


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
    assert not [n for n in os.listdir(relay.config["spool"]["directory"]) if n.startswith("tmp")]


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
