"""From the queue to remote hosts: a real name server decides where to, independent servers answer, judges verify."""

import email
import email.policy
import json
import os
import re
import subprocess

import pytest

from lib.clients import connect, message_id, submit, text_mail
from lib.daemon import BUILD
from lib.dkim_judges import assert_signed, public_key_record
from lib.wait import until


def deliver_by_mx(daemon, nameserver, port, **delivery):
    daemon.config["dns"] = {"servers": [nameserver.server]}
    daemon.config["delivery"].update(port=port, **delivery)
    return daemon.start()


def send(daemon, *recipients, **fields):
    client = connect(daemon)
    code, text = submit(client, text_mail(**fields), recipients=recipients)
    assert code == 250, text
    client.quit()
    return message_id(text)


def command(daemon, *words):
    """What the postrider command prints."""
    socket = daemon.config["control"]["socket"]
    done = subprocess.run(
        [os.path.join(BUILD, "src/cli/postrider"), "--socket", socket, *words], capture_output=True, timeout=60, check=True
    )
    return done.stdout.decode()


def final_line(daemon, recipient, status):
    """The log line that says what became of a recipient."""
    return daemon.wait_log(rf"to=<{re.escape(recipient)}>, [^\n]*status={status}[^\n]*")[-1]


def test_mx_preference_and_fallback(daemon, make_dns, make_sink):
    """The best MX is used; when it does not answer, the next one is."""
    ns = make_dns({
        "a.test": "@ MX 10 one\n@ MX 20 two\none A 127.0.0.11\ntwo A 127.0.0.12",
        "dead.test": "@ MX 10 gone\n@ MX 20 two.a.test.\ngone A 127.0.0.13",
        "plain.test": "@ A 127.0.0.12",
        "alias.test": "@ MX 10 www\nwww CNAME one.a.test.",
        "missing.test": "@ MX 10 nowhere\n@ MX 20 one.a.test.",
    })  # fmt: skip
    one = make_sink(host="127.0.0.11")
    two = make_sink(host="127.0.0.12", port=one.port)
    deliver_by_mx(daemon, ns, one.port)
    send(daemon, "x@a.test", "x@dead.test", "x@plain.test", "x@alias.test", "x@missing.test")
    got_one = {r for m in one.wait(3) for r in m.recipients}
    got_two = {r for m in two.wait(2) for r in m.recipients}
    assert got_one == {"x@a.test", "x@alias.test", "x@missing.test"}
    assert got_two == {"x@dead.test", "x@plain.test"}
    daemon.wait_log(r"qmgr\[\d+\]: \w+: removed")
    assert "relay=one.a.test[127.0.0.11]:" in final_line(daemon, "x@a.test", "sent")


def test_destinations_that_cannot_be(daemon, make_dns, sink):
    """No such domain, null MX, MX without addresses: at once a report to the sender, in RFC 3464 form."""
    ns = make_dns({
        "null.test": "@ MX 0 .",
        "empty.test": "@ MX 10 nothing",
        "example.com": f"@ MX 10 sink\nsink A {sink.host}",
    })  # fmt: skip
    deliver_by_mx(daemon, ns, sink.port)
    sent = {}
    for domain, dsn in (("null.test", "5.1.10"), ("empty.test", "5.4.4"), ("gone.null.test", "5.1.2")):
        sent[send(daemon, f"x@{domain}")] = (domain, dsn)
    for mail in sink.wait(3):
        assert mail.sender in ("", None, "<>") and mail.recipients == ["jo@example.com"]
        report = email.message_from_bytes(mail.content, policy=email.policy.default)
        assert report.get_content_type() == "multipart/report"
        assert report["Auto-Submitted"] in ("auto-replied", "auto-generated")
        status = next(p for p in report.walk() if p.get_content_type() == "message/delivery-status")
        per_message, per_recipient = status.get_payload()
        original = next(p for p in report.walk() if p.get_content_type() in ("message/rfc822", "text/rfc822-headers"))
        inner = original.get_payload()
        inner = inner[0] if isinstance(inner, list) else email.message_from_string(inner)
        identifier = inner["Message-ID"].strip("<>").split("@")[0]
        domain, dsn = sent.pop(identifier)
        assert per_message["Reporting-MTA"] == "dns; mail.example.test" or "mail.example.test" in per_message["Reporting-MTA"]
        assert per_recipient["Final-Recipient"].replace(" ", "").lower() == f"rfc822;x@{domain}"
        assert per_recipient["Action"] == "failed" and per_recipient["Status"] == dsn
        assert f"dsn={dsn}" in final_line(daemon, f"x@{domain}", "bounced")
    assert not sent


def test_outcome_of_each_recipient(daemon, sink):
    """One transaction, three fates: delivered, refused for good, tried again until it is taken."""
    sink.rcpt = {
        "bad@dest.test": ["550 5.1.1 no such user"],
        "later@dest.test": ["451 4.3.0 try later", "452 4.2.2 still full"],
    }
    daemon.route_all_to(sink.port)
    daemon.start()
    send(daemon, "good@dest.test", "bad@dest.test", "later@dest.test")
    recipients = sorted(tuple(m.recipients) for m in sink.wait(3))
    assert recipients == [("good@dest.test",), ("jo@example.com",), ("later@dest.test",)]
    assert "dsn=2.0.0" in final_line(daemon, "good@dest.test", "sent")
    assert "dsn=5.1.1" in final_line(daemon, "bad@dest.test", "bounced")
    final_line(daemon, "later@dest.test", "sent")
    assert len(re.findall(r"to=<later@dest.test>, .*status=deferred", daemon.log())) == 2
    daemon.wait_log(": removed", count=2)
    report = next(m for m in sink.wait(3) if m.recipients == ["jo@example.com"])
    assert b"5.1.1 no such user" in report.content and b"good@dest.test" not in report.content.split(b"message/delivery-status")[1].split(b"--")[0]


def test_a_hundred_recipients(daemon, sink):
    """More than one item holds: of those at one smarthost and at another some are refused, some wait over a restart, and
    each gets the message once."""
    other = [f"o{i}@other.test" for i in range(30)]
    people = [f"p{i}@dest.test" for i in range(70)]
    sink.rcpt = {a: ["550 5.1.1 no such user"] for a in people[::7]}
    later = people[3::7] + other[::5]
    sink.rcpt.update({a: ["451 4.3.0 try later"] * 2 for a in later})
    daemon.route_all_to(sink.port)
    daemon.config["routes"].insert(0, {**daemon.config["routes"][0], "name": "other", "destination": "other.test"})
    daemon.config["smtp"] = {"max_recipients": 100}
    daemon.start()
    send(daemon, *[a for pair in zip(people[:30], other) for a in pair], *people[30:])
    until(lambda: daemon.log().count("status=deferred") >= len(later), 60, lambda: daemon.log()[-3000:])
    daemon.stop()
    daemon.start()
    wanted = sorted(set(people) - set(people[::7]) | set(other))

    def delivered():
        return sorted(r for m in list(sink.mails) for r in m.recipients if r != "jo@example.com")

    until(lambda: len(delivered()) >= len(wanted), 60, lambda: str(delivered()))
    assert delivered() == wanted
    until(lambda: daemon.log().count("status=bounced") == len(people[::7]), 60, lambda: daemon.log()[-3000:])


def test_expiry_is_reported(daemon, sink):
    """A message that nobody takes comes back when its time is over, with the last cause."""
    sink.rcpt = {"x@dest.test": ["451 4.7.1 greylisted"] * 1000}
    daemon.route_all_to(sink.port)
    daemon.config["configuration_sets"] = [{"name": "short", "account": "web", "max_delivery": "3s"}]
    daemon.start()
    send(daemon, "x@dest.test", X_SES_CONFIGURATION_SET="short")
    report = sink.wait()[0]
    assert report.recipients == ["jo@example.com"]
    assert b"Message expired" in report.content and b"greylisted" in report.content
    assert b"in 3 seconds.<451 4.7.1 greylisted>" in report.content.replace(b"\r\n ", b" ")
    line = final_line(daemon, "x@dest.test", "bounced")
    assert "dsn=4.4.7" in line and "class=custom-timeout, bounce-type=Transient/CustomTimeoutExceeded" in line
    assert "class=greylisted, delay-type=General" in final_line(daemon, "x@dest.test", "deferred")


def test_classes_of_failures(daemon, sink):
    """What hosts say is told apart by its words, logged and counted; the report has what they said and nothing else."""
    later = {
        "many": ("552 Requested action aborted: too many recipients", "4.5.3", "recipient-limit", "General"),
        # Ends the session, and with it what comes behind.
        "yahoo": ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to complaints", "4.7.0", "rate-limited", "IPFailure"),
    }  # fmt: skip
    never = {
        "gone": ("550 No such user here", "5.1.1", "mailbox-unknown", "Permanent/NoEmail"),
        "full": ("552 5.2.2 The mailbox is over quota", "5.2.2", "mailbox-full", "Transient/MailboxFull"),
        "ip": ("550 5.7.606 Access denied, banned sending IP [192.0.2.1].", "5.7.606", "reputation", "Transient/General"),
        "odd": ("550 <spamhaus@dest.test> because", "5.0.0", "other", "Permanent/General"),
    }
    sink.rcpt = {f"{name}@dest.test": [row[0]] for name, row in {**never, **later}.items()}
    daemon.route_all_to(sink.port)
    daemon.start()
    send(daemon, *sink.rcpt)
    for name, (_, dsn, word, kind) in {**never, **later}.items():
        bounced = name in never
        line = final_line(daemon, f"{name}@dest.test", "bounced" if bounced else "deferred")
        assert f"dsn={dsn}, " in line
        assert line.endswith(f"class={word}, {'bounce-type' if bounced else 'delay-type'}={kind}"), line
    report = next(m for m in sink.wait(2) if m.recipients == ["jo@example.com"])
    assert sorted(next(m for m in sink.mails if m is not report).recipients) == ["many@dest.test", "yahoo@dest.test"]
    said = {}
    for part in email.message_from_bytes(report.content, policy=email.policy.default).walk():
        if "Final-Recipient" in part:
            name = re.search(r"(\w+)@", part["Final-Recipient"]).group(1)
            said[name] = (re.sub(r"\s+", " ", part["Diagnostic-Code"]), part["Status"])
    assert said == {name: ("smtp; " + row[0], row[1]) for name, row in never.items()}
    counted = json.loads(command(daemon, "status", "--json"))["failures"]
    assert counted == {
        row[2]: {"Bounce": int(name in never), "DeliveryDelay": int(name in later)}
        for name, row in {**never, **later}.items()
    }
    assert re.search(r"failures .*mailbox-full 1 bounced, 0 delayed\n", command(daemon, "status"), re.S)
    # Only the one that does not exist is not sent to any more.
    assert [line.split()[0] for line in command(daemon, "suppress", "ls", "web").splitlines() if "@" in line] == ["gone@dest.test"]


def test_smarthost_with_tls_and_auth(daemon, make_sink, certificate):
    sink = make_sink(certificate=certificate, login=("relayuser", "relaypass"))
    daemon.route_all_to(sink.port, host="localhost", tls="verify", username="relayuser", password="relaypass")
    daemon.config["delivery"]["ca_file"] = certificate
    daemon.start()
    send(daemon, "x@dest.test")
    mail = sink.wait()[0]
    assert mail.tls and mail.helo == "mail.example.test"
    assert "tls=TLSv1.3" in final_line(daemon, "x@dest.test", "sent")
    assert "relaypass" not in daemon.log()


def test_certificate_that_is_not_trusted(daemon, make_sink, certificate):
    """verify: nothing leaves. opportunistic: encrypted all the same."""
    sink = make_sink(certificate=certificate)
    daemon.route_all_to(sink.port, tls="verify")
    daemon.start()
    send(daemon, "x@dest.test")
    assert "dsn=4.7" in final_line(daemon, "x@dest.test", "deferred")
    assert sink.count() == 0
    daemon.route_all_to(sink.port, tls="opportunistic")
    daemon.reload()
    assert sink.wait()[0].tls


def test_tls_from_the_first_byte(daemon, make_sink, certificate):
    sink = make_sink(certificate=certificate, implicit_tls=True)
    daemon.route_all_to(sink.port, host="localhost", tls="implicit")
    daemon.config["delivery"]["ca_file"] = certificate
    daemon.start()
    send(daemon, "x@dest.test")
    sink.wait()
    final_line(daemon, "x@dest.test", "sent")


def test_connections_are_reused(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.config["delivery"].update(max_connections_per_site=2, messages_per_connection=10, idle="30s")
    daemon.start()
    client = connect(daemon)
    for i in range(40):
        assert submit(client, text_mail(subject=str(i)))[0] == 250
    client.quit()
    sessions = [m.session for m in sink.wait(40)]
    peers = {m.peer for m in sink.wait(40)}
    assert 4 <= len(peers) <= 10, f"{len(peers)} connections"
    assert sessions


def test_dkim_by_two_judges(daemon, make_dns, sink, dkim_key):
    """What arrives verifies: 8-bit, empty, blank lines at the end, long fields, subdomains."""
    ns = make_dns({
        "example.com": "sel._domainkey TXT " + public_key_record(dkim_key),
        "dest.test": f"@ MX 10 mx\nmx A {sink.host}",
    })  # fmt: skip
    daemon.config["identities"] = [
        {"name": "example.com", "account": "web", "dkim_selector": "sel", "dkim_key": dkim_key}
    ]
    deliver_by_mx(daemon, ns, sink.port)
    bodies = ["Hello.\r\n", "", "\r\n\r\n\r\n", "Grüße\r\n\r\n\r\n", ".\r\n..\r\n", "x" * 998 + "\r\n", "a \t\r\n" * 300]
    client = connect(daemon)
    for i, body in enumerate(bodies):
        fields = {"Reply_To": "r@example.com", "References": "\r\n ".join(f"<{k}@example.com>" for k in range(200)),
                  "MIME_Version": "1.0", "Content_Type": 'text/plain; charset="utf-8"',
                  "Content_Transfer_Encoding": "8bit"}  # fmt: skip
        code, text = submit(client, text_mail(subject=f"n{i}  x", body=body, sender="Jo <jo@sub.example.com>", **fields),
                            sender="bounce@example.com")  # fmt: skip
        assert code == 250, text
    big = text_mail(body="y" * 76 + "\r\n") + (b"z" * 76 + b"\r\n") * 500000  # 39 MB
    assert submit(client, big)[0] == 250
    client.quit()
    for mail in sink.wait(len(bodies) + 1, timeout_s=180):
        assert_signed(mail.content, ns, "example.com")
        signature = mail.fields("DKIM-Signature")[0].replace("\r\n", "")
        assert "c=relaxed/simple" in signature and "s=sel" in signature and "a=rsa-sha256" in signature
        assert list(mail.message().keys())[0] == "DKIM-Signature"


def test_name_server_that_is_away(daemon, make_dns, sink):
    """A failed lookup is never a permanent error; mail goes out when the server is back."""
    ns = make_dns({"dest.test": f"@ MX 10 mx\nmx A {sink.host}"})
    daemon.config["dns"] = {"servers": [ns.server], "timeout": "1s"}
    daemon.config["delivery"].update(port=sink.port)
    ns.stop()
    daemon.start()
    send(daemon, "x@dest.test")
    assert "dsn=4.4.3" in final_line(daemon, "x@dest.test", "deferred")
    ns.start()
    sink.wait()
    final_line(daemon, "x@dest.test", "sent")


@pytest.mark.parametrize("where", ["greeting", "mail", "rcpt", "data", "dot"])
def test_421_is_tried_again(daemon, where, scripted):
    """A host that says 421 and closes, at each step, is asked again later."""
    server = scripted(where)
    daemon.route_all_to(server.port)
    daemon.start()
    send(daemon, "x@dest.test")
    assert "status=deferred" in final_line(daemon, "x@dest.test", "deferred")
    final_line(daemon, "x@dest.test", "sent")
    assert server.taken == 1
