"""The scenarios: each runs once against one server and returns its figures as a dict."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time

from measure import Group, Peak, sync_times
from servers import CONCURRENCY, IDLE_CONNECTIONS, Setup
from lib.daemon import BUILD
from lib.slowloris import Slowloris

SESSIONS = 100
KIB = 1024
SLOW_DOMAINS, DOMAINS = 2, 10
SLOW_MS = 500
STUCK_MS = 3000000
STALL_S = 30
LATENCY_RATE = 20
MESSAGES_A_LOGIN = 10
MANY_ACCOUNTS, IDENTITIES_EACH = 10000, 100
MANY_IDENTITIES = 10000
SLOW_CLIENTS = 500
SLOW_PERIOD_S = 3.0
SLOW_LIMIT_S = 60  # to be in place
IDLE_ADDRESS, SLOW_ADDRESSES = "127.0.0.11", tuple(f"127.0.0.{i}" for i in range(21, 31))
SEQ_MAX = 3000000
WARM_UP_S = 1
TLS_GENERATORS = 2  # a client's side of a handshake costs as much as the server's: one thread is not enough


class Run:
    """What all scenarios are given: the server's class and how to make it, and how long to measure."""

    def __init__(self, server_class, work, keys, ports, seconds, backlog, backlog_seconds):
        self.server_class, self.work, self.keys, self.ports = server_class, work, keys, ports
        self.seconds, self.backlog, self.backlog_seconds = seconds, backlog, backlog_seconds
        self.configuration = ""

    @contextlib.contextmanager
    def server(self, setup, fast_port, slow_port=None):
        server = self.server_class(self.work, self.keys, self.ports, setup, fast_port, slow_port)
        try:
            self.configuration = server.configuration()
            yield server
        finally:
            server.stop()


class Tools:
    """Sinks and load generators in a control group of their own, so that their share of the cores is known."""

    def __init__(self, ports):
        self.ports, self.group, self.sinks, self.loads = ports, Group("tools"), [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.loads + [s.process for s in self.sinks]:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
        self.group.close()

    def sink(self, *options):
        self.sinks.append(Sink(self, self.ports.take(), options))
        return self.sinks[-1]

    def start(self, program, *options):
        with self.group.inside():
            process = subprocess.Popen(
                [os.path.join(BUILD, "tests/bench", program), *map(str, options)], stdout=subprocess.PIPE, text=True
            )
        self.group.roots.append(process.pid)
        return process

    def load(self, server, *options, sessions=SESSIONS, size=4 * KIB, messages=1000000):
        """Start smtp_load against a server (or a sink: what has a port)."""
        tls = server.setup.tls if hasattr(server, "setup") else False
        user, logins = getattr(server, "user", ""), getattr(server, "logins", "")
        login = ["--logins", logins] if logins else ["--user", user, "--password", server.password] if user else []
        self.loads.append(
            self.start("smtp_load", "--port", server.port, "--tls", "starttls" if tls else "none", *login, "--sessions",
                       sessions, "--size", size, "--messages", messages, *options)
        )  # fmt: skip
        return self.loads[-1]


class Sink:
    def __init__(self, tools, port, options):
        self.port = port
        self.process = tools.start("smtp_sink", "--port", port, "--max", SEQ_MAX, *options)
        self.process.stdout.readline()

    def counts(self):
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())

    def end_delays(self):
        self.process.send_signal(signal.SIGUSR2)

    def result(self):
        self.process.send_signal(signal.SIGTERM)
        return json.loads(self.process.stdout.read().splitlines()[-1])


def finish(load, timeout_s=600):
    out, _ = load.communicate(timeout=timeout_s)
    if load.returncode != 0:
        raise RuntimeError(f"smtp_load ended with {load.returncode}")
    return json.loads(out.splitlines()[-1])


def finish_all(loads):
    """Several generators as one: what they counted is added up, of their percentiles it is the mean."""
    parts = [finish(load) for load in loads]
    whole = {k: sum(p[k] for p in parts) for k in ("acked", "refused", "in_doubt", "connections", "per_second")}
    whole["latency_us"] = {k: sum(p["latency_us"][k] for p in parts) / len(parts) for k in parts[0]["latency_us"]}
    return whole


def wait_for(sinks, count, limit_s=600, what=("unique",)):
    """Until the sinks have `count` messages, or nothing comes any more. How many came."""
    begin = moved = time.monotonic()
    last = -1
    while True:
        have = sum(s.counts()[w] for s in sinks for w in what)
        now = time.monotonic()
        if have > last:
            last, moved = have, now
        if have >= count or now - moved > STALL_S or now - begin > limit_s:
            return have
        time.sleep(0.1)


def warm_up(tools, server, sinks, *options, **load):
    """All processes and connections that the load needs are there before it is measured. These do not count."""
    done = finish(tools.load(server, "--seconds", WARM_UP_S, "--first", SEQ_MAX, *options, **load))
    wait_for(sinks, done["acked"], what=("unnumbered",))


def ms(latency):
    return {k: v / 1000 for k, v in latency.items()}


def throughput(run, setup, *options, size=4 * KIB, generators=1):
    """As many messages as the server takes in the time, until the last has arrived."""
    with Tools(run.ports) as tools:
        sink = tools.sink()
        with run.server(setup, sink.port) as server:
            warm_up(tools, server, [sink], size=size)
            cpu, tools_cpu, begin = server.group.cpu_s(), tools.group.cpu_s(), time.monotonic()
            peak = Peak(server.group)
            load = finish_all(
                [
                    tools.load(server, "--seconds", run.seconds, "--first", i * SEQ_MAX // generators, *options, size=size,
                               sessions=SESSIONS // generators)
                    for i in range(generators)
                ]
            )  # fmt: skip
            wait_for([sink], load["acked"])
            wall = time.monotonic() - begin
            cpu, tools_cpu = server.group.cpu_s() - cpu, tools.group.cpu_s() - tools_cpu
            memory = peak.stop()
        got = sink.result()
    return {
        "delivered_per_s": got["unique"] / got["seconds"] if got["seconds"] else 0,
        "accepted_per_s": load["per_second"],
        "cpu_ms_per_message": cpu * 1000 / max(got["unique"], 1),
        "tools_cpu_ms_per_message": tools_cpu * 1000 / max(got["unique"], 1),
        "cores_busy": cpu / wall,
        "peak_mib": memory / KIB,
        "bytes_per_message": got["bytes"] / max(got["messages"], 1),
        "dot_to_250_ms": ms(load["latency_us"]),
        "dot_to_arrival_ms": ms(got["latency_us"]),
        "connections": load["connections"],
        **counts(load, [got]),
    }


def counts(load, sinks):
    """Acknowledged, lost, duplicated. What was in doubt may have arrived and is not missed when it did not."""
    unique = sum(s["unique"] for s in sinks)
    return {
        "acked": load["acked"],
        "refused": load["refused"],
        "in_doubt": load["in_doubt"],
        "lost": max(load["acked"] - unique, 0),
        "duplicates": sum(s["duplicates"] for s in sinks),
    }


def s1(run):
    return throughput(run, Setup())


def s2(run):
    return throughput(run, Setup(dkim=True))


def s3(run):
    return throughput(run, Setup(tls=True, auth=True, dkim=True), "--per-connection", 10, generators=TLS_GENERATORS)


def s3b(run):
    return throughput(run, Setup(tls=True, auth=True, dkim=True), "--per-connection", 1, generators=TLS_GENERATORS)


def s4(run):
    return throughput(run, Setup(), size=32 * KIB)


def seconds(times):
    """Of a sorted list of seconds, in milliseconds."""
    return {"p50": times[len(times) // 2] * 1000, "p99": times[int(len(times) * 0.99)] * 1000}


def s5(run):
    """One session, a steady low rate: what one message costs in time when nothing else goes on."""
    idle, busy = sync_times(run.work, LATENCY_RATE), sync_times(run.work)
    with Tools(run.ports) as tools:
        sink = tools.sink()
        with run.server(Setup(), sink.port) as server:
            warm_up(tools, server, [sink], sessions=1)
            load = finish(tools.load(server, "--seconds", run.seconds, "--rate", LATENCY_RATE, sessions=1))
            wait_for([sink], load["acked"])
        got = sink.result()
    return {
        "dot_to_250_ms": ms(load["latency_us"]),
        "dot_to_arrival_ms": ms(got["latency_us"]),
        "fdatasync_ms": seconds(idle),
        "fdatasync_busy_ms": seconds(busy),
        **counts(load, [got]),
    }


def slow_share(run, delay_ms):
    """The rate of the healthy 80 % of the destinations, with the others answering after delay_ms."""
    with Tools(run.ports) as tools, tempfile.NamedTemporaryFile("r", dir=run.work) as acked:
        fast, slow = tools.sink(), tools.sink("--delay", delay_ms)
        domains = tuple(f"{i}.dest.test" for i in range(1, SLOW_DOMAINS + 1))
        with run.server(Setup(slow_domains=domains), fast.port, slow.port) as server:
            load = finish(
                tools.load(server, "--seconds", run.seconds / 2, "--domains", DOMAINS, "--acked", acked.name)
            )
            healthy = sum(int(n) % DOMAINS >= SLOW_DOMAINS for n in acked)
            wait_for([fast], healthy)
            slow.end_delays()
            wait_for([fast, slow], load["acked"])
        results = [fast.result(), slow.result()]
    return {
        "healthy_per_s": results[0]["unique"] / results[0]["seconds"] if results[0]["seconds"] else 0,
        "dot_to_arrival_ms": ms(results[0]["latency_us"]),
        **counts(load, results),
    }


def s6(run):
    """Without, with, with, without: what changes slowly on the machine cancels out."""
    parts = [slow_share(run, delay_ms) for delay_ms in (0, SLOW_MS, SLOW_MS, 0)]
    none, slow = (parts[0], parts[3]), (parts[1], parts[2])

    def mean(of, *keys):
        values = list(of)
        for key in keys:
            values = [v[key] for v in values]
        return sum(values) / len(values)

    without, with_slow = mean(none, "healthy_per_s"), mean(slow, "healthy_per_s")
    return {
        "healthy_per_s": with_slow,
        "healthy_per_s_without": without,
        "loss_percent": 100 * (1 - with_slow / without) if without else 0,
        **{
            name: {p: mean(of, "dot_to_arrival_ms", p) for p in ("p50", "p90", "p99", "max")}
            for name, of in (("dot_to_arrival_ms", slow), ("dot_to_arrival_ms_without", none))
        },
        **{k: sum(p[k] for p in parts) for k in ("acked", "refused", "in_doubt", "lost", "duplicates")},
    }


def s7(run):
    """A queue behind a destination that does not answer; then it does."""
    with Tools(run.ports) as tools:
        sink = tools.sink("--delay", STUCK_MS)
        with run.server(Setup(), sink.port) as server:
            parts, sent = [], 0

            def accept(messages, seconds):
                nonlocal sent
                before = server.group.cpu_s()
                parts.append(
                    finish(tools.load(server, "--seconds", seconds, "--first", sent, messages=messages))
                )
                sent += parts[-1]["messages"]
                return (server.group.cpu_s() - before) * 1000 / max(parts[-1]["acked"], 1)

            warm = finish(tools.load(server, "--seconds", WARM_UP_S, "--first", SEQ_MAX))
            empty_cpu = accept(1000000, run.seconds)
            empty_memory = server.group.pss_kib()
            missing = run.backlog - parts[0]["acked"]
            if missing > 0:
                accept(missing, run.backlog_seconds)
            queued = sum(p["acked"] for p in parts)
            full_cpu = accept(1000000, run.seconds)
            full_memory = server.group.pss_kib()
            acked = sum(p["acked"] for p in parts)
            # Those that wait for an answer at this moment are counted by the sink already.
            everything = ("unique", "unnumbered")
            before, cpu, begin = sum(sink.counts()[w] for w in everything), server.group.cpu_s(), time.monotonic()
            sink.end_delays()
            arrived = wait_for([sink], acked + warm["acked"], run.backlog_seconds, everything)
            drain_s = time.monotonic() - begin
            cpu = server.group.cpu_s() - cpu
            drained = arrived >= acked + warm["acked"]
        got = sink.result()
    whole = {k: sum(p[k] for p in parts) for k in ("acked", "refused", "in_doubt")}
    return {
        "queued": queued,
        "accepted_per_s_empty": parts[0]["per_second"],
        "accepted_per_s_full": parts[-1]["per_second"],
        "accept_cpu_ms_empty": empty_cpu,
        "accept_cpu_ms_full": full_cpu,
        "delivered_per_s": (arrived - before) / drain_s,
        "cpu_ms_per_message": cpu * 1000 / max(arrived - before, 1),
        "memory_mib_empty": empty_memory / KIB,
        "memory_mib_full": full_memory / KIB,
        "drained": drained,
        **whole,
        "lost": max(acked - got["unique"], 0) if drained else None,
        "duplicates": got["duplicates"],
    }


def s8(run):
    """Memory of idle connections inside TLS."""
    with Tools(run.ports) as tools:
        sink = tools.sink()
        with run.server(Setup(tls=True, auth=True, idle_connections=IDLE_CONNECTIONS), sink.port) as server:
            finish(tools.load(server, messages=1, sessions=1))
            before, cpu = server.group.pss_kib(), server.group.cpu_s()
            load = tools.load(server, "--idle", sessions=IDLE_CONNECTIONS)
            open_now = json.loads(load.stdout.readline())["idle_sessions"]
            after, cpu = server.group.pss_kib(), server.group.cpu_s() - cpu
            load.send_signal(signal.SIGTERM)
            load.communicate(timeout=60)
    return {
        "connections": open_now,
        "kib_per_connection": (after - before) / open_now,
        "memory_mib_before": before / KIB,
        "memory_mib": after / KIB,
        "cpu_ms_per_connection": cpu * 1000 / open_now,
    }


def with_store(run, fill):
    """A start with so much in the store, and a load whose accounts and identities are taken at random."""
    setup = Setup(auth=True, fill=fill)
    with Tools(run.ports) as tools:
        sink = tools.sink()
        with run.server(setup, sink.port) as server:
            figures = {"ready_s": server.ready_s, "mib": server.group.pss_kib() / KIB,
                       "rss_mib": server.daemon.rss_kib() / KIB}  # fmt: skip
            options = ("--per-connection", MESSAGES_A_LOGIN)
            warm_up(tools, server, [sink], *options)
            cpu = server.group.cpu_s()
            load = finish(tools.load(server, "--seconds", run.seconds, *options))
            wait_for([sink], load["acked"])
            if load["refused"] > 0:
                raise RuntimeError(f"{load['refused']} messages refused:\n{server.daemon.log()[-1000:]}")
            cpu = server.group.cpu_s() - cpu
            figures["used_mib"] = server.group.pss_kib() / KIB
        got = sink.result()
    return {
        "delivered_per_s": got["unique"] / got["seconds"] if got["seconds"] else 0,
        "cpu_ms_per_message": cpu * 1000 / max(got["unique"], 1),
        "dot_to_250_ms": ms(load["latency_us"]),
        **figures,
        **counts(load, [got]),
    }


def beside_empty(run, *fill):
    """Empty, full, full, empty: what changes slowly on the machine cancels out."""
    parts = [with_store(run, f) for f in ((), fill, fill, ())]
    figures = {k: sum(p[k] for p in parts) for k in ("acked", "refused", "in_doubt", "lost", "duplicates")}
    for name, of in (("", (parts[1], parts[2])), ("_empty", (parts[0], parts[3]))):
        for key in ("delivered_per_s", "cpu_ms_per_message", "ready_s", "mib", "rss_mib", "used_mib"):
            figures[key + name] = sum(p[key] for p in of) / len(of)
        figures["dot_to_250_ms" + name] = {
            p: sum(o["dot_to_250_ms"][p] for o in of) / len(of) for p in ("p50", "p90", "p99", "max")
        }
    return figures


def s9(run):
    return beside_empty(run, MANY_ACCOUNTS, IDENTITIES_EACH)


def s9b(run):
    return beside_empty(run, 1, MANY_IDENTITIES)


def slow_in_place(server):
    """Clients that drip, when all of them do."""
    slow = Slowloris(server.port, server.tls_port, server.user, server.password, SLOW_CLIENTS, SLOW_ADDRESSES, SLOW_PERIOD_S)
    try:
        end = time.monotonic() + SLOW_LIMIT_S
        while slow.in_place() < SLOW_CLIENTS:
            if slow.failures or time.monotonic() > end:
                raise RuntimeError(f"slow clients: {slow.in_place()} in place; {slow.failures[:3]}")
            time.sleep(0.05)
    except BaseException:
        slow.close()
        raise
    return slow


def s10(run):
    """What one client that behaves waits, alone and beside idle connections and clients that drip."""
    setup = Setup(tls=True, auth=True, tls_first=True, idle_connections=IDLE_CONNECTIONS)
    parts = {}
    with Tools(run.ports) as tools:
        sink = tools.sink()

        def visit(name):
            first = len(parts) * SEQ_MAX // 2
            parts[name] = finish(
                tools.load(server, "--seconds", run.seconds, "--rate", LATENCY_RATE, "--first", first, "--per-connection",
                           1, sessions=1)
            )  # fmt: skip

        with run.server(setup, sink.port) as server:
            warm_up(tools, server, [sink], "--per-connection", 1, sessions=1)
            visit("alone")
            before = server.daemon.rss_kib()
            idle = tools.load(server, "--idle", "--bind", IDLE_ADDRESS, sessions=IDLE_CONNECTIONS)
            open_now = json.loads(idle.stdout.readline())["idle_sessions"]
            after = server.daemon.rss_kib()
            slow = slow_in_place(server)
            try:
                cpu = server.group.cpu_s()
                visit("beside")
                cpu = server.group.cpu_s() - cpu
                dripping = slow.in_place()
            finally:
                slow.close()
            wait_for([sink], sum(p["acked"] for p in parts.values()))
            idle.send_signal(signal.SIGTERM)
            idle.communicate(timeout=60)
        got = sink.result()
    if dripping < SLOW_CLIENTS:
        raise RuntimeError(f"{SLOW_CLIENTS - dripping} slow clients have gone")
    whole = {k: sum(p[k] for p in parts.values()) for k in ("acked", "refused", "in_doubt")}
    return {
        "dot_to_250_ms": ms(parts["beside"]["latency_us"]),
        "dot_to_250_ms_alone": ms(parts["alone"]["latency_us"]),
        "connect_to_login_ms": ms(parts["beside"]["entry_us"]),
        "connect_to_login_ms_alone": ms(parts["alone"]["entry_us"]),
        "idle": open_now,
        "dripping": dripping,
        "rss_kib_per_connection": (after - before) / open_now,
        "cores_busy": cpu / run.seconds,
        **counts(whole, [got]),
    }


def ceiling(run, size):
    """The load generator against the sink: no server can be measured to be faster."""
    with Tools(run.ports) as tools:
        sink = tools.sink()
        cpu = tools.group.cpu_s()
        load = finish(tools.load(sink, "--seconds", min(run.seconds, 3), size=size))
        cpu = tools.group.cpu_s() - cpu
        got = sink.result()
    return {"per_s": got["unique"] / got["seconds"], "cpu_ms_per_message": cpu * 1000 / load["acked"]}


ALL = {
    "S1": (s1, "4 KiB, 100 sessions, no TLS"),
    "S2": (s2, "S1 with DKIM (RSA-2048)"),
    "S3": (s3, "STARTTLS, AUTH, DKIM; 10 messages a connection"),
    "S3b": (s3b, "S3 with one message a connection"),
    "S4": (s4, "32 KiB, 100 sessions, no TLS"),
    "S5": (s5, f"one message at a time, {LATENCY_RATE} a second"),
    "S6": (s6, f"{SLOW_DOMAINS} of {DOMAINS} destinations answer after {SLOW_MS} ms"),
    "S7": (s7, "a queue behind a destination that does not answer, then drained"),
    "S8": (s8, f"{IDLE_CONNECTIONS} idle connections inside TLS"),
    "S9": (s9, f"{MANY_ACCOUNTS} accounts with {IDENTITIES_EACH} identities each in the store"),
    "S9b": (s9b, f"one account with {MANY_IDENTITIES} identities in the store"),
    "S10": (s10, f"one client beside {IDLE_CONNECTIONS} idle ones inside TLS and {SLOW_CLIENTS} that drip"),
}
# Of what only postrider has, or is measured in its process.
OURS = {"S9", "S9b", "S10"}
# Long ones run once; the median of one is honest enough for what they show.
ONCE = {"S7", "S8", "S9", "S9b", "S10"}
NOTES = f"At most {CONCURRENCY} connections to a destination."
