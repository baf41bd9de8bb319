#!/usr/bin/env python3
"""The benchmark: postrider and Postfix with opendkim through the same scenarios, in turns, on one machine.

Prints a table and writes all figures, with the machine and the configurations, as JSON. See README.md beside this."""

import argparse
import datetime
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # never into the source tree

import measure  # noqa: E402
import scenarios  # noqa: E402
import servers  # noqa: E402

MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "overlay")


def parse():
    p = argparse.ArgumentParser(prog="make bench BENCH_ARGS=...", description=__doc__)
    p.add_argument("--quick", action="store_true", help="one round, short: under 4 minutes, for a first look")
    p.add_argument("--rounds", type=int, help="how often each pair is measured (default 3)")
    p.add_argument("--seconds", type=float, help="how long each load lasts (default 4)")
    p.add_argument("--only", help="scenarios, such as S1,S2 (default: all)")
    p.add_argument("--servers", default="postrider,postfix", help="default: %(default)s")
    p.add_argument("--before", metavar="BUILD", help="compare with another build of postrider, not with Postfix")
    p.add_argument("--backlog", type=int, help="messages queued in S7 (default 100000, or what is taken in the time)")
    p.add_argument("--backlog-seconds", type=float, help="longest time to fill and to drain the queue of S7 (default 60)")
    p.add_argument("--work", default="/var/tmp", help="where spools and queues are: on a disk (default %(default)s)")
    p.add_argument("--ports", default="25100-25999", help="ports of loopback to use (default %(default)s)")
    p.add_argument("--output", default="bench.json", help="default: %(default)s")
    args = p.parse_args()
    quick = args.quick
    args.rounds = args.rounds or (1 if quick else 3)
    args.seconds = args.seconds or (2 if quick else 4)
    args.backlog = args.backlog or (20000 if quick else 100000)
    args.backlog_seconds = args.backlog_seconds or (15 if quick else 60)
    args.only = args.only.split(",") if args.only else list(scenarios.ALL)
    args.servers = args.servers.split(",")
    if args.before:
        servers.Before.program = os.path.join(os.path.abspath(args.before), "src/main/postriderd")
        args.servers = ["postrider", "before"]
    for names, known in ((args.only, scenarios.ALL), (args.servers, servers.ALL)):
        unknown = [n for n in names if n not in known]
        if unknown:
            p.error(f"{', '.join(unknown)}: not among {', '.join(known)}")
    args.ports = servers.Ports(*map(int, args.ports.split("-")))
    return args


def say(text):
    print(text, flush=True)


# ---------------------------------------------------------------- running


def usable_servers(names):
    usable = []
    for name in names:
        why = servers.ALL[name].missing()
        if why is None:
            usable.append(name)
        else:
            say(f"without {name}: {why}")
    return usable


def run_one(args, work, keys, name, server):
    """One scenario, one server, one time. Its figures, and the server's configuration."""
    run = scenarios.Run(
        servers.ALL[server], work, keys, args.ports, args.seconds, args.backlog, args.backlog_seconds
    )
    begin = time.monotonic()
    try:
        figures = scenarios.ALL[name][0](run)
    except (RuntimeError, AssertionError, OSError, ValueError) as e:
        figures = {"error": str(e)[:2000]}
    figures["took_s"] = time.monotonic() - begin
    return figures, run.configuration


def able(scenario, names):
    return [n for n in names if scenario not in scenarios.OURS or issubclass(servers.ALL[n], servers.Postrider)]


def run_all(args, work, names):
    """{scenario: {server: {"rounds": [figures], "configuration": text}}}; servers take turns within a round."""
    keys = servers.Keys(work)
    results = {s: {n: {"rounds": [], "configuration": ""} for n in able(s, names)} for s in args.only}
    for number in range(args.rounds):
        for scenario in args.only:
            if number > 0 and scenario in scenarios.ONCE:
                continue
            for server in able(scenario, names if number % 2 == 0 else names[::-1]):
                figures, configuration = run_one(args, work, keys, scenario, server)
                results[scenario][server]["rounds"].append(figures)
                results[scenario][server]["configuration"] = configuration
                say(f"  round {number + 1} {scenario:3} {server:10} {figures['took_s']:5.1f} s  {headline(figures)}")
    return results


def headline(figures):
    if "error" in figures:
        return "FAILED: " + figures["error"]
    for key, unit in (
        ("healthy_per_s", "healthy messages/s"),
        ("delivered_per_s", "messages/s"),
        ("kib_per_connection", "KiB a connection"),
    ):
        if key in figures:
            return f"{figures[key]:.0f} {unit}"
    return f"{figures['dot_to_250_ms']['p50']:.2f} ms"


# ---------------------------------------------------------------- results


def median(rounds):
    """Of each figure over the rounds that did not fail; counts of messages are added up."""
    good = [r for r in rounds if "error" not in r]
    if not good:
        return {}
    return {k: _median_of(k, [r[k] for r in good]) for k in good[0]}


def _median_of(key, values):
    if isinstance(values[0], dict):
        return {k: statistics.median(v[k] for v in values) for k in values[0]}
    if any(v is None or isinstance(v, bool) for v in values):
        return values[-1]
    if key in ("acked", "refused", "in_doubt", "lost", "duplicates"):
        return sum(values)
    return statistics.median(values)


def spread(rounds, key):
    values = [r[key] for r in rounds if "error" not in r]
    return f"{min(values):.0f}-{max(values):.0f}" if len(values) > 1 else ""


def number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def pair(latency):
    return f"{number(latency['p50'])} / {number(latency['p99'])}"


def kept(m):
    return f"{m['acked']} / {'?' if m['lost'] is None else m['lost']} / {m['duplicates']}"


def table(head, rows):
    """Text that is a Markdown table, too."""
    rows = [head] + [[str(c) for c in row] for row in rows]
    widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, widths)) + " |" for r in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def ratio(medians, other, key):
    """postrider's figure over the other server's, or ""."""
    ours, theirs = (medians.get(s, {}).get(key) for s in ("postrider", other))
    return f"{ours / theirs:.2f}x" if ours and theirs else ""


def rows_of(results, wanted, cells):
    rows = []
    for scenario in [s for s in results if s in wanted]:
        for server, r in results[scenario].items():
            m = r["median"]
            rows.append([scenario, server, *(cells(m, r["rounds"]) if m else ["failed"])])
            rows[-1] += [""] * (len(cells.__defaults__[0]) + 2 - len(rows[-1]))
    return rows


THROUGHPUT = ["messages/s", "min-max", "CPU ms a message", "peak MiB", "dot-250 ms p50 / p99", "dot-arrival ms p50 / p99",
              "tools' CPU ms", "acked / lost / dup"]  # fmt: skip
LATENCY = [
    "dot-250 ms p50 / p99",
    "dot-arrival ms p50 / p99",
    "fdatasync at that rate",
    "one after the other",
    "acked / lost / dup",
]
SLOW = ["healthy/s without", "healthy/s with slow", "loss", "dot-arrival ms without", "dot-arrival ms with",
        "acked / lost / dup"]  # fmt: skip
BACKLOG = ["queued", "taken/s empty", "taken/s full", "CPU ms empty", "CPU ms full", "MiB empty", "MiB full", "drained/s",
           "CPU ms", "acked / lost / dup"]  # fmt: skip
STORE = ["ready s empty", "ready s full", "MiB empty", "MiB full", "MiB after the load", "messages/s empty", "messages/s full",
         "CPU ms empty", "CPU ms full", "acked / lost / dup"]  # fmt: skip
CROWD = ["idle", "dripping", "login ms alone p50 / p99", "login ms beside p50 / p99", "dot-250 ms alone p50 / p99",
         "dot-250 ms beside p50 / p99", "RSS KiB an idle one", "cores busy", "acked / lost / dup"]  # fmt: skip
IDLE = ["connections", "KiB a connection", "MiB before", "MiB after", "CPU ms a connection"]


def throughput_cells(m, rounds, _head=THROUGHPUT):
    return [number(m["delivered_per_s"]), spread(rounds, "delivered_per_s"), f"{m['cpu_ms_per_message']:.3f}",
            number(m["peak_mib"]), pair(m["dot_to_250_ms"]), pair(m["dot_to_arrival_ms"]),
            f"{m['tools_cpu_ms_per_message']:.3f}", kept(m)]  # fmt: skip


def latency_cells(m, _rounds, _head=LATENCY):
    return [pair(m["dot_to_250_ms"]), pair(m["dot_to_arrival_ms"]), pair(m["fdatasync_ms"]), pair(m["fdatasync_busy_ms"]), kept(m)]


def slow_cells(m, _rounds, _head=SLOW):
    return [number(m["healthy_per_s_without"]), number(m["healthy_per_s"]), f"{m['loss_percent']:.0f} %",
            pair(m["dot_to_arrival_ms_without"]), pair(m["dot_to_arrival_ms"]), kept(m)]  # fmt: skip


def backlog_cells(m, _rounds, _head=BACKLOG):
    return [number(m["queued"]), number(m["accepted_per_s_empty"]), number(m["accepted_per_s_full"]),
            f"{m['accept_cpu_ms_empty']:.3f}", f"{m['accept_cpu_ms_full']:.3f}", number(m["memory_mib_empty"]),
            number(m["memory_mib_full"]), number(m["delivered_per_s"]) + ("" if m["drained"] else " (not all)"),
            f"{m['cpu_ms_per_message']:.3f}", kept(m)]  # fmt: skip


def idle_cells(m, _rounds, _head=IDLE):
    return [m["connections"], number(m["kib_per_connection"]), number(m["memory_mib_before"]), number(m["memory_mib"]),
            number(m["cpu_ms_per_connection"])]  # fmt: skip


def store_cells(m, _rounds, _head=STORE):
    return [number(m["ready_s_empty"]), number(m["ready_s"]), number(m["mib_empty"]), number(m["mib"]), number(m["used_mib"]),
            number(m["delivered_per_s_empty"]), number(m["delivered_per_s"]), f"{m['cpu_ms_per_message_empty']:.3f}",
            f"{m['cpu_ms_per_message']:.3f}", kept(m)]  # fmt: skip


def crowd_cells(m, _rounds, _head=CROWD):
    return [m["idle"], m["dripping"], pair(m["connect_to_login_ms_alone"]), pair(m["connect_to_login_ms"]),
            pair(m["dot_to_250_ms_alone"]), pair(m["dot_to_250_ms"]), number(m["rss_kib_per_connection"]),
            number(m["cores_busy"]), kept(m)]  # fmt: skip


TABLES = (
    ({"S1", "S2", "S3", "S3b", "S4"}, THROUGHPUT, throughput_cells),
    ({"S5"}, LATENCY, latency_cells),
    ({"S6"}, SLOW, slow_cells),
    ({"S7"}, BACKLOG, backlog_cells),
    ({"S8"}, IDLE, idle_cells),
    ({"S9", "S9b"}, STORE, store_cells),
    ({"S10"}, CROWD, crowd_cells),
)


def print_results(report):
    results, machine = report["scenarios"], report["machine"]
    say(f"\n{report['date']}, {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"{machine['file_system']} on {machine['device']}")  # fmt: skip
    for name, version in report["versions"].items():
        say(f"{name}: {version}")
    for size, c in report["ceiling"].items():
        say(f"load generator against sink, {size}: {c['per_s']:.0f} messages/s, {c['cpu_ms_per_message']:.3f} ms of CPU a message")
    if report["rsa2048_ms_one_core"] and report["rsa2048_ms_all_cores"]:
        say(f"openssl speed rsa2048: {report['rsa2048_ms_one_core']:.3f} ms a signature on one core, "
            f"{report['rsa2048_ms_all_cores']:.3f} ms when all cores sign")  # fmt: skip
    for wanted, head, cells in TABLES:
        rows = rows_of(results, wanted, cells)
        if rows:
            say("\n" + table(["", "server", *head], rows))
    other = next((n for n in report["versions"] if n != "postrider"), "")
    say(f"\nRatios postrider : {other} (medians)")
    rows = []
    for scenario, servers_of in results.items():
        medians = {n: r["median"] for n, r in servers_of.items()}
        row = [scenario, scenarios.ALL[scenario][1], ratio(medians, other, "healthy_per_s") or ratio(medians, other, "delivered_per_s"),
               ratio(medians, other, "cpu_ms_per_message"), ratio(medians, other, "peak_mib") or ratio(medians, other, "kib_per_connection")]  # fmt: skip
        rows.append(row)
    say(table(["", "what", "messages/s", "CPU a message", "memory"], rows))
    say("\n" + scenarios.NOTES)


def lost_any(results):
    return any(r["median"].get("lost") for by_server in results.values() for n, r in by_server.items() if n == "postrider")


def failed_any(results):
    return any("error" in f for by_server in results.values() for r in by_server.values() for f in r["rounds"])


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped on the way out
    names = usable_servers(args.servers)
    if not names:
        return 77
    kind, _ = measure.file_system(args.work)
    if kind in MEMORY_FILE_SYSTEMS:
        say(f"warning: {args.work} is on {kind}: not what a disk would show")
    work = tempfile.mkdtemp(prefix="postrider-bench-", dir=args.work)
    os.chmod(work, 0o755)
    try:
        run = scenarios.Run(None, work, None, args.ports, args.seconds, 0, 0)
        report = {
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "command": sys.argv[1:],
            "machine": measure.machine(work),
            "cpu_time_from": measure_how(),
            "versions": {n: servers.ALL[n].version() for n in names},
            "build": build_options(),
            "rounds": args.rounds,
            "seconds": args.seconds,
            "ceiling": {f"{k} KiB": scenarios.ceiling(run, k * 1024) for k in (4, 32)},
            "rsa2048_ms_one_core": measure.rsa_sign_ms(1),
            "rsa2048_ms_all_cores": measure.rsa_sign_ms(os.cpu_count()),
        }
        report["scenarios"] = run_all(args, work, names)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report["machine"]["load_at_end"] = os.getloadavg()[0]
    for by_server in report["scenarios"].values():
        for r in by_server.values():
            r["median"] = median(r["rounds"])
    print_results(report)
    with open(args.output, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
    say(f"All figures: {os.path.abspath(args.output)}")
    return 1 if failed_any(report["scenarios"]) or lost_any(report["scenarios"]) else 0


def measure_how():
    group = measure.Group("probe")
    group.close()
    return group.how


def build_options():
    """What configure was called with, as its log says."""
    for line in measure.read(os.path.join(scenarios.BUILD, "config.log")).splitlines():
        if line.startswith("  $ "):
            return line[4:]
    return ""


if __name__ == "__main__":
    sys.exit(main())
