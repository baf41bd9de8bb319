"""The postrider command, as an operator types it."""

import json
import os
import subprocess

from .daemon import BUILD


class Any:
    """Any exit status but success."""

    def __eq__(self, other):
        return other != 0

    def __bool__(self):
        return True


ANY = Any()


class Command:
    """The postrider command at the daemon's control socket."""

    def __init__(self, daemon):
        self.daemon = daemon

    def __call__(self, *words, stdin=b"", want=0):
        done = subprocess.run(
            [os.path.join(BUILD, "src/cli/postrider"), "--socket", self.daemon.config["control"]["socket"], *words],
            input=stdin,
            capture_output=True,
            timeout=120,
        )
        assert want == done.returncode, (words, done.returncode, done.stdout, done.stderr)
        return (done.stderr if want else done.stdout).decode()

    def json(self, *words, **options):
        return json.loads(self(*words, "--json", **options))

    def lines(self, *words):
        return [json.loads(line) for line in self(*words, "--json").splitlines()]
