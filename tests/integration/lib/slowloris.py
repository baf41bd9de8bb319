"""Clients that never finish what they began: each drips a byte every few seconds, in one of five places.

hello      inside its first TLS record, where TLS comes first
handshake  behind STARTTLS, inside its last flight
command    in a command line in clear text
header     in a field of a message, logged in inside TLS
body       in the text of a message, logged in inside TLS"""

import asyncio
import base64
import ssl
import threading
import time
from collections import Counter, namedtuple

from .clients import insecure_context

PLACES = ("hello", "handshake", "command", "header", "body")
SETTING_UP = 50  # at the same time
# Which place, how many seconds after it was reached the other side closed, and what it said on the way.
Ending = namedtuple("Ending", "place after_s said")


class Slowloris:
    """`count` of them from now on, as many in each place, from `sources` in turn, in a thread of their own."""

    def __init__(self, port, tls_port, user, password, count, sources, period_s=3.0):
        self.port, self.tls_port, self.sources, self.period_s = port, tls_port, sources, period_s
        self.blob = base64.b64encode(f"\0{user}\0{password}".encode())
        self.context = insecure_context()  # making one takes longer than a handshake
        self.count, self.places, self.endings, self.failures = count, Counter(), [], []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def in_place(self):
        """How many hang where they are meant to."""
        return sum(self.places.values())

    def close(self):
        if self.loop.is_running():
            self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    # ---- the thread

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.gate = asyncio.Semaphore(SETTING_UP)
        self.tasks = [self.loop.create_task(self._one(i)) for i in range(self.count)]
        self.loop.run_forever()
        for task in self.tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*self.tasks, return_exceptions=True))

    async def _one(self, number):
        place = PLACES[number % len(PLACES)]
        source = (self.sources[number % len(self.sources)], 0)
        writer = None
        try:
            async with self.gate:
                reader, writer, drops = await getattr(self, "_" + place)(source)
            begin = time.monotonic()
            self.places[place] += 1
            said = await self._drip(reader, writer, drops, number)
            self.places[place] -= 1
            self.endings.append(Ending(place, time.monotonic() - begin, said))
        except (OSError, AssertionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            self.failures.append(f"{place}: {e!r}")
        finally:
            if writer is not None:
                writer.transport.abort()

    async def _drip(self, reader, writer, drops, number):
        """Until the other side closes: what it said."""
        end = asyncio.ensure_future(reader.read())
        wait_s = self.period_s * (number % 17 + 1) / 17  # not all in step
        try:
            for drop in drops:
                done, _ = await asyncio.wait({end}, timeout=wait_s)
                if done:
                    break
                writer.write(drop)
                wait_s = self.period_s
            return await end
        except OSError:
            return b""
        finally:
            end.cancel()

    # ---- the places: a stream and what is to be dripped

    async def _hello(self, source):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.tls_port, local_addr=source)
        return reader, writer, one_by_one(ClientHalf(self.context).hello())

    async def _handshake(self, source):
        reader, writer = await self._greeted(source)
        await say(reader, writer, b"EHLO slow.test", b"250")
        await say(reader, writer, b"STARTTLS", b"220")
        half = ClientHalf(self.context)
        writer.write(half.hello())
        answer = None
        while not answer:
            piece = await reader.read(65536)
            assert piece, "closed in the handshake"
            answer = half.answer_to(piece)
        return reader, writer, one_by_one(answer)

    async def _command(self, source):
        reader, writer = await self._greeted(source)
        return reader, writer, one_by_one(b"EHLO " + b"a" * 1000)

    async def _header(self, source):
        return await self._message(source, b"From: jo@example.com\r\nSubject: slow\r\nX-Slow: ")

    async def _body(self, source):
        return await self._message(source, b"From: jo@example.com\r\nSubject: slow\r\n\r\nSlow: ")

    async def _greeted(self, source):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=source)
        await reply(reader, b"220")
        return reader, writer

    async def _message(self, source, begin):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.tls_port, local_addr=source, ssl=self.context, server_hostname=""
        )
        await reply(reader, b"220")
        await say(reader, writer, b"EHLO slow.test", b"250")
        await say(reader, writer, b"AUTH PLAIN " + self.blob, b"235")
        await say(reader, writer, b"MAIL FROM:<jo@example.com>", b"250")
        await say(reader, writer, b"RCPT TO:<slow@dest.test>", b"250")
        await say(reader, writer, b"DATA", b"354")
        writer.write(begin)
        return reader, writer, one_by_one(b"a" * 900)


class ClientHalf:
    """TLS without a socket: what a client sends, as bytes."""

    def __init__(self, context):
        self.input, self.output = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.input, self.output)

    def hello(self):
        self._go_on()
        return self.output.read()

    def answer_to(self, piece):
        """b"" while more of the server's is to come."""
        self.input.write(piece)
        self._go_on()
        return self.output.read()

    def _go_on(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass


def one_by_one(data):
    """All but the last byte, which would end it."""
    return (data[i : i + 1] for i in range(len(data) - 1))


async def reply(reader, start):
    while True:
        line = await reader.readline()
        assert line.startswith(start), line
        if line[3:4] != b"-":
            return


async def say(reader, writer, line, start):
    writer.write(line + b"\r\n")
    await reply(reader, start)
