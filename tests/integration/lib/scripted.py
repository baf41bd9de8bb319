"""A server that misbehaves once at a chosen step, then behaves."""

import socket
import threading

STEPS = ("greeting", "ehlo", "mail", "rcpt", "data", "dot")


class ScriptedServer:
    """Says `reply` and closes at `step` of the first connection; later ones are served. `taken`: messages accepted."""

    def __init__(self, step, reply=b"421 4.3.2 going down\r\n"):
        assert step in STEPS
        self.step, self.reply = step, reply
        self.taken = self.connections = 0
        self.hang = self.hung = False  # instead of the reply: nothing, until the peer goes
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with peer:
                peer.settimeout(30)
                try:
                    self._session(peer, self.connections == 1)
                except (OSError, EOFError):
                    pass

    def _session(self, peer, bad):
        lines = peer.makefile("rb")

        def line():
            got = lines.readline()
            if not got:
                raise EOFError
            return got.upper()

        def says(step, normal):
            if self.hang and self.step == step:
                self.hung = True
                peer.settimeout(300)
                peer.recv(1)
                raise EOFError
            if bad and self.step == step and self.reply:
                peer.sendall(self.reply)
                raise EOFError
            peer.sendall(normal)

        says("greeting", b"220 scripted\r\n")
        while True:
            command = line()
            if command.startswith(b"EHLO"):
                says("ehlo", b"250-scripted\r\n250 PIPELINING\r\n")
            elif command.startswith(b"MAIL"):
                says("mail", b"250 ok\r\n")
            elif command.startswith(b"RCPT"):
                says("rcpt", b"250 ok\r\n")
            elif command.startswith(b"DATA"):
                says("data", b"354 go\r\n")
                while line() != b".\r\n":
                    pass
                says("dot", b"250 2.0.0 taken\r\n")
                self.taken += 1
            elif command.startswith(b"QUIT"):
                peer.sendall(b"221 bye\r\n")
                return
            else:
                peer.sendall(b"250 ok\r\n")

    def close(self):
        self.listener.close()
