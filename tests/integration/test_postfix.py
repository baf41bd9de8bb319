"""Postfix on both sides: it uses postrider as its smarthost, and it is the host that postrider delivers to."""

import email
import email.policy

from lib.clients import connect, submit, text_mail
from lib.daemon import ACCESS_KEY, account, smtp_password
from lib.dkim_judges import assert_signed, public_key_record
from lib.ports import free_port


def smarthost_settings(daemon, folder):
    passwords = f"{folder}/sasl_passwd"
    with open(passwords, "w", encoding="ascii") as f:
        f.write(f"[127.0.0.1]:{daemon.port()} {ACCESS_KEY}:{smtp_password()}\n")
    return {
        "relayhost": f"[127.0.0.1]:{daemon.port()}",
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_password_maps": f"texthash:{passwords}",
        "smtp_sasl_security_options": "noanonymous",
        "smtp_tls_security_level": "encrypt",
        "smtp_tls_loglevel": "1",
    }


def test_postfix_uses_us_as_smarthost(daemon, sink, make_postfix, folder):
    daemon.route_all_to(sink.port)
    daemon.start()
    postfix = make_postfix(free_port(), smarthost_settings(daemon, folder))
    for i in range(20):
        postfix.sendmail(text_mail(subject=str(i)), "jo@example.com", f"r{i}@dest.test")
    mails = sink.wait(20)
    assert {m.recipients[0] for m in mails} == {f"r{i}@dest.test" for i in range(20)}
    postfix.wait_log("status=sent (250 Ok 0100")


def test_refusals_reach_the_user_through_postfix(daemon, sink, make_postfix, folder):
    """554 at the end of data is final for Postfix: its user gets a report with our words."""
    daemon.route_all_to(sink.port)
    daemon.start()
    postfix = make_postfix(free_port(), smarthost_settings(daemon, folder))
    postfix.sendmail(text_mail(sender="x@other.test"), "x@other.test", "r@dest.test")
    postfix.wait_log("status=bounced (host 127.0.0.1[127.0.0.1] said: 554 Message rejected: Email address is not verified")


def test_bounces_through_a_relay_account(daemon, sink, make_postfix, folder):
    """A relay account takes the null sender, so that Postfix's own reports get out."""
    daemon.config["accounts"] = [account(profile="relay")]
    daemon.config["identities"].append({"name": "postfix.test", "account": "web"})
    daemon.route_all_to(sink.port)
    daemon.start()
    postfix = make_postfix(free_port(), smarthost_settings(daemon, folder))
    postfix.sendmail(text_mail(sender="MAILER-DAEMON@postfix.test", Message_ID="<kept@postfix.test>"), "<>", "r@dest.test")
    mail = sink.wait()[0]
    assert mail.sender in ("", "<>", None)
    message = mail.message()
    assert message["Message-ID"] == "<kept@postfix.test>"
    assert any("with ESMTPSA" in value for value in message.get_all("Received"))


def test_delivery_into_postfix(daemon, make_postfix, make_dns, dkim_key, folder):
    """A real MX takes it, and refuses what it refuses."""
    access = f"{folder}/access"
    with open(access, "w", encoding="ascii") as f:
        f.write("bad@dest.test REJECT no such person\n")
    port = free_port()
    ns = make_dns({
        "dest.test": "@ MX 10 mx\nmx A 127.0.0.1",
        "example.com": "@ MX 10 mx.dest.test.\nsel._domainkey TXT " + public_key_record(dkim_key),
    })  # fmt: skip
    postfix = make_postfix(
        port,
        {"smtpd_recipient_restrictions": f"check_recipient_access texthash:{access}, permit_mynetworks, reject"},
        domains=("dest.test", "example.com"),
    )  # fmt: skip
    daemon.config["identities"] = [
        {"name": "example.com", "account": "web", "dkim_selector": "sel", "dkim_key": dkim_key}
    ]
    daemon.config["dns"] = {"servers": [ns.server]}
    daemon.config["delivery"]["port"] = port
    daemon.start()
    client = connect(daemon)
    assert submit(client, text_mail(body="Grüße\r\n.\r\n"), recipients=["good@dest.test", "bad@dest.test"])[0] == 250
    big = text_mail(subject="big") + b"x" * 900 + b"\r\n" + (b"y" * 900 + b"\r\n") * 5000
    assert submit(client, big, recipients=["good@dest.test"])[0] == 250
    client.quit()
    daemon.wait_log(r"to=<good@dest.test>, relay=mx.dest.test\[127.0.0.1\]:\d+, .*dsn=2.0.0, status=sent", count=2)
    daemon.wait_log(r"to=<bad@dest.test>, .*dsn=5.7.1, status=bounced")
    daemon.wait_log(r"to=<jo@example.com>, .*status=sent")
    kept = postfix.wait(3)
    reports = [m for m in kept if b"message/delivery-status" in m]
    assert len(reports) == 1 and b"no such person" in reports[0]
    for content in kept:
        if content in reports:
            continue
        # what Postfix kept, without the fields it wrote in front, with the wire's line ends again
        content = content.replace(b"\n", b"\r\n")
        content = content[content.index(b"DKIM-Signature:"):]
        assert_signed(content, ns, "example.com")
        assert email.message_from_bytes(content, policy=email.policy.default)["From"] == "jo@example.com"
