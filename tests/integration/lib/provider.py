"""A mailbox provider with a limit of connections that it does not tell, and bad days: one thread, any number of hosts."""

import asyncio
import random
import threading
from collections import namedtuple

Taken = namedtuple("Taken", "host sender recipient peer helo")


class Provider:
    """`limit`: connections at once over all hosts, more hear 421. `unlucky`: part of new connections that do, too.
    While held (hold, release) the end of data is not answered. `taken`: what came, in order, one for each recipient."""

    def __init__(self, limit=1 << 30, unlucky=0.0, seconds=0.0):
        self.limit, self.unlucky, self.seconds = limit, unlucky, seconds
        self.taken = []
        self.connections = self.refused = self.open = self.most = 0
        self.random = random.Random(1)
        self.loop = asyncio.new_event_loop()
        self.answers = asyncio.Event()
        self.answers.set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def listen(self, host="127.0.0.1", port=0):
        async def begin():
            server = await asyncio.start_server(
                lambda reader, writer: self._session(host, reader, writer), host, port, limit=1 << 20
            )
            return server.sockets[0].getsockname()[1]

        return asyncio.run_coroutine_threadsafe(begin(), self.loop).result(30)

    def hold(self):
        self.loop.call_soon_threadsafe(self.answers.clear)

    def release(self):
        self.loop.call_soon_threadsafe(self.answers.set)

    def close(self):
        async def end():
            sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in sessions:
                task.cancel()
            await asyncio.gather(*sessions, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def _session(self, host, reader, writer):
        try:
            if self.open >= self.limit or self.random.random() < self.unlucky:
                self.refused += 1
                writer.write(b"421 4.7.0 too many connections from your address\r\n")
                await writer.drain()
                return
            self.connections += 1
            self.open += 1
            self.most = max(self.most, self.open)
            try:
                await self._talk(host, reader, writer)
            finally:
                self.open -= 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _talk(self, host, reader, writer):
        sender, recipients, helo = "", [], ""
        peer = writer.get_extra_info("peername")[0]
        writer.write(b"220 provider.test\r\n")
        while line := await reader.readline():
            verb, reply = line[:4].upper(), b"250 ok\r\n"
            if verb == b"EHLO":
                helo = line[4:].strip().decode()
                reply = b"250-provider.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
            elif verb == b"MAIL":
                sender, recipients = _address(line), []
            elif verb == b"RCPT":
                recipients.append(_address(line))
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                if self.seconds:
                    await asyncio.sleep(self.seconds)
                await self.answers.wait()
                self.taken += [Taken(host, sender, recipient, peer, helo) for recipient in recipients]
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            writer.write(reply)


def _address(line):
    return line[line.index(b"<") + 1 : line.index(b">")].decode()
