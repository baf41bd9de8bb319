"""An app written for SES submits: independent clients, both kinds of TLS, X-SES headers, and SES's refusals."""

import email
import json
import os
import re
import smtplib
import subprocess
import time

import pytest

from lib.clients import Line, connect, curl, message_id, submit, swaks, text_mail
from lib.daemon import ACCESS_KEY, account, smtp_password
from lib.ports import free_port
from lib.wait import until

HERE = os.path.dirname(__file__)


@pytest.fixture
def relay(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.config["configuration_sets"] = [
        {"name": "web-set", "account": "web"},
        {"name": "off", "account": "web", "sending_enabled": False},
    ]
    return daemon.start()


def test_swaks_starttls_and_implicit(relay, sink):
    for name, tls in (("submission", "-tls"), ("submissions", "--tls-on-connect")):
        status, out = swaks(
            relay.port(name), "--auth", "LOGIN",
            "--header", "X-SES-CONFIGURATION-SET: web-set",
            "--header", "X-SES-MESSAGE-TAGS: campaign=spring, user=42",
            tls=tls,
        )  # fmt: skip
        assert status == 0, out
        assert re.search(r"250 Ok [0-9a-f]{16}-", out), out
    for mail in sink.wait(2):
        names = [name.lower() for name in mail.message().keys()]
        assert not [n for n in names if n.startswith("x-ses-") and n != "x-ses-outgoing"]
    lines = relay.wait_log(r"configuration-set=web-set, tags=campaign=spring;user=42", count=2)
    assert len(lines) == 2
    assert smtp_password() not in relay.log()


def test_smtplib_rewrites(relay, sink):
    client = connect(relay)
    content = text_mail(Message_ID="<mine@client.test>", Date="Mon, 1 Jan 2001 00:00:00 +0000",
                        Bcc="secret@dest.test", Received="from x by y", X_Mailer="m", Cc="c@dest.test")  # fmt: skip
    code, text = submit(client, content)
    assert code == 250
    identifier = message_id(text)
    mail = sink.wait()[0].message()
    assert mail["Message-ID"] == f"<{identifier}@provider.test>"
    assert "2001" not in mail["Date"] and mail["Date"].endswith("+0000")
    assert mail["Bcc"] is None and mail["Received"] is None
    assert mail["X-Mailer"] == "m" and mail["Cc"] == "c@dest.test"
    assert re.fullmatch(r"::1\.us-east-1\.[A-Za-z0-9+/]{43}=:AmazonSES", mail["Feedback-ID"])
    names = [n.lower() for n in mail.keys()]
    assert names.index("message-id") < names.index("date") < names.index("x-mailer"), "in place"
    assert "original-message-id=<mine@client.test>" in relay.log()
    client.quit()


def test_several_messages_and_errors_on_one_connection(relay, sink):
    client = connect(relay)
    assert submit(client, text_mail())[0] == 250
    code, text = submit(client, text_mail(sender="x@other.test"))
    assert (code, text) == (554, "Message rejected: Email address is not verified. The following identities "
                                 "failed the check in region US-EAST-1: x@other.test")  # fmt: skip
    assert submit(client, text_mail())[0] == 250
    assert len(sink.wait(2)) == 2
    client.quit()


def test_curl(relay, sink):
    for name, scheme in (("submission", "smtp"), ("submissions", "smtps")):
        status, trace = curl(relay.port(name), text_mail(subject=scheme), scheme)
        assert status == 0, trace
    assert {m.message()["Subject"] for m in sink.wait(2)} == {"smtp", "smtps"}
    status, trace = curl(relay.port(), text_mail(sender="a@b.test"))
    assert status != 0 and "554 Message rejected" in trace


def test_nodemailer(relay, sink):
    """Plain and pooled, with UTF-8 and an attachment."""
    modules = os.environ.get("POSTRIDER_NODE_MODULES", os.path.join(HERE, "node", "node_modules"))
    if not os.path.isdir(os.path.join(modules, "nodemailer")):
        pytest.fail("nodemailer is not installed: tests/run does it")
    settings = {"port": relay.port(), "securePort": relay.port("submissions"),
                "user": ACCESS_KEY, "pass": smtp_password()}  # fmt: skip
    done = subprocess.run(
        ["node", os.path.join(HERE, "node", "nodemailer.js"), json.dumps(settings)],
        env={**os.environ, "NODE_PATH": modules, "NODE_TLS_REJECT_UNAUTHORIZED": "0", "NODE_NO_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert all(message_id(r.removeprefix("250 ")) for r in result["replies"])
    assert result["refusal"]["responseCode"] == 554
    mails = [email.message_from_bytes(m.content) for m in sink.wait(len(result["replies"]))]
    pooled = [m for m in mails if m["Subject"] == "pooled"]
    assert len(pooled) == 20
    single = next(m for m in mails if m["Subject"] != "pooled")
    parts = {p.get_content_type(): p for p in single.walk()}
    assert parts["text/plain"].get_payload(decode=True).decode().strip() == "Grüße, 世界"
    assert parts["application/octet-stream"].get_payload(decode=True) == bytes(range(256)) * 4


def test_refusals(relay, sink):
    """SES's texts, to the letter, and nothing is delivered or kept of a refused message."""
    client = connect(relay)
    duplicate = b"Subject: a\r\n" + text_mail(subject="b")
    cases = [
        (text_mail(X_SES_CONFIGURATION_SET="nope"),
         "554 Configuration Set does not exist: Configuration set <nope> does not exist."),
        (text_mail(X_SES_CONFIGURATION_SET="off"),
         "554 Message rejected: Sending is paused for configuration set <off>."),
        (duplicate, "554 Transaction failed: Duplicate header 'Subject'."),
        (b"To: a@dest.test\r\n\r\nx\r\n", "554 Transaction failed: Missing required header 'From'."),
        (text_mail(sender="jo"), "554 Transaction failed: Missing final '@domain'"),
        (text_mail(Return_Path=""), "554 Transaction failed: Empty address"),
        (text_mail(sender='"J" <jo@other.test>'),
         "554 Message rejected: Email address is not verified. The following identities failed the check in region "
         'US-EAST-1: "J" <jo@other.test>'),
    ]  # fmt: skip
    for content, expected in cases:
        code, text = submit(client, content)
        assert f"{code} {text}" == expected
    recipients = [f"r{i}@dest.test" for i in range(51)]
    code, text = submit(client, text_mail(), recipients=recipients)
    assert f"{code} {text}" == "554 Transaction failed: Recipient count exceeds 50."
    assert submit(client, text_mail(), recipients=recipients[:50])[0] == 250
    assert sorted(sink.wait()[0].recipients) == sorted(recipients[:50])
    for code, text in (client.docmd("MAIL FROM:<>"), client.docmd("MAIL FROM:<jo>")):
        assert (code, text) == (501, b"Invalid MAIL FROM address provided")
    client.quit()
    assert sink.count() == 1


def test_only_tls_and_auth(relay):
    line = Line(relay.port())
    line.command(b"EHLO a", b"250-mail.example.test\r\n250-8BITMIME\r\n")
    for command in (b"AUTH PLAIN AGEAYg==", b"MAIL FROM:<jo@example.com>", b"RCPT TO:<a@b.c>", b"DATA"):
        line.command(command, b"530 Must issue a STARTTLS command first")
    line.close()
    line = Line(relay.port())
    line.command(b"EHLO a", b"250")
    line.starttls()
    line.command(b"EHLO a", b"250")
    line.command(b"MAIL FROM:<jo@example.com>", b"530 Authentication required")
    line.close()
    assert swaks(relay.port(), "--auth-password", "wrong")[0] != 0
    relay.wait_log(r"warning: \S+: SASL \w+ authentication failed")


def test_40_megabytes(relay, sink):
    client = connect(relay, timeout_s=300)
    limit = 40 * 1024 * 1024
    line = b"x" * 74 + b"\r\n"
    head = text_mail(body="")
    lines = (limit - len(head)) // len(line)
    body = line * lines
    padding = limit - len(head) - len(body)
    content = head + body + (b"y" * (padding - 2) + b"\r\n" if padding >= 2 else b"")
    code, text = submit(client, content)
    assert code == 250, text
    assert sink.wait(timeout_s=300)[0].body == content[len(head):]
    code, text = submit(client, content + line)
    assert (code, text) == (552, "Message is too long.")
    code, text = client.docmd(f"MAIL FROM:<jo@example.com> SIZE={limit + 1}")
    assert (code, text) == (552, b"5.3.4 Message size exceeds fixed limit")
    assert submit(client, text_mail())[0] == 250
    sink.wait(2)
    client.quit()


def test_body_is_not_touched(relay, sink):
    """8-bit text, dots at line starts, long lines, trailing blanks and blank lines arrive as they were sent."""
    client = connect(relay)
    bodies = [
        "Grüße, 世界\r\n",
        ".\r\n..\r\n...a\r\n.b\r\n\r\n.\r\n",
        "x" * 998 + "\r\n",
        "a \t \r\n\r\n\r\n\r\n",
        "\r\n",
        "",
    ]
    for i, body in enumerate(bodies):
        code, text = submit(client, text_mail(subject=str(i), body=body))
        assert code == 250, text
    got = {m.message()["Subject"]: m.body for m in sink.wait(len(bodies))}
    for i, body in enumerate(bodies):
        assert got[str(i)] == body.encode(), i
    client.quit()


def test_ipv6_and_shared_port(daemon, sink):
    """One port on IPv4 and on IPv6."""
    port = free_port()
    daemon.config["listeners"] = [{"name": "submission", "addresses": ["127.0.0.1", "::1"], "port": port}]
    daemon.route_all_to(sink.port)
    daemon.start()
    for host in ("127.0.0.1", "::1"):
        line = Line(port, host=host)
        line.command(b"EHLO a", b"250-mail.example.test")
        line.close()


def test_empty_configuration_runs(daemon):
    """Nothing configured: loopback listeners, a self-made certificate, nobody may log in, nothing is relayed."""
    ports = [free_port(), free_port()]
    daemon.config = {
        "state_directory": os.path.join(daemon.folder, "state"),
        "spool": {"directory": os.path.join(daemon.folder, "spool"), "reserve": "0"},
        "control": {"socket": ""},
        "log": {"sink": "stderr"},
        "listeners": [{"name": "submission", "port": ports[0]}],
    }
    daemon.start()
    client = connect(daemon, login=False)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(ACCESS_KEY, smtp_password())
    assert client.docmd("MAIL FROM:<jo@example.com>")[0] == 530


def test_configuration_check(daemon):
    """-t: every error at once, with file, line and the nearest known name; exit status 78, and no file is made."""
    with open(daemon.path, "w", encoding="ascii") as f:
        f.write('hostnam = "a.test";\nsmtp = {\n  max_recipients = 5000;\n  idle = "10";\n};\n')
    done = subprocess.run([daemon.program, "-t", "-c", daemon.path], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert f"{daemon.path}:1" in done.stderr and '"hostname"' in done.stderr
    assert f"{daemon.path}:3" in done.stderr and f"{daemon.path}:4" in done.stderr
    state = os.path.join(daemon.folder, "made")
    with open(daemon.path, "w", encoding="ascii") as f:
        f.write(f'state_directory = "{state}";\n')
    done = subprocess.run([daemon.program, "-t", "-c", daemon.path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(state)


def test_sandbox(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.config["accounts"] = [account(production=False)]
    daemon.start()
    client = connect(daemon)
    code, text = submit(client, text_mail())
    assert code == 554 and text.endswith("US-EAST-1: to@dest.test")
    assert submit(client, text_mail(to="a@example.com"), recipients=["a@example.com"])[0] == 250
    sink.wait()
    client.quit()


def test_idle_client_is_let_go(daemon):
    daemon.config["smtp"] = {"idle": "1s"}
    daemon.start()
    line = Line(daemon.port())
    line.expect(b"451 4.4.2 Timeout waiting for data from client.\r\n")
    assert line.at_end()


def test_guessing_passwords_costs_time(relay):
    start = time.monotonic()
    line = Line(relay.port())
    line.command(b"EHLO a", b"250")
    line.starttls()
    line.command(b"EHLO a", b"250")
    for _ in range(3):
        line.command(b"AUTH PLAIN AGEAYg==", b"535 Authentication Credentials Invalid\r\n")
    line.expect(b"421 ")
    assert line.at_end()
    assert time.monotonic() - start > 3
    client = connect(relay)  # others are not delayed
    client.quit()
    until(relay.alive, 1, lambda: "")


def test_wrong_password_smtplib(relay):
    client = connect(relay, login=False)
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        client.login(ACCESS_KEY, "B" + "A" * 43)
    assert caught.value.smtp_code == 535
    client.login(ACCESS_KEY, smtp_password())
    client.quit()
