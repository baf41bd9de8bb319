"""8-bit text for hosts that do not take it: kept and refused, or encoded before it is signed. Python's parser judges what
came, two DKIM verifiers the signature."""

import email
import email.policy
import os
import resource

import pytest
from lib.clients import connect, submit
from lib.dkim_judges import assert_signed, public_key_record
from lib.wait import until

GRASS = "Das Gras ist grün, und = ist ein Zeichen. \t\r\n".encode()
IMAGE = bytes(range(128, 256)) * 3
HEAD = b"From: Jo <jo@example.com>\r\nTo: x@dest.test\r\nSubject: n%d\r\nMIME-Version: 1.0\r\n"


def part(kind, body, encoding=None):
    label = b"Content-Transfer-Encoding: " + encoding + b"\r\n" if encoding else b""
    return b"Content-Type: " + kind + b"\r\n" + label + b"\r\n" + body


def multipart(subtype, boundary, parts, encoding=None):
    lines = b"".join(b"--" + boundary + b"\r\n" + p + b"\r\n" for p in parts)
    return part(b"multipart/" + subtype + b'; boundary="' + boundary + b'"', lines + b"--" + boundary + b"--\r\n", encoding)


TEXT = part(b"text/plain; charset=utf-8", GRASS * 20, b"8bit")
HTML = part(b"text/html; charset=utf-8", b"<p>" + GRASS * 3 + b"</p>\r\n")
PICTURE = part(b"image/png; name=a.png", IMAGE, b"binary")
INNER = part(b"message/rfc822", b"Subject: inner\r\nMIME-Version: 1.0\r\n" + TEXT, b"8bit")

MESSAGES = [
    TEXT,
    part(b"text/plain; charset=utf-8", "Ελληνικά\r\n".encode() * 300),
    b"\r\n" + GRASS,  # no MIME but for the version
    PICTURE + b"\r\n",
    multipart(b"mixed", b"=_1", [multipart(b"alternative", b"=_2", [TEXT, HTML], b"8bit"), PICTURE, INNER], b"8bit"),
    multipart(b"digest", b"d", [b"\r\nSubject: one\r\nMIME-Version: 1.0\r\n" + HTML, TEXT]),
    # Lines that would be boundaries if they were broken in the wrong place.
    multipart(b"mixed", b"b", [part(b"text/plain", b"".join(b"x" * n + b"--b\xfc--b--b--b\r\n" for n in range(60, 80)))]),
]


def shape(content):
    """What Python's parser finds: types, names and decoded octets, from outside to inside."""
    found = []
    for p in email.message_from_bytes(content).walk():
        assert not p.defects, p.defects
        octets = None if p.is_multipart() else p.get_payload(decode=True)
        found.append((p.get_content_type(), p.get_params(), p["Subject"], octets))
    return found


@pytest.fixture
def signing(daemon, make_dns, dkim_key):
    """The daemon signs; returns its name server."""
    daemon.config["identities"] = [
        {"name": "example.com", "account": "web", "dkim_selector": "sel", "dkim_key": dkim_key}
    ]
    return make_dns({"example.com": "sel._domainkey TXT " + public_key_record(dkim_key)})


def large_files(daemon):
    return os.listdir(os.path.join(daemon.config["spool"]["directory"], "large"))


@pytest.mark.parametrize("memory_body", ["1M", "4K"], ids=["memory", "file"])
def test_converted(daemon, make_sink, signing, memory_body):
    sink = make_sink(eight_bit=False)
    daemon.config["content"] = {"eight_bit": "convert"}
    daemon.config["spool"]["memory_body"] = memory_body
    daemon.route_all_to(sink.port)
    daemon.start()
    client = connect(daemon)
    padding = (b"X-Padding: " + b"x" * 900 + b"\r\n") * 5  # more than 4K, whatever the body is
    sent = {f"n{i}": HEAD % i + padding + m for i, m in enumerate(MESSAGES)}
    for content in sent.values():
        code, text = submit(client, content)
        assert code == 250, text
    for mail in sink.wait(len(sent)):
        assert mail.content.isascii() and "BODY=8BITMIME" not in mail.mail_options
        assert max(map(len, mail.content.splitlines())) <= 998
        before, after = shape(sent[mail.fields("Subject")[0]]), shape(mail.content)
        assert after == before
        assert_signed(mail.content, signing, "example.com")
    assert "8-bit text is kept" not in daemon.log()
    until(lambda: not large_files(daemon), 60, lambda: str(large_files(daemon)))


def test_a_large_one(daemon, make_sink, signing):
    """More than fits any buffer on its way, with the boundary at every place in them."""
    sink = make_sink(eight_bit=False)
    daemon.config["content"] = {"eight_bit": "convert"}
    daemon.config["spool"]["memory_body"] = "64K"
    daemon.route_all_to(sink.port)
    daemon.start()
    client = connect(daemon)
    image = b"\x89PNG" + (bytes(range(14, 256)) * 4 + b"\r\n") * 10000 + b"\xff"
    content = HEAD % 0 + multipart(b"mixed", b"b", [TEXT, part(b"image/png", image, b"binary"), HTML] * 2, b"8bit")
    assert len(content) > 19e6 and submit(client, content)[0] == 250
    mail = sink.wait(1, timeout_s=180)[0]
    assert mail.content.isascii() and shape(mail.content) == shape(content)
    assert_signed(mail.content, signing, "example.com")
    until(lambda: not large_files(daemon), 60, lambda: str(large_files(daemon)))


def test_a_body_that_outgrows_memory(daemon, sink):
    """Encoded it is more than spool.memory_body: it goes into a file, and comes out of it whole."""
    daemon.config["content"] = {"eight_bit": "convert"}
    daemon.config["spool"]["memory_body"] = "64K"
    daemon.route_all_to(sink.port)
    daemon.start()
    content = HEAD % 0 + part(b"image/png", (bytes(range(128, 250)) + b"\r\n") * 500, b"binary")
    assert len(content) < 64 * 1024
    assert submit(connect(daemon), content)[0] == 250
    assert shape(sink.wait()[0].content) == shape(content)


def test_no_room_for_it(daemon, make_sink):
    """The disk does not take the converted one: the client keeps the message, and nothing of it is left here."""
    sink = make_sink(eight_bit=False)
    daemon.config["content"] = {"eight_bit": "convert"}
    daemon.config["spool"].update(segment="1M", memory_body="64K")
    daemon.route_all_to(sink.port)
    daemon.start()
    content = HEAD % 0 + part(b"image/png", (bytes(range(128, 250)) + b"\r\n") * 9000, b"binary")
    assert 1.1e6 < len(content) < 1.2e6
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (1200000, resource.RLIM_INFINITY))
    client = connect(daemon)
    assert submit(client, content) == (451, "Temporary service failure")
    daemon.wait_log(r"cleanup\[\d+\]: error: message-id=<\S+>: .*File too large")
    until(lambda: not large_files(daemon), 60, lambda: str(large_files(daemon)))
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert submit(client, content)[0] == 250
    assert shape(sink.wait()[0].content) == shape(content)


def test_kept(daemon, make_sink, signing):
    """As it came to those that take it; a report to the sender where it is not taken."""
    plain = make_sink(eight_bit=False)
    daemon.route_all_to(plain.port)
    daemon.start()
    assert submit(connect(daemon), HEAD % 0 + TEXT)[0] == 250
    line = daemon.wait_log(r"to=<to@dest.test>, .*status=bounced.*")[-1]
    assert "dsn=5.6.3" in line and "class=content, bounce-type=Transient/ContentRejected" in line
    assert plain.count() == 0
    other = make_sink()
    daemon.route_all_to(other.port)
    daemon.reload()
    assert submit(connect(daemon), HEAD % 0 + TEXT)[0] == 250
    mail = next(m for m in other.wait() if m.recipients == ["to@dest.test"])
    assert mail.content.endswith(b"\r\n\r\n" + GRASS * 20) and "BODY=8BITMIME" in mail.mail_options
    assert_signed(mail.content, signing, "example.com")


def test_what_is_not_converted(daemon, sink):
    """Signed parts, octets in headers, and structures that readers see differently: as they were, to the octet."""
    daemon.config["content"] = {"eight_bit": "convert"}
    daemon.route_all_to(sink.port)
    daemon.start()
    client = connect(daemon)
    signed = multipart(b"signed", b"s", [TEXT, part(b"application/pgp-signature", b"x")])
    named = part("text/plain; charset=utf-8; name=\"grün\"".encode(), GRASS, b"8bit")
    cases = [
        (multipart(b"mixed", b"b", [signed, HTML], b"8bit"), signed, False),
        (multipart(b"mixed", b"b", [named]), "name=\"grün\"".encode(), False),
        (multipart(b"mixed", b"b", [TEXT, b"X"]), TEXT, True),
        (multipart(b"mixed", b"b", [TEXT, b"\r\n--bb"]), TEXT, True),
    ]
    for i, (content, kept, doubt) in enumerate(cases):
        assert submit(client, HEAD % i + content)[0] == 250
        mail = sink.wait(i + 1)[-1]
        assert kept in mail.content and "BODY=8BITMIME" in mail.mail_options
        assert mail.content.endswith(content.split(b"\r\n\r\n", 1)[1]) == doubt
        assert daemon.log().count("8-bit text is kept: ") == sum(case[2] for case in cases[: i + 1])
        if not doubt:
            assert b"quoted-printable" in mail.content and shape(mail.content) == shape(HEAD % i + content)
