"""Prints free TCP ports of loopback from 23000 to 23999. Usage: ports.py COUNT"""
import random
import socket
import sys

kept = []
for port in random.sample(range(23000, 24000), 1000):
    if len(kept) == int(sys.argv[1]):
        break
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", port))
    except OSError:
        continue
    kept.append(s)
print(*[s.getsockname()[1] for s in kept])
