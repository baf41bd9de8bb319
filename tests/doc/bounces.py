"""Whether postrider-bounces(5) has the classes and rules of src/wire/classify.c, all of them and in their order.

Usage: bounces.py SRCDIR. Prints what the page should say where it says something else, exit status 1 then. What a class
means is written by hand; all else in the two lists is as made here.
"""
import re
import sys
from pathlib import Path

PLACES = {"HELLO": "greeting", "TLS": "STARTTLS", "AUTH": "AUTH", "MAIL": "MAIL", "RCPT": "RCPT", "DATA": "DATA"}


def initializers(source, name):
    """The rows of a table, each as the list of its fields; names without quotes, texts with."""
    body = re.search(r"\b%s\[\w*\] = \{\n(.*?)^\};" % name, source, re.S | re.M).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    return [
        (m.group(1), [f.strip() for f in re.findall(r'"[^"]*"|[\w |]+', m.group(2)) if f.strip()])
        for m in re.finditer(r"^\s*(?:\[(\w+)\] = )?\{ (.*) \},$", body, re.M)
    ]


def text(field):
    return field.strip('"')


def read(source):
    classes = {}
    for name, fields in initializers(source, "classes"):
        classes[name] = [text(f) for f in fields]
    rules = []
    for _, (where, codes, status, words, failure, later) in initializers(source, "rules"):
        rules.append((where, text(codes).split(), text(status).split(), words, failure, later == "true"))
    return classes, rules


def joined(items):
    return ", ".join(items[:-1]) + (" or " if len(items) > 1 else "") + items[-1]


def class_lines(classes):
    for name, (word, bounce, subtype, delay, detail) in classes.items():
        if name != "FAILURE_NONE":
            yield [f".It Ic {word}", f"{bounce}/{subtype}; {delay}; x.{detail}.", ".br"]


def rule_lines(classes, rule):
    where, codes, status, words, failure, later = rule
    lines = [".It", f".Ic {classes[failure][0]} :"]
    if where == "LOCAL":
        what = ["a cause of our own"]
    elif where == "REPLY":
        what = ["any reply"]
    else:
        what = ["a reply to " + joined([PLACES[w.strip()] for w in where.split("|")])]
    if codes:
        what.append("code " + joined([c + "x" * (3 - len(c)) for c in codes]))
    if status:
        what.append("status " + joined(status))
    end = "; a 5xx is tried again, too." if later else "."
    if words == "NO_WORDS":
        what.append("no words")
    elif text(words):
        phrases = text(words).split("|")
        lines.append("; ".join(what) + "; with")
        lines += [f".Dq {p} ," for p in phrases[:-1]]
        if len(phrases) > 1:
            lines[-1] = lines[-1][:-2]
            lines.append("or")
        return lines + [f".Dq {phrases[-1]}" + (" ;" if later else " .")] + ([end[2:]] if later else [])
    return lines + ["; ".join(what) + end]


def section(page, name):
    found = re.search(r"^\.\\\" %s begin$\n(.*?)^\.\\\" %s end$" % (name, name), page, re.S | re.M)
    if not found:
        sys.exit("postrider-bounces.5 has no part between the comments '%s begin' and '%s end'" % (name, name))
    return found.group(1).splitlines()


def main():
    top = Path(sys.argv[1])
    classes, rules = read((top / "src/wire/classify.c").read_text())
    page = (top / "doc/postrider-bounces.5").read_text()
    # What must be found whatever happens to the source's style: if not, this script is blind.
    if len(classes) < 30 or len(rules) < 70:
        sys.exit("only %d classes and %d rules found: teach bounces.py the source's style" % (len(classes), len(rules)))
    status = 0
    got = section(page, "classes")
    heads = [(i, line) for i, line in enumerate(got) if line.startswith(".It")]
    wanted = list(class_lines(classes))
    for n in range(max(len(heads), len(wanted))):
        want = wanted[n] if n < len(wanted) else []
        at = heads[n][0] if n < len(heads) else len(got)
        if got[at : at + 3] != want or len(got) <= at + 3 or got[at + 3].startswith(".It"):
            print("\n".join([f"class {n + 1} should be, with a meaning behind it:"] + want))
            status = 1
    got = section(page, "rules")
    want = [line for rule in rules for line in rule_lines(classes, rule)]
    if got != want:
        print("\n".join(["the rules should be:"] + want))
        status = 1
    print("%d classes and %d rules compared" % (len(classes) - 1, len(rules)))
    sys.exit(status)


main()
