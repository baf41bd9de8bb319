"""clamd with one signature of its own: the EICAR test file."""

import os
import shutil
import signal
import socket
import subprocess

from .wait import until

PROGRAM = shutil.which("clamd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
START_S = 60
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Clamd:
    """Listens on a socket in its folder; `socket` is its path."""

    def __init__(self, folder, limit="25M"):
        self.folder = os.path.join(folder, "clamd")
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o755)
        self.socket = os.path.join(self.folder, "ctl")
        with open(os.path.join(self.folder, "test.ndb"), "w", encoding="ascii") as f:
            f.write(f"Eicar-Signature:0:*:{EICAR.encode().hex()}\n")
        self.config = os.path.join(self.folder, "clamd.conf")
        with open(self.config, "w", encoding="ascii") as f:
            f.write(
                f"Foreground yes\nUser {'root' if os.getuid() == 0 else os.environ.get('USER', 'nobody')}\n"
                f"LocalSocket {self.socket}\nDatabaseDirectory {self.folder}\n"
                f"StreamMaxLength {limit}\nLogFile {self.folder}/log\nFixStaleSocket yes\n"
            )
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "-c", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        until(self._answers, START_S, lambda: "clamd does not answer")

    def _answers(self):
        assert self.process.poll() is None, f"clamd ended: {self.process.returncode}"
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(self.socket)
                s.sendall(b"zPING\0")
                return s.recv(100) == b"PONG\0"
            except OSError:
                return False

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.process = None
