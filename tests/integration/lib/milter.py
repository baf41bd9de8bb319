"""A milter that does what a test says, and keeps what it was told. Speaks version 6, byte by byte where that matters."""

import socket
import struct
import threading


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


def options(protocol=0, version=6, actions=0x33):
    return packet(b"O", struct.pack(">III", version, actions, protocol))


CONTINUE = packet(b"c")


class Session:
    """What one connection brought: commands in order, macros by command, header fields, body."""

    def __init__(self):
        self.commands, self.macros, self.fields, self.body = [], {}, [], b""


class Milter:
    """`answers` is what goes out in answer to a command ("M", "E", ...), bytes or a function of connection and session that
    returns them; None in place of bytes: no answer at all. What is not named is answered with "continue"."""

    def __init__(self, answers=None, protocol=0):
        self.answers, self.protocol = dict(answers or {}), protocol
        self.sessions = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"inet:127.0.0.1:{self.server.getsockname()[1]}"
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        session = Session()
        self.sessions.append(session)
        try:
            with connection.makefile("rb") as f:
                while True:
                    head = f.read(5)
                    if len(head) < 5:
                        return
                    data = f.read(struct.unpack(">I", head[:4])[0] - 1)
                    self._one(connection, session, head[4:5].decode(), data)
        except OSError:
            pass

    def _one(self, connection, session, command, data):
        if command == "D":
            words = data[1:].split(b"\0")
            session.macros.setdefault(chr(data[0]), {}).update(zip(words[0::2], words[1::2]))
            return
        session.commands.append(command)
        if command == "L":
            session.fields.append(tuple(data.split(b"\0")[:2]))
        elif command == "B":
            session.body += data
        answer = self.answers.get(command, options(self.protocol) if command == "O" else CONTINUE)
        if command == "Q":
            return
        if callable(answer):
            answer = answer(connection, session)
        if answer is not None:
            connection.sendall(answer)

    def close(self):
        self.server.close()
        for connection in self.connections:
            connection.close()
