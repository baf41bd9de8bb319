"""Free ports of loopback, for servers that cannot choose one themselves."""

import random
import socket

# Below the range from which the system gives ports to connections: one that is free now stays free.
LOWEST, HIGHEST = 15000, 32000

_taken = []


def _take(port):
    """For this process, until its end: no other test is given the same one between our look and our use."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0postrider-test-port-{port}")
    except OSError:
        name.close()
        return False
    _taken.append(name)
    return True


def free_port(host="127.0.0.1"):
    """A port that is free for TCP and UDP."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(1000):
        port = random.randint(LOWEST, HIGHEST)
        with socket.socket(family, socket.SOCK_STREAM) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((host, port))
                udp.bind((host, port))
            except OSError:
                continue
        if _take(port):
            return port
    raise AssertionError("no free port")
