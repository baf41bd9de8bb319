"""ports.py N: N free ports of loopback, one a line."""

import sys

from lib.ports import free_port

ports = set()
while len(ports) < int(sys.argv[1]):
    ports.add(free_port())
print(*ports, sep="\n")
