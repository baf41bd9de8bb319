"""Mail clients that nobody here wrote, all used the same way: submit and tell the reply to the end of data."""

import re
import smtplib
import socket
import ssl
import subprocess

from .daemon import ACCESS_KEY, smtp_password


def insecure_context():
    """TLS without verification: the daemon's certificate is its own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(daemon, name="submission", login=True, timeout_s=60, source="127.0.0.1"):
    """A smtplib session behind TLS and AUTH."""
    if name == "submissions":
        client = smtplib.SMTP_SSL(
            "127.0.0.1", daemon.port(name), timeout=timeout_s, context=insecure_context(), source_address=(source, 0)
        )
    else:
        client = smtplib.SMTP("127.0.0.1", daemon.port(name), timeout=timeout_s, source_address=(source, 0))
        client.starttls(context=insecure_context())
    if login:
        client.login(ACCESS_KEY, smtp_password())
    return client


def submit(client, content, sender="jo@example.com", recipients=("to@dest.test",)):
    """One transaction; (code, text) of the reply to the end of data."""
    code, text = client.mail(sender)
    assert code == 250, (code, text)
    for recipient in recipients:
        code, text = client.rcpt(recipient)
        assert code == 250, (code, text)
    code, text = client.data(content)
    return code, text.decode()


def text_mail(sender="jo@example.com", to="to@dest.test", subject="hello", body="Hello.\r\n", **fields):
    head = {"From": sender, "To": to, "Subject": subject, **fields}
    lines = [f"{k.replace('_', '-')}: {v}\r\n" for k, v in head.items()]
    return ("".join(lines) + "\r\n" + body).encode("utf-8")


def message_id(text):
    """The id in "Ok <message-id>"."""
    found = re.fullmatch(r"Ok ([0-9a-f]{16}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-000000)", text.strip())
    assert found, text
    return found.group(1)


def swaks(port, *options, sender="jo@example.com", to="to@dest.test", tls="-tls"):
    """(exit status, transcript)."""
    done = subprocess.run(
        ["/usr/bin/swaks", "--server", "127.0.0.1", "--port", str(port), tls, "--from", sender, "--to", to,
         "--auth-user", ACCESS_KEY, "--auth-password", smtp_password(), *options],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def curl(port, content, scheme="smtp", sender="jo@example.com", to="to@dest.test", *options):
    """(exit status, trace)."""
    done = subprocess.run(
        ["/usr/bin/curl", "-sSvk", f"{scheme}://127.0.0.1:{port}", "--ssl-reqd", "--mail-from", sender,
         "--mail-rcpt", to, "--user", f"{ACCESS_KEY}:{smtp_password()}", "--upload-file", "-", *options],
        input=content,
        capture_output=True,
        timeout=120,
    )  # fmt: skip
    return done.returncode, done.stderr.decode("utf-8", "replace")


class Line:
    """A plain socket that speaks and reads lines: for what no decent client would do."""

    def __init__(self, port, greet=True, host="127.0.0.1", timeout_s=60, source=None):
        self.socket = socket.create_connection((host, port), timeout=timeout_s, source_address=source and (source, 0))
        self.file = self.socket.makefile("rb")
        if greet:
            self.expect(b"220 ")

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """All lines of one reply; b"" at the end of the connection."""
        lines = b""
        while True:
            line = self.file.readline()
            lines += line
            if len(line) < 4 or line[3:4] != b"-":
                return lines

    def expect(self, start):
        got = self.reply()
        assert got.startswith(start), got
        return got

    def command(self, line, start):
        self.send(line + b"\r\n")
        return self.expect(start)

    def starttls(self):
        self.command(b"STARTTLS", b"220 ")
        self.wrap()

    def wrap(self):
        self.socket = insecure_context().wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")

    def login(self):
        import base64

        blob = base64.b64encode(f"\0{ACCESS_KEY}\0{smtp_password()}".encode())
        self.command(b"EHLO test", b"250")
        self.command(b"AUTH PLAIN " + blob, b"235 ")

    def at_end(self):
        """Whether the peer has closed (reads what is left)."""
        try:
            while self.file.read(4096):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        return True

    def close(self):
        self.file.close()
        self.socket.close()
