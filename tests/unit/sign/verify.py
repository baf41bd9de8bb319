"""Makes the messages, signs them and verifies them with dkimpy. Leaves DIR/NAME.eml for the next verifier."""
import os
import re
import subprocess
import sys

import dkim

TOOL, DIR = sys.argv[1], sys.argv[2]
BASE = (
    b"From: Jo <jo@example.com>\r\nTo: a@example.org\r\nSubject: test\r\n"
    b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
)
BODY = b"Hello,\r\n\r\nworld.\r\n"
OWN = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=sel; h=From; bh=AAAA; b=AAAA\r\n"


def folded(name, size):
    lines = [b" " + b"x" * 70] * (size // 73)
    return name + b":\r\n" + b"\r\n".join(lines) + b"\r\n"


BODIES = {
    "plain": BODY,
    "empty": b"",
    "one-blank-line": b"\r\n",
    "only-blank-lines": b"\r\n" * 7,
    "trailing-blank-lines": BODY + b"\r\n" * 5,
    "inner-blank-lines": b"a\r\n\r\n\r\nb\r\n",
    "leading-blank-lines": b"\r\n\r\na\r\n",
    "trailing-blanks": b"a  \t \r\n \r\n\t\r\n",
    "dots": b".\r\n..\r\n.a\r\n.\r\n",
    "8-bit": bytes(c for c in range(1, 256) if c not in (10, 13)) * 9 + b"\r\n",
    "nul": b"a\0b\r\n\0\r\n",
    "long-line": b"y" * 100000 + b"\r\n",
    "1M": (b"z" * 76 + b"\r\n") * (1 << 20 >> 6),
}
HEADERS = {
    "fold-after-colon": BASE.replace(b"Subject: ", b"Subject:\r\n "),
    "fold-after-colon-tab": BASE.replace(b"Subject: ", b"Subject:\r\n\t"),
    "tabs": BASE.replace(b": ", b":\t") + b"Cc:\ta@example.org,\r\n\t\t b@example.org\t\r\n",
    "no-blank-after-colon": BASE.replace(b": ", b":"),
    "empty-field": BASE.replace(b"Subject: test", b"Subject:"),
    "blank-field": BASE.replace(b"Subject: test", b"Subject:   "),
    "trailing-blanks": BASE.replace(b"test\r\n", b"test \t \r\n"),
    "inner-blanks": BASE.replace(b"test\r\n", b"a  b\t\tc \t d\r\n"),
    "blank-continuation": BASE.replace(b"test\r\n", b"a\r\n \r\n b\r\n"),
    "upper-case": re.sub(rb"(?m)^[^:]+:", lambda m: m.group().upper(), BASE),
    "lower-case": re.sub(rb"(?m)^[^:]+:", lambda m: m.group().lower(), BASE),
    "8-bit-header": BASE.replace(b"test", "Grüße, 世界".encode()),
    "semicolons": BASE.replace(b"test", b"a; b=c; bh=d: e"),
    "all-fields": BASE
    + b"Cc: c@example.org\r\nReply-To: r@example.com\r\nIn-Reply-To: <0@example.com>\r\n"
    b"References: <0@example.com>\r\nSender: s@example.com\r\nList-Unsubscribe: <mailto:u@example.com>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nContent-Transfer-Encoding: 8bit\r\n",
    "from-only": b"From: jo@example.com\r\n",
    "from-last": b"Subject: x\r\nX-A: 1\r\nFrom: jo@example.com\r\n",
    "60-to": BASE + b"".join(b"To: n%d@example.org\r\n" % i for i in range(60)),
    "61-subject": BASE + b"".join(b"Subject: %d\r\n" % i for i in range(61)),
    "600-references-before-from": b"References: <a@b>\r\n" * 600 + BASE,
    "600-x-before-from": b"X-Field: a\r\n" * 600 + BASE,
    "everything-often": b"".join(BASE.replace(b"From: Jo <jo@example.com>\r\n", b"") for _ in range(59)) + BASE,
    "own-signature": OWN + BASE,
    "own-signatures-50": OWN * 50 + BASE,
    "own-signatures-malformed": BASE
    + b"DKIM-Signature: \xff\xfe;;;==\r\n"
    b"DKIM-Signature:\r\nDKIM-Signature: v=9; b\r\n\td=\r\n",
    "feedback-id": BASE + b"Feedback-ID: a:b:c:d\r\n",
    "64K-subject": BASE.replace(b"Subject: test\r\n", folded(b"Subject", 64000)),
    "300K-references": BASE + folded(b"References", 300000),
    "300K-subject": BASE.replace(b"Subject: test\r\n", folded(b"Subject", 300000)),
    "300K-x": BASE + folded(b"X-Long", 300000),
    "many-to": BASE.replace(b"To: a@example.org", b"To: " + b",\r\n\t".join(b"a%d@example.org" % i for i in range(500))),
}
REFUSED = {
    "no-from": b"To: a@example.org\r\n",
    "vt": BASE.replace(b"test", b"a\vb"),
    "ff": BASE.replace(b"test", b"a\fb"),
    "nul": BASE.replace(b"test", b"a\0b"),
    "cr": BASE.replace(b"test", b"a\rb"),
    "61-from": b"From: a@example.com\r\n" * 61,
}
REFUSED_BODIES = {"no-end": b"abc", "lf": b"a\nb\r\n", "cr": b"a\rb\r\n", "last-cr": b"a\r", "last-lf": b"a\n"}


def sign(message, piece=0, feedback=False):
    args = [TOOL, DIR + "/key", "example.com", "sel", str(piece or 1 << 40)] + ["feedback-id"] * feedback
    return subprocess.run(args, input=message, capture_output=True)


def verify(name, message, piece=0, keep=True, feedback=False):
    run = sign(message, piece, feedback)
    assert run.returncode == 0, (name, run.stderr)
    field = run.stdout[: len(run.stdout) - len(message)]
    assert run.stdout.endswith(message), name
    check_form(name, field, feedback and b"Feedback-ID" in message)
    good = dkim.DKIM(run.stdout).verify(dnsfunc=lambda *a, **k: RECORD)
    assert good, (name, piece, field)
    if keep:
        with open("%s/%s.eml" % (DIR, name), "wb") as out:
            out.write(run.stdout)
    return field


def check_form(name, field, feedback):
    assert field.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple;"), field
    assert field.endswith(b"\r\n") and b"\n" not in field.replace(b"\r\n", b""), field
    assert all(line[:1] == b"\t" for line in field.split(b"\r\n")[1:-1]), field
    tags = dict(t.strip().split(b"=", 1) for t in re.sub(rb"\s", b"", field.split(b":", 1)[1]).split(b";"))
    assert tags[b"t"] == b"1700000000" and b"l" not in tags and b"x" not in tags, field
    names = tags[b"h"].lower().split(b":")
    assert names.count(b"from") == 2, (name, names)
    assert b"dkim-signature" not in names and len(tags[b"h"]) < 4095, (name, names)
    assert (b"feedback-id" in names) == feedback, (name, names)


def changed(name, message, old, new):
    """A signature must not survive that change."""
    signed = sign(message).stdout
    assert old in signed, name
    broken = signed.replace(old, new, 1)
    try:
        good = dkim.DKIM(broken).verify(dnsfunc=lambda *a, **k: RECORD)
    except dkim.ValidationError:
        good = False
    assert not good, name


RECORD = open(DIR + "/record", "rb").read()
for name, body in BODIES.items():
    verify("body-" + name, BASE + b"\r\n" + body)
    for piece in (1, 2, 3, 7, 64, 4096) if len(body) < 10000 else (77, 4096, 65536):
        verify("body-" + name, BASE + b"\r\n" + body, piece, keep=False)
for name, header in HEADERS.items():
    verify("header-" + name, header + b"\r\n" + BODY)
verify("feedback-signed", HEADERS["feedback-id"] + b"\r\n" + BODY, feedback=True)
verify("feedback-absent", BASE + b"\r\n" + BODY, feedback=True)
verify("body-40M", BASE + b"\r\n" + (b"z" * 76 + b"\r\n") * (40 * (1 << 20) // 78), 65536)
for name, header in REFUSED.items():
    assert sign(header + b"\r\n" + BODY).returncode == 1, name
for name, body in REFUSED_BODIES.items():
    for piece in (0, 1, 2):
        assert sign(BASE + b"\r\n" + body, piece).returncode == 1, name
whole = BASE + b"\r\n" + BODY
for field in (b"From", b"Subject", b"To", b"Cc", b"Date", b"Message-ID", b"MIME-Version", b"Content-Type", b"Reply-To",
              b"Content-Transfer-Encoding", b"List-Unsubscribe", b"List-Unsubscribe-Post"):
    changed("added " + field.decode(), whole, b"From: Jo", field + b": forged\r\nFrom: Jo")
changed("body", whole, b"world", b"World")
changed("appended", whole, b"world.\r\n", b"world.\r\nmore\r\n")
