"""A receiving mail server that notes when it took which message, for whom, and whether the text was whole. Many ports,
one thread: each port is a label."""

import asyncio
import hashlib
import re
import threading
import time
from collections import namedtuple

Taken = namedtuple("Taken", "time_ns label number recipients digest")


def digest(body):
    return hashlib.sha256(body).hexdigest()


class TimedSink:
    """`refuses(label, address)` says whether a recipient is deferred. The number of a message is its field X-Seq."""

    def __init__(self, refuses=lambda label, address: False):
        self.taken = []
        self.refuses = refuses
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def listen(self, label):
        """A port."""

        async def begin():
            server = await asyncio.start_server(
                lambda reader, writer: self._session(label, reader, writer), "127.0.0.1", 0, limit=1 << 20
            )
            return server.sockets[0].getsockname()[1]

        return asyncio.run_coroutine_threadsafe(begin(), self.loop).result(30)

    def of(self, label):
        return [taken for taken in list(self.taken) if taken.label == label]

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def _session(self, label, reader, writer):
        try:
            await self._talk(label, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _talk(self, label, reader, writer):
        recipients = []
        writer.write(b"220 sink.test\r\n")
        while line := await reader.readline():
            verb, reply = line[:4].upper(), b"250 ok\r\n"
            if verb == b"EHLO":
                reply = b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
            elif verb == b"MAIL":
                recipients = []
            elif verb == b"RCPT":
                address = re.search(rb"<(.*?)>", line).group(1).decode()
                if self.refuses(label, address):
                    reply = b"451 4.3.0 later\r\n"
                else:
                    recipients.append(address)
            elif verb == b"DATA" and not recipients:
                reply = b"554 5.5.1 nobody\r\n"
            elif verb == b"DATA":
                writer.write(b"354 go\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                # before the reply: what the sender may do then comes later
                self._take(label, recipients, content[:-3])
            elif verb == b"QUIT":
                reply = b"221 bye\r\n"
            writer.write(reply)

    def _take(self, label, recipients, content):
        head, body = content.split(b"\r\n\r\n", 1)
        number = re.search(rb"^X-Seq: (\d+)", head, re.MULTILINE)
        self.taken.append(
            Taken(time.monotonic_ns(), label, int(number.group(1)) if number else None, tuple(recipients), digest(body))
        )
