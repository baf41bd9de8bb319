"""Runs a program under the system call filter of a unit file: calls that it does not allow fail with EPERM.

Usage: under.py UNIT PROGRAM [ARGUMENT...]"""
import os
import re
import subprocess
import sys

import seccomp

sets, current = {}, None
listing = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
for line in listing.splitlines():
    if line.startswith("@"):
        current = sets.setdefault(line.strip(), [])
    elif line.startswith("    ") and current is not None and not line.strip().startswith("#"):
        current.append(line.strip())


def expand(name):
    if not name.startswith("@"):
        return {name}
    return set().union(*(expand(member) for member in sets[name]))


allowed = set()
with open(sys.argv[1]) as unit:
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit.read(), re.M):
        names = set().union(*(expand(name) for name in value.lstrip("~").split()))
        allowed = allowed - names if value.startswith("~") else allowed | names

rules = seccomp.SyscallFilter(seccomp.ERRNO(1))
for name in sorted(allowed | {"execve"}):
    try:
        rules.add_rule(seccomp.ALLOW, name)
    except (RuntimeError, ValueError):
        pass  # of another architecture
rules.load()
os.execv(sys.argv[2], sys.argv[2:])
