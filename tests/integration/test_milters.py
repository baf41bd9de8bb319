"""Milters: real ones (opendkim, rspamd), and one that does what no decent one would."""

import base64
import os
import shutil
import socket
import struct
import subprocess
import time

import dkim
import pytest

from lib.clients import connect, message_id, submit, text_mail
from lib.milter import CONTINUE, Milter, options, packet
from lib.ports import free_port
from lib.wait import until


@pytest.fixture
def relay(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.config["spool"]["memory_body"] = "64K"
    return daemon


@pytest.fixture
def make_milter():
    made = []

    def make(*args, **kwargs):
        made.append(Milter(*args, **kwargs))
        return made[-1]

    yield make
    for milter in made:
        milter.close()


def use(relay, *milters, **settings):
    relay.config["content"] = {
        "milters": [
            {"name": f"m{n}", "address": m.address if isinstance(m, Milter) else m, **settings}
            for n, m in enumerate(milters)
        ]
    }
    return connect(relay.start())


def test_what_a_milter_is_told(relay, sink, make_milter):
    milter = make_milter()
    client = use(relay, milter)
    code, text = submit(client, text_mail(Bcc="hidden@dest.test", X_Folded="a\r\n b"), recipients=("a@dest.test", "b@dest.test"))
    assert code == 250, text
    identifier = message_id(text)
    mail = sink.wait()[0]
    session = milter.sessions[0]
    assert session.commands == list("OCHMRRT") + ["L"] * len(session.fields) + list("NBE") + (
        ["Q"] if session.commands[-1] == "Q" else []
    )
    assert session.macros["C"][b"{daemon_name}"] == b"submission"
    assert session.macros["C"][b"{client_addr}"] == b"127.0.0.1"
    assert session.macros["C"][b"{client_name}"] == b"[127.0.0.1]"  # not what it says in EHLO
    assert session.macros["M"][b"{auth_authen}"] and session.macros["M"][b"{auth_type}"] in (b"LOGIN", b"PLAIN")
    assert session.macros["M"][b"i"] == identifier.encode()
    assert session.macros["R"][b"{rcpt_addr}"] == b"b@dest.test"
    names = [name.lower() for name, _ in session.fields]
    assert b"bcc" not in names and b"message-id" in names
    assert (b"X-Folded", b"a\n b") in session.fields
    assert session.body == b"Hello.\r\n"
    assert b"Hello." in mail.content


def test_changes(relay, sink, make_milter, dkim_key):
    """They are in what leaves, and the signature covers them."""
    relay.config["identities"] = [{"name": "example.com", "account": "web", "dkim_selector": "s", "dkim_key": dkim_key}]
    first = make_milter({
        "E": packet(b"h", b"X-Spam\0no\0") + packet(b"i", struct.pack(">I", 0) + b"X-First\0x\0")
        + packet(b"m", struct.pack(">I", 1) + b"Subject\0[x] hello\0") + packet(b"p")
        + packet(b"b", b"new ") + packet(b"b", b"body\r\n") + CONTINUE
    })  # fmt: skip
    second = make_milter()
    client = use(relay, first, second)
    code, text = submit(client, text_mail(subject="hello"))
    assert code == 250, text
    mail = sink.wait()[0]
    assert mail.message()["Subject"] == "[x] hello" and mail.message()["X-Spam"] == "no"
    assert mail.message().get_payload() in ("new body\r\n", "new body\n")
    assert mail.message()["DKIM-Signature"]
    assert (b"Subject", b"[x] hello") in second.sessions[0].fields
    assert second.sessions[0].body == b"new body\r\n"
    # a large text, which is in a file, by a small one
    big = b"x" * 70 + b"\r\n"
    code, text = submit(client, text_mail(body=(big * 20000).decode()))
    assert code == 250, text
    assert first.sessions[1].body == big * 20000
    mail = sink.wait(2)[1]
    assert mail.message().get_payload() in ("new body\r\n", "new body\n")
    assert not [n for n in os.listdir(os.path.join(relay.config["spool"]["directory"], "large")) if n.endswith(".tmp")]


@pytest.mark.parametrize(
    "answer,code,text",
    [
        (packet(b"r"), 554, "Message rejected: refused by a content filter."),
        (packet(b"t"), 451, "Temporary service failure"),
        (packet(b"q", b"why\0") + CONTINUE, 554, "Message rejected: held back by a content filter."),
        (packet(b"y", b"550-5.7.1 one\r\n550 5.7.1 two\0"), 550, "5.7.1 one 5.7.1 two"),
        (packet(b"y", b"450 4.7.1 later\0"), 450, "4.7.1 later"),
    ],
)
def test_refusals(relay, sink, make_milter, answer, code, text):
    relay.config["accounts"][0]["quota_24h"] = 1
    milter = make_milter({"E": answer})
    client = use(relay, milter)
    assert submit(client, text_mail()) == (code, text)
    milter.answers = {}
    assert submit(client, text_mail())[0] == 250  # nothing was counted
    assert len(sink.wait(1)) == 1


def test_discard(relay, sink, make_milter):
    client = use(relay, make_milter({"M": packet(b"d")}))
    assert submit(client, text_mail())[0] == 250
    relay.wait_log(r"NOQUEUE: reject: END-OF-MESSAGE from \S+: Bad content \(m0: discarded\)")


def slow_progress(connection, _session):
    for _ in range(4):
        time.sleep(0.6)
        connection.sendall(packet(b"p"))
    return CONTINUE


def test_progress_takes_its_time(relay, sink, make_milter):
    client = use(relay, make_milter({"E": slow_progress}), timeout="1s")
    assert submit(client, text_mail())[0] == 250


def half_closed(connection, _session):
    connection.sendall(b"\0\0\0\5h")
    connection.shutdown(socket.SHUT_RDWR)


HOSTILE = {
    "hangs": {"E": None},
    "hangs at once": {"O": None},
    "garbage": {"O": b"HTTP/1.1 400 Bad Request\r\n\r\n"},
    "closes midway": {"L": half_closed},
    "huge packet": {"E": b"\x7f\xff\xff\xffb" + b"x" * 100000},
    "zero packet": {"C": b"\0\0\0\0"},
    "inject": {"E": packet(b"h", b"X\0a\r\nBcc: x@y\0") + CONTINUE},
    "bare lf": {"E": packet(b"b", b"a\nb") + CONTINUE},
    "recipient": {"E": packet(b"+", b"<x@dest.test>\0") + CONTINUE},
    "sender": {"E": packet(b"e", b"<x@dest.test>\0") + CONTINUE},
    "change too early": {"M": packet(b"h", b"X\0a\0") + CONTINUE},
    "endless fields": {"E": packet(b"h", b"X\0a\0") * 1200 + CONTINUE},
    "endless body": {"E": packet(b"b", b"x" * 60 + b"\r\n") * 200000},
    "version": {"O": options(0, version=9)},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile(relay, sink, make_milter, kind):
    relay.config["smtp"] = {"max_message_size": "4M"}
    milter = make_milter(HOSTILE[kind])
    client = use(relay, milter, timeout="1s")
    assert submit(client, text_mail()) == (451, "Temporary service failure")
    relay.wait_log(r"filter\[\d+\]: warning: m0: .*: message-id=<\S+> is refused")
    relay.config["content"]["milters"][0]["on_failure"] = "accept"
    relay.reload()
    client = connect(relay)
    assert submit(client, text_mail(subject="as it was"))[0] == 250
    mail = sink.wait(1)[0].message()
    assert mail["Subject"] == "as it was" and mail["X"] is None and mail.get_payload().strip() == "Hello."


def test_no_milter_there(relay, sink):
    client = use(relay, f"127.0.0.1:{free_port()}", on_failure="reject")
    assert submit(client, text_mail()) == (554, "Message rejected: The content cannot be checked.")


def test_a_header_that_cannot_be_shown(relay, sink, make_milter):
    """With the fields that the daemon adds it has more than are taken: coming back later changes nothing of that."""
    milter = make_milter()
    client = use(relay, milter)
    fields = {f"X_{n}": "x" for n in range(995)}
    assert submit(client, text_mail(**fields)) == (554, "Message rejected: The content cannot be checked.")
    relay.config["content"]["milters"][0]["on_failure"] = "accept"
    relay.reload()
    assert submit(connect(relay), text_mail(**fields))[0] == 250
    assert sink.wait()[0].message()["X-994"] == "x"
    relay.wait_log("m0: the header is beyond what can be shown: .* is accepted unchecked")
    assert not milter.sessions


def test_a_body_that_grows(relay, sink, make_milter, dkim_key):
    """What a milter makes of it does not fit a segment of the spool: it goes into a file, as if it had come so."""
    relay.config["identities"] = [{"name": "example.com", "account": "web", "dkim_selector": "s", "dkim_key": dkim_key}]
    relay.config["spool"].update(segment="1M")
    big = b"y" * 76 + b"\r\n"
    milter = make_milter({"E": packet(b"b", big * 700) * 60 + CONTINUE})
    client = use(relay, milter, milter)
    code, text = submit(client, text_mail())
    assert code == 250, text
    mail = sink.wait()[0]
    assert mail.body == big * 42000 and mail.message()["DKIM-Signature"]
    relay.wait_log(": removed")
    until(lambda: not os.listdir(os.path.join(relay.config["spool"]["directory"], "large")), 60, lambda: "a large file is left")


def test_stop_while_a_milter_hangs(relay, sink, make_milter):
    client = use(relay, make_milter({"E": None}), timeout="5m", on_failure="accept")
    client.mail("jo@example.com")
    client.rcpt("to@dest.test")
    client.putcmd("data")
    client.getreply()
    client.send(text_mail() + b".\r\n")
    time.sleep(0.3)
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < 36


# ---------------------------------------------------------------- real ones


def test_opendkim_signs(relay, sink, dkim_key, background):
    """It signs what leaves: its signature is good in what the receiver has."""
    program = shutil.which("opendkim", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("opendkim is not installed")
    path = os.path.join(relay.folder, "opendkim.sock")
    config = os.path.join(relay.folder, "opendkim.conf")
    with open(config, "w", encoding="ascii") as f:
        f.write(f"Socket local:{path}\nDomain example.com\nSelector sel\nKeyFile {dkim_key}\nMode s\n"
                "Canonicalization relaxed/relaxed\nRequireSafeKeys no\nInternalHosts 127.0.0.1\n")  # fmt: skip
    background([program, "-f", "-x", config])
    until(lambda: os.path.exists(path), 20, lambda: "opendkim does not listen")
    client = use(relay, "unix:" + path)
    for body in ["Hello.\r\n", ("x" * 70 + "\r\n") * 3000]:
        code, text = submit(client, text_mail(body=body, X_Folded="a\r\n\tb"))
        assert code == 250, text
    for mail in sink.wait(2):
        assert "d=example.com" in mail.message()["DKIM-Signature"]
        check_signature(mail.content, dkim_key)


def check_signature(content, key):
    public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    assert dkim.verify(content, dnsfunc=lambda *args, **kwargs: record)


def test_rspamd(relay, sink, background, folder):
    """Its proxy in milter mode, scanning by itself: marks one message, and rejects another."""
    program = shutil.which("rspamd", path="/usr/bin:/usr/sbin")
    if program is None:
        pytest.skip("rspamd is not installed")
    port = free_port()
    config = os.path.join(folder, "rspamd.conf")
    with open(config, "w", encoding="ascii") as f:
        f.write(f'''
options {{ tempdir = "{folder}"; pidfile = "{folder}/rspamd.pid"; filters = ""; control_socket = "{folder}/rspamd.sock mode=0600";
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }} }}
logging {{ type = "console"; level = "info"; }}
metric {{ name = "default"; actions {{ reject = 900; add_header = 6; }} group "g" {{ symbol "GTUBE" {{ weight = 0; }} }} }}
milter_headers {{ use = ["x-spamd-result"]; }}
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{port}"; milter = yes; timeout = 10s; count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }} }}
worker "normal" {{ enabled = false; }}
''')
    with open(os.path.join(folder, "rspamd.log"), "wb") as log:
        background([program, "-f", "-c", config, "-i"], stdout=log, stderr=log)

    def answers():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    until(answers, 30, lambda: open(os.path.join(folder, "rspamd.log"), errors="replace").read()[-3000:])
    client = use(relay, f"127.0.0.1:{port}")
    code, text = submit(client, text_mail())
    assert code == 250, text
    gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
    code, text = submit(client, text_mail(body=gtube))
    assert code == 554, text
    assert len(sink.wait(1)) == 1
