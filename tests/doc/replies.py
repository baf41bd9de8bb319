"""Prints the SMTP replies that the sources can give and that a manual page does not mention.

Usage: replies.py SRCDIR < rendered page. Exit status 1 when something is missing.

A reply is found in the arguments of the functions that make one (CALLS below: every text literal there that is not
only a "%s"), in literals that begin with a code ("250-SIZE ..."), and in the functions of which every returned
literal is the text of a reply (RETURNS). A printf conversion stands for anything.
"""
import re
import sys
from pathlib import Path

FOLDERS = ["smtp", "submit", "wire", "mail", "account", "auth", "spool", "identity", "net"]

# function: (the code and words it puts in front, or None where the code is an argument)
CALLS = {
    "session_reply": None,
    "session_error": None,
    "session_say_later": None,
    "idle_command": None,
    "why_set": None,
    "fail": None,  # auth/auth.c
    "refuse": "554 Transaction failed: ",  # mail/*.c
    "refuse_field": "",
    "snprintf": "",  # smtp/ puts one together that way; see replies()
}

# file: {function, or "*" for all of the file: the code and words in front of what it returns}
RETURNS = {
    "smtp/session.c": {"wrong_place": "503 "},
    "mail/address.c": {"*": ""},
}

# The page lists these texts once, below "554 Transaction failed: TEXT".
BARE = {"mail/address.c"}

LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|/\*.*?\*/|//[^\n]*', re.S)
CONVERSION = re.compile(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j)?[a-zA-Z]")


def without_comments(text):
    return TOKEN.sub(lambda m: " " if m.group().startswith("/") else m.group(), text)


def arguments(text, start):
    """What stands between the parenthesis at `start` and its partner."""
    depth, at = 0, start
    while at < len(text):
        token = TOKEN.match(text, at)
        if token:
            at = token.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return text[start + 1 : at - 1]
    return ""


def literals(code):
    """Text literals with neighbours joined, as the compiler joins them."""
    out, end = [], None
    for m in LITERAL.finditer(code):
        text = m.group(1).replace('\\"', '"').replace("\\\\", "\\")
        if end is not None and not code[end : m.start()].strip():
            out[-1] += text
        else:
            out.append(text)
        end = m.end()
    return [line for text in out for line in text.split("\\r\\n")]


def has_words(text):
    return re.search(r"[A-Za-z]{2}", CONVERSION.sub("", text)) is not None


def replies(path, name):
    code = without_comments(path.read_text())
    code = re.sub(r'" PRI\w+ "', "lld", code)
    for function, prefix in CALLS.items():
        if function == "snprintf" and not name.startswith("smtp/"):
            continue
        for m in re.finditer(r"(?<![\w.>])%s\(" % function, code):
            inside = arguments(code, m.end() - 1)
            codes = re.findall(r"(?<![\w.])([2-5]\d\d)(?![\w.])", LITERAL.sub("", inside))
            for text in filter(has_words, literals(inside)):
                if prefix is not None:
                    if function != "snprintf" or " " in text:
                        yield [text if name in BARE else prefix + text]
                elif codes:
                    yield ["%s %s" % (c, text) for c in codes]
    for text in literals(code):
        # 334's words are base64; the codes of sample replies elsewhere are not ours.
        if name.startswith("smtp/") and re.match(r"[2-5]\d\d[ -]", text) and has_words(text[4:]):
            yield [text]
    for function, prefix in RETURNS.get(name, {}).items():
        body = code
        if function != "*":
            body = re.search(r"^%s\(.*?^}" % function, code, re.S | re.M).group()
        for m in re.finditer(r"return\b([^;]*);", body):
            if not re.match(r"\s*(why_set|refuse)", m.group(1)):
                for text in filter(has_words, literals(m.group(1))):
                    yield [prefix + text]


def pattern(text):
    parts = [re.escape(" ".join(p.split(" "))) for p in CONVERSION.split(text)]
    return re.compile(r"[^\n]{1,60}?".join(re.sub(r"(\\ )+", r"\\s+", p) for p in parts))


def main():
    page = re.sub(r".\x08", "", sys.stdin.read())
    page = re.sub(r"[ \t]*\n[ \t]*(?=\S)", "\n", page)
    src = Path(sys.argv[1]) / "src"
    count = missing = 0
    for folder in FOLDERS:
        for path in sorted((src / folder).glob("*.c")):
            name = "%s/%s" % (folder, path.name)
            for forms in replies(path, name):
                count += 1
                if not any(pattern(form).search(page) for form in forms):
                    missing += 1
                    print("%s: not in the page: %s" % (name, " or ".join(forms)))
    # What must be found whatever happens to the sources' style: if not, this script is blind.
    if count < 100:
        sys.exit("only %d replies found: teach tests/doc/replies.py how the sources make them" % count)
    print("%d replies looked for, %d missing" % (count, missing))
    sys.exit(1 if missing else 0)


main()
