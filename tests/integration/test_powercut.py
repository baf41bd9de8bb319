"""250 means on disk, on a disk that forgets: all that the daemon does to its files under a load is recorded
(powercut/recorder.c), then its folders are made as a power cut at many moments may have left them (lib/disk.py), and a
daemon is started on each. Some of these starts are recorded, too, and cut again.

Every message whose 250 was read before the cut is delivered, before or after it; a recipient gets a message twice only
when nothing that was on disk for certain said that they have it; every start is clean, without help.

POSTRIDER_TEST_CUTS is the number of cuts, POSTRIDER_TEST_SEED repeats the load and the choices; of the daemon's threads it
knows nothing, so two histories with one seed are only much the same."""

import concurrent.futures
import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from lib import disk
from lib.clients import connect, submit
from lib.daemon import BUILD, Daemon
from lib.timed_sink import TimedSink, digest

pytestmark = pytest.mark.skipif(
    os.environ.get("POSTRIDER_BUILD_KIND", "").endswith("san"), reason="the recorder goes before a sanitizer's calls"
)

HERE = os.path.dirname(os.path.abspath(__file__))
CUTS = int(os.environ.get("POSTRIDER_TEST_CUTS", "400"))
SEED = int(os.environ.get("POSTRIDER_TEST_SEED", "20261125"))
MESSAGES = 1200
CLIENTS = 8
AT_ONCE = 2  # daemons that are started on what cuts have left
CUT_AGAIN = 4  # each so many-th start
FINISH_S = 20
BAD_MAX = 4  # then it is enough
LOAD = "load"


# ---- the load


class Letter:
    """Message `number`: some large, some for several, some that wait for a second try, some that stay."""

    def __init__(self, number):
        rng = random.Random(SEED * 1000003 + number)
        size = rng.randrange(20000, 60000) if rng.random() < 0.12 else rng.randrange(200, 14000)
        text = rng.randbytes(size // 2).hex()
        self.number = number
        self.body = "".join(text[at : at + 76] + "\r\n" for at in range(0, len(text), 76)).encode()
        kinds = rng.choices(["now", "once", "kept"], [80, 14, 6], k=rng.choice([1, 1, 1, 2, 3]))
        self.recipients = [f"{kind}-{number}-{i}@d{rng.randrange(5)}.test" for i, kind in enumerate(kinds)]
        self.digest = digest(self.body)

    def content(self):
        return f"From: jo@example.com\r\nTo: to@dest.test\r\nX-Seq: {self.number}\r\n\r\n".encode() + self.body


LETTERS = [Letter(number) for number in range(MESSAGES)]


class Refusals:
    """Under the load "once" is deferred once and "kept" always; later nobody is."""

    def __init__(self):
        self.seen = set()

    def __call__(self, label, address):
        first = address not in self.seen
        self.seen.add(address)
        return label == LOAD and (address.startswith("kept") or (first and address.startswith("once")))


def send(daemon, letters):
    """Sends them all; {number: when its 250 was read}."""
    acknowledged, rest, lock = {}, list(reversed(letters)), threading.Lock()

    def client():
        session = connect(daemon)
        while True:
            with lock:
                if not rest:
                    break
                letter = rest.pop()
            code, text = submit(session, letter.content(), recipients=letter.recipients)
            now = time.monotonic_ns()
            assert code == 250, text
            acknowledged[letter.number] = now
        session.quit()

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(client) for _ in range(CLIENTS)]:
            done.result()
    return acknowledged


# ---- the history


class History:
    """What clients were told, and what daemons delivered, up to a time; `entries` is the log of the last daemon that ran,
    on `disk` as it was before that, with places that were `damaged`."""

    def __init__(self, entries, before, damaged, acknowledged, taken):
        self.entries, self.disk, self.damaged = entries, before, damaged
        self.acknowledged, self.taken = acknowledged, taken

    def time_of_cut(self, after):
        """What was acknowledged or taken by then had nothing but the first `after` entries to stand on."""
        return self.entries[after].time_ns if after < len(self.entries) else time.monotonic_ns()


class Loaded(History):
    """A daemon was loaded, stopped, started and loaded again."""

    def __init__(self, folder, recorder, sink):
        root = os.path.join(folder, "disk")
        os.mkdir(root)
        daemon = recorded(configured(Daemon(folder), root, sink.listen(LOAD)), root, recorder)
        acknowledged = {}
        for half in (LETTERS[: MESSAGES // 2], LETTERS[MESSAGES // 2 :]):
            daemon.start()
            acknowledged.update(send(daemon, half))
            daemon.stop()
        super().__init__(disk.read_log(log_of(daemon)), disk.Disk(), set(), acknowledged, sink.of(LOAD))
        self.left = {path: content for path, content in disk.read_tree(root).items() if "postrider.db" not in path}


def log_of(daemon):
    return os.path.join(daemon.folder, "disk.log")


def recorded(daemon, root, recorder):
    daemon.environment = {
        "LD_PRELOAD": recorder,
        "POSTRIDER_RECORD_ROOT": os.path.realpath(root),
        "POSTRIDER_RECORD_LOG": log_of(daemon),
    }
    return daemon


def configured(daemon, root, port):
    config = daemon.config
    config["state_directory"] = os.path.join(root, "state")
    config["spool"].update(directory=os.path.join(root, "spool"), segment="1M", memory_body="16K")
    config["listeners"] = [{"name": "submission", "addresses": ["127.0.0.1"], "port": 0}]
    daemon.route_all_to(port)
    return daemon


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    if shutil.which("cc") is None:
        pytest.skip("no compiler")
    path = str(tmp_path_factory.mktemp("recorder") / "recorder.so")
    source = os.path.join(HERE, "powercut", "recorder.c")
    subprocess.run(
        ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-U_FORTIFY_SOURCE", "-D_GNU_SOURCE", "-shared",
         "-fPIC", "-pthread", "-o", path, source],
        check=True,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def timed_sink():
    sink = TimedSink(Refusals())
    yield sink
    sink.close()


@pytest.fixture(scope="module")
def history(tmp_path_factory, recorder, timed_sink):
    return Loaded(str(tmp_path_factory.mktemp("history")), recorder, timed_sink)


def imported(program):
    """The names of what it calls, without versions."""
    listed = subprocess.run(["nm", "-D", "--undefined-only", program], check=True, capture_output=True, text=True).stdout
    return {re.split("@", line.split()[-1])[0] for line in listed.splitlines()}


def test_no_call_escapes():
    of_the_store = {"renameat2", "sync_file_range"}  # of its backup, which is not recorded
    escaped = imported(Daemon.program) & disk.UNKNOWN_CALLS - of_the_store
    assert not escaped, f"powercut/recorder.c does not know {sorted(escaped)}"


def what_is_done(entry):
    """In two or three words: the operation, and what kinds of files its paths name."""
    if entry.operation not in (disk.RENAME, disk.UNLINK, disk.MKDIR):
        return disk.NAMES[entry.operation]
    kinds = [re.sub(r"^(.*/)?[0-9a-f]{16}\.|^.*/", "", path) for path in entry.data.decode().split("\0") if path]
    return " ".join([disk.NAMES[entry.operation], *kinds])


def test_the_log_is_complete(history):
    """Everything in the folders comes out of the log again, and the load made the daemon do all it ever does."""
    whole = disk.Disk()
    for entry in history.entries:
        whole.apply(entry)
    made = whole.live()
    assert sorted(made) == sorted(history.left)
    for path, content in history.left.items():
        assert made[path] == content, path
    assert len(history.acknowledged) == MESSAGES
    done = {what_is_done(entry) for entry in history.entries}
    assert done >= {
        "allocate", "rename new seg", "rename seg free", "rename free seg", "rename idx.new idx", "unlink idx",
        "rename tmp body", "unlink body", "mkdir spool", "mkdir large",
    }, sorted(done)  # fmt: skip


# ---- cuts


class Safe:
    """What records say that no cut can take away: `settled` and `open` are sets of (number, recipient), `ends` where the
    records of each segment end."""

    def __init__(self, files):
        numbers, ended, states, self.ends = {}, set(), {}, {}
        for path, content in sorted(files.items()):
            if not path.endswith(".seg"):
                continue
            self.ends[os.path.basename(path)] = disk.SEGMENT_HEADER
            for end, kind, sequence, payload in disk.records(content):
                self.ends[os.path.basename(path)] = end
                if kind in (disk.MESSAGE, disk.LARGE):
                    numbers.update((sequence, int(n)) for n in re.findall(rb"\nX-Seq: (\d+)", payload)[:1])
                elif kind == disk.STATE:
                    states.setdefault(sequence, set()).update(disk.settled_in_state(payload))
                elif kind == disk.DONE:
                    ended.add(sequence)
        self.open = set()
        for sequence, number in numbers.items():
            if sequence not in ended:
                settled = states.get(sequence, ())
                recipients = LETTERS[number].recipients
                self.open |= {(number, r) for i, r in enumerate(recipients) if i not in settled}


def check_spool(daemon):
    """What `postrider spool check` finds damaged: {(file, offset)}."""
    done = subprocess.run(
        [os.path.join(BUILD, "src/cli/postrider"), "spool", "check", "--json", "-c", daemon.path],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode in (0, 1, 2), (done.returncode, done.stdout, done.stderr)
    found = json.loads(done.stdout)
    damaged = {(finding["file"], finding["from"]) for finding in found["findings"] if finding["damage"]}
    assert found["verdict"] == done.returncode and bool(damaged) == (found["verdict"] == 2), found
    return damaged


class Cut:
    """A cut of `history` when the disk was `model`; run() starts a daemon on what it left, and judges: `lost` and `twice`
    are sets of (number, recipient), `wrong` has those sent twice although that was safe, and places that are damaged
    although they were safe."""

    def __init__(self, history, model, rng, folder, above=""):
        self.history, self.after, self.rng = history, model.applied, rng
        choice = disk.Choice(rng)
        self.label = f"{above}cut after {self.after} entries, {choice.style} of what was not synced"
        self.folder = os.path.join(folder, f"cut-{self.after}")
        self.root = os.path.join(self.folder, "disk")
        os.mkdir(self.folder)
        self.files = model.after_cut(choice)
        disk.write_tree(self.files, self.root)
        self.safe = Safe(model.safe())

    def run(self, sink, recorder=None):
        """With a recorder the start is cut again, and the list has both."""
        daemon = configured(Daemon(self.folder), self.root, sink.listen(self.label))
        daemon.write_config()
        self.damaged = check_spool(daemon) if "spool/large" in self.files else set()
        if recorder:
            recorded(daemon, self.root, recorder)
        daemon.start()
        stays = not empties(daemon)
        daemon.stop()
        self._judge(sink.of(self.label))
        # only what was not synced may be damaged, and a start adds nothing
        news = {(file, at) for file, at in self.damaged - self.history.damaged if at < self.safe.ends.get(file, at + 1)}
        self.wrong |= news | (check_spool(daemon) - self.damaged) | ({("the queue", "is not empty")} if stays else set())
        again = self._cut_again(daemon, sink) if recorder else []
        if not self.is_bad():
            shutil.rmtree(self.folder)
        return [self, *again]

    def _judge(self, after):
        time_ns = self.history.time_of_cut(self.after)
        promised = {
            (number, recipient)
            for number, told_ns in self.history.acknowledged.items()
            if told_ns < time_ns
            for recipient in LETTERS[number].recipients
        }
        for taken in after:
            assert taken.digest == LETTERS[taken.number].digest, f"{self.label}: {taken}: another text"
        before = recipients_of(taken for taken in self.history.taken if taken.time_ns < time_ns)
        again = recipients_of(after)
        assert len(again) == sum(len(taken.recipients) for taken in after), f"{self.label}: twice after the start"
        self.promised, self.lost, self.twice = len(promised), promised - before - again, before & again
        self.delivered = len(again)
        self.wrong = self.twice - self.safe.open

    def is_bad(self):
        return self.lost or self.wrong

    def _cut_again(self, daemon, sink):
        time_ns = self.history.time_of_cut(self.after)
        acknowledged = {n: told_ns for n, told_ns in self.history.acknowledged.items() if told_ns < time_ns}
        taken = [taken for taken in self.history.taken if taken.time_ns < time_ns] + sink.of(self.label)
        start = History(disk.read_log(log_of(daemon)), disk.Disk(self.files), self.damaged, acknowledged, taken)
        for entry in start.entries[: self.rng.randrange(len(start.entries))]:
            start.disk.apply(entry)
        return Cut(start, start.disk, self.rng, self.folder, self.label + ", then ").run(sink)


def recipients_of(mails):
    return {(taken.number, recipient) for taken in mails for recipient in taken.recipients}


def empties(daemon):
    """Waits until all that is on disk has been told, and nothing is left of it; whether that came."""
    end = time.monotonic() + FINISH_S
    while time.monotonic() < end:
        before = len(re.findall(r"state: messages=", daemon.log()))
        daemon.process.send_signal(signal.SIGUSR2)
        left = daemon.wait_log(r"state: messages=(\d+)", count=before + 1)[-1]
        if left == "0" and "replayed: " in daemon.log():
            return True
        time.sleep(0.02)
    return False


def choose(entries, rng):
    """Where to cut: around some of each kind of change, around syncs, and anywhere."""
    by_kind = {}
    for index, entry in enumerate(entries):
        by_kind.setdefault(what_is_done(entry), []).append(index)
    cuts = {0, len(entries)}
    for places in by_kind.values():
        cuts |= {rng.choice(places) + rng.randrange(2) for _ in range(CUTS // 50)}
    while len(cuts) < min(CUTS, len(entries)):
        if len(cuts) % 2 == 0:
            cuts.add(rng.choice(by_kind["synced"]) + rng.randrange(2))
        else:
            cuts.add(rng.randrange(len(entries)))
    return sorted(cuts)


def test_nothing_is_lost(history, timed_sink, recorder, folder):
    rng = random.Random(SEED)
    model, done, bad, room = history.disk, [], [], threading.Semaphore(AT_ONCE + 1)

    def run(cut, number):
        try:
            cuts = cut.run(timed_sink, recorder if number % CUT_AGAIN == 0 else None)
            bad.extend((c.label, sorted(c.lost)[:5], sorted(c.wrong)[:5]) for c in cuts if c.is_bad())
            return cuts
        except AssertionError as error:
            bad.append((cut.label, str(error)[-2000:]))
            return []
        finally:
            room.release()

    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for number, after in enumerate(choose(history.entries, rng)):
            while model.applied < after:
                model.apply(history.entries[model.applied])
            room.acquire()
            if len(bad) >= BAD_MAX:
                break
            cut = Cut(history, model, random.Random(SEED + after), folder)
            done.append(pool.submit(run, cut, number))
    cuts = [cut for d in done for cut in d.result()]
    print(
        f"seed {SEED}: {len(history.entries)} entries, {len(cuts)} cuts in {time.monotonic() - begun:.0f} s, "
        f"{len(history.acknowledged)} messages acknowledged; recipients over all cuts: {sum(c.promised for c in cuts)} "
        f"promised, {sum(c.delivered for c in cuts)} delivered after, {sum(len(c.lost) for c in cuts)} lost, "
        f"{sum(len(c.twice) for c in cuts)} twice (at most {max(len(c.twice) for c in cuts)} in a cut); "
        f"{sum(len(c.damaged) for c in cuts)} damaged places"
    )
    assert not bad, f"(cut, lost, sent twice or damaged although it was safe): {bad}"
