"""Tests that are scripts of their own: NAME/run.sh, with POSTRIDER_BUILD set; exit status 77 means skipped."""

import glob
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = sorted(glob.glob(os.path.join(HERE, "*", "run.sh")))
SKIPPED = 77


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: os.path.basename(os.path.dirname(path)))
def test_script(script):
    done = subprocess.run(
        [script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=600, check=False
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "skipped")
    assert done.returncode == 0, done.stdout[-8000:]
