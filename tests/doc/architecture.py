#!/usr/bin/python3
"""doc/ARCHITECTURE.md speaks of files and functions that are there: each `path.c` exists, and each name in backticks that
looks like one of C stands somewhere in the source."""
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def sources():
    text = []
    for folder, _, names in os.walk(os.path.join(TOP, "src")):
        for name in names:
            if name.endswith((".c", ".h")):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    text.append(f.read())
    return "\n".join(text)


def main():
    with open(os.path.join(TOP, "doc/ARCHITECTURE.md"), encoding="utf-8") as f:
        page = f.read()
    words = set(re.findall(r"\b[A-Za-z_][A-Za-z0-9_]+\b", sources()))
    wrong = []
    for quoted in sorted(set(re.findall(r"`([^`\n]+)`", page))):
        if re.fullmatch(r"[\w./-]+\.[a-z0-9]+(\.in)?", quoted):
            if not any(os.path.exists(os.path.join(TOP, base, quoted)) for base in ("", "src", "doc", "tests")):
                if "." in quoted and "/" in quoted:
                    wrong.append(f"no such file: {quoted}")
        elif re.fullmatch(r"[a-z]+(_[a-z0-9]+)+(\[\])?", quoted):
            if quoted.rstrip("[]") not in words:
                wrong.append(f"no such name in src/: {quoted}")
    for text in wrong:
        print("doc/ARCHITECTURE.md:", text)
    return 1 if wrong else 0


sys.exit(main())
