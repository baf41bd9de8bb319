#!/usr/bin/python3
"""Each folder of src/ includes only folders that lie below it, and each library has one home.

The linker checks calls (a test links only what lies below it); this checks headers.
"""
import os
import re
import sys

# folder: what it may include besides itself.
PURE = {"util"}
PLATFORM = PURE | {"mail", "wire", "config", "net"}
SERVICES = PLATFORM | {"event"}
FLOW = SERVICES | {"account", "auth", "configset", "dns", "filter", "identity", "sign", "spool", "store", "suppress"}
ALLOWED = {
    "util": set(),
    "mail": PURE,
    "wire": PURE | {"mail"},
    "config": PURE,
    "net": PURE | {"config", "wire"},
    "event": PURE | {"config", "mail", "wire"},
    "dns": SERVICES,
    "spool": SERVICES,
    "store": SERVICES,
    "sign": SERVICES,
    "filter": SERVICES,
    "identity": SERVICES,
    "configset": SERVICES,
    "suppress": SERVICES,
    "account": SERVICES,
    "auth": SERVICES,
    "bounce": FLOW,
    "delivery": FLOW | {"bounce"},
    "queue": FLOW | {"bounce", "delivery"},
    "submit": FLOW | {"bounce", "delivery", "queue"},
    "admin": FLOW,
    "http": FLOW | {"admin", "queue", "submit"},
    "smtp": FLOW | {"submit"},
    # The command reads a spool that no daemon has, by the daemon's own code.
    "cli": PURE | {"auth", "config", "mail", "queue", "spool"},
}
ALLOWED["main"] = set(ALLOWED)

# Headers of a library, and the folders that may name them.
LIBRARIES = {
    r"event2/": {"net", "http", "dns", "main"},
    r"openssl/ssl\.h": {"net"},
    r"openssl/": {"net", "util", "sign", "auth"},
    r"sasl/": {"auth"},
    r"libconfig\.h": {"config"},
    r"dkim\.h|opendkim/": {"sign"},
    r"unbound": {"dns"},
    r"idn2\.h": {"dns", "mail"},
    r"jansson\.h": {"http", "cli"},
    r"sqlite3\.h": {"store"},
    r"curl/": {"cli"},
}


def main(top):
    wrong = []
    source = os.path.join(top, "src")
    for folder in sorted(os.listdir(source)):
        path = os.path.join(source, folder)
        if not os.path.isdir(path):
            continue
        if folder not in ALLOWED:
            wrong.append(f"src/{folder}: a folder that {os.path.basename(__file__)} does not know")
            continue
        for name in sorted(os.listdir(path)):
            if not name.endswith((".c", ".h")):
                continue
            with open(os.path.join(path, name), encoding="utf-8") as f:
                for number, line in enumerate(f, 1):
                    wrong += check_line(folder, f"src/{folder}/{name}:{number}", line)
    for text in wrong:
        print(text)
    return 1 if wrong else 0


def check_line(folder, where, line):
    own = re.match(r'#include "([a-z]+)/', line)
    if own and own.group(1) != folder and own.group(1) not in ALLOWED[folder]:
        return [f"{where}: {folder}/ must not include {own.group(1)}/"]
    foreign = re.match(r"#include <(\S+)>", line)
    if foreign:
        for pattern, homes in LIBRARIES.items():
            if re.match(pattern, foreign.group(1)):
                return [] if folder in homes else [f"{where}: <{foreign.group(1)}> has its home in {sorted(homes)}"]
    return []


sys.exit(main(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")))
