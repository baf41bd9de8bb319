"""contrib/quickstart as a user runs it: from a folder with a blank in its name, twice, with and without --once."""

import os
import re
import signal
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def quickstart(folder, *options):
    done = subprocess.run(
        [os.path.join(TOP, "contrib/quickstart"), "--yes", "--dir", folder, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"accepted +250 Ok [0-9a-f-]{60}", done.stdout), done.stdout
    assert "DKIM          good" in done.stdout
    return done.stdout


def alive(pid):
    return os.path.exists(f"/proc/{pid}/exe")


def test_quickstart_twice(folder):
    home = os.path.join(folder, "with blank")
    out = quickstart(home)
    pids = [int(p) for p in re.search(r"To stop it: +kill (\d+) (\d+)", out).groups()]
    try:
        assert all(alive(p) for p in pids)
        again = quickstart(home, "--once")
        assert "the instance is stopped" in again
        assert not any(alive(p) for p in pids), "the second run ends what the first left"
    finally:
        for p in pids:
            if alive(p):
                os.kill(p, signal.SIGTERM)
