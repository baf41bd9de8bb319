"""A receiving mail server (aiosmtpd, an independent implementation) that keeps what it gets and answers as told."""

import email
import email.policy
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from .ports import free_port
from .wait import until


class Mail:
    def __init__(self, envelope, session):
        self.sender = envelope.mail_from
        self.recipients = list(envelope.rcpt_tos)
        self.content = envelope.original_content
        self.mail_options = list(envelope.mail_options)
        self.tls = session.ssl is not None
        self.peer = session.peer
        self.helo = session.host_name
        self.session = id(session)

    def message(self):
        return email.message_from_bytes(self.content, policy=email.policy.default)

    @property
    def body(self):
        return self.content.split(b"\r\n\r\n", 1)[1]

    def fields(self, name):
        """Unfolded values of a header field, raw."""
        return self.message().get_all(name, [])


class Sink:
    """`rcpt` maps an address to a list of replies, used one after the other, then "250 ok"; `data` is a list of replies
    to the end of data. `login` (user, password) demands AUTH; without `eight_bit` 8BITMIME is not offered."""

    def __init__(self, host="127.0.0.1", port=0, certificate=None, login=None, implicit_tls=False, eight_bit=True):
        self.eight_bit = eight_bit
        self.mails = []
        self.rcpt = {}
        self.data = []
        self.greet = []
        self.lock = threading.Lock()
        self.login = login
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        options = {"decode_data": False, "data_size_limit": 64 << 20, "enable_SMTPUTF8": False}
        if login is not None:
            options.update(
                authenticator=self._authenticate, auth_required=True, auth_require_tls=True
            )
        if context is not None and not implicit_tls:
            options["tls_context"] = context

        transports = self.transports = set()

        class Server(SMTP):
            command_call_limit = {"*": 1 << 30}

            def connection_made(self, transport):
                transports.add(transport)
                super().connection_made(transport)

            def connection_lost(self, error):
                transports.discard(self.transport)
                super().connection_lost(error)

        class Ctl(Controller):
            def factory(self):
                return Server(self.handler, hostname="sink.test", ident="sink", **options)

        self.controller = Ctl(
            self,
            hostname=host,
            port=port or free_port(host),
            ssl_context=context if implicit_tls else None,
        )
        self.controller.start()
        self.host = host
        self.port = self.controller.port

    def close(self):
        if self.controller is not None:
            for transport in list(self.transports):  # peers shall not wait for a server that is gone
                self.controller.loop.call_soon_threadsafe(transport.abort)
            self.controller.stop()
        self.controller = None

    def _authenticate(self, server, session, envelope, mechanism, data):
        good = mechanism in ("PLAIN", "LOGIN") and (
            data.login.decode(),
            data.password.decode(),
        ) == tuple(self.login)
        return AuthResult(success=good)

    # ---- aiosmtpd's hooks

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return [line for line in responses if self.eight_bit or "8BITMIME" not in line]

    async def handle_RCPT(self, server, session, envelope, address, options):
        with self.lock:
            replies = self.rcpt.get(address)
            reply = replies.pop(0) if replies else "250 ok"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, session, envelope):
        with self.lock:
            reply = self.data.pop(0) if self.data else "250 2.0.0 kept"
            if reply.startswith("2"):
                self.mails.append(Mail(envelope, session))
        return reply

    # ---- for tests

    def count(self):
        with self.lock:
            return len(self.mails)

    def wait(self, count=1, timeout_s=60):
        until(
            lambda: self.count() >= count,
            timeout_s,
            lambda: f"{self.count()} of {count} messages came",
        )
        with self.lock:
            return list(self.mails)

