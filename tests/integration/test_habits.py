"""The commands of HACKING.md that a developer gives every day, as they are given."""

import os
import re
import shutil
import subprocess

import pytest

from lib.daemon import BUILD


def make(*arguments):
    return subprocess.run(
        ["make", "-s", *arguments], cwd=BUILD, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name, said",
    [
        ("test_dot", "9 test(s) run"),
        ("test_dot::test_enc*", "1 test(s) run"),
        ("smuggling", "1 test(s) run"),
        ("fuzz_dot", "dot: "),
        ("includes.py", "PASS tests/structure/includes.py"),
        ("test_submission.py::test_curl", "1 passed"),
    ],
)
def test_one_test(name, said):
    done = make("test", f"T={name}")
    assert done.returncode == 0 and said in done.stdout, done.stdout


@pytest.mark.parametrize("name", ["", "no_such_test", "test_dot::no_such_function", "test_submission.py::test_nothing"])
def test_one_test_that_is_not_there(name):
    done = make("test", f"T={name}")
    assert done.returncode != 0, done.stdout


def test_fuzz_one_parser():
    if shutil.which("clang") is None:
        pytest.skip("clang is missing")
    done = make("fuzz", "F=address", "SECONDS=2")
    assert done.returncode == 0, done.stdout
    assert re.search(r"Done \d+ runs", done.stdout), "libFuzzer ran"
    kept = re.search(r"(\d+) new inputs in (\S+)$", done.stdout, re.M)
    assert kept and len(os.listdir(kept[2])) >= int(kept[1]), done.stdout
