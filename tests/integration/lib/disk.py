"""What a disk may show after a power cut, made of a log of all that a daemon did to its files.

The log is that of tests/integration/powercut/recorder.c. A change is safe when a sync of its file, or folder, that began
later has succeeded before the cut. Of the others, each sector of 512 bytes shows the bytes of some moment since the last
sync, and each folder the first few of its changes, in their order: what POSIX allows, and no file system does worse. A
sync of a file makes its bytes and its size safe, not its name; only the sync of the folder does that."""

import functools
import os
import struct
from collections import namedtuple

OPEN, WRITE, TRUNCATE, ALLOCATE, RENAME, UNLINK, MKDIR, SYNC, SYNCED = range(1, 10)
NAMES = ["", "open", "write", "truncate", "allocate", "rename", "unlink", "mkdir", "sync", "synced"]
SECTOR = 512

# What changes files and the recorder does not know. Streams are found out by the comparison of the folders.
UNKNOWN_CALLS = set(
    "creat creat64 open64 openat64 __open64_2 __openat64_2 pwrite64 pwritev64 pwritev2 pwritev64v2 ftruncate64 truncate "
    "truncate64 fallocate fallocate64 posix_fallocate64 renameat2 link linkat symlink symlinkat mknod mknodat rmdir "
    "remove mkstemp mkstemp64 mkostemp mkostemp64 mkdtemp copy_file_range sendfile sendfile64 splice io_uring_setup "
    "aio_write aio_write64 sync_file_range msync sync syncfs dup2 dup3 syscall".split()
)

Entry = namedtuple("Entry", "time_ns handle number operation data")


def read_log(path):
    entries = []
    head = struct.Struct("=QQQII")
    with open(path, "rb") as log:
        while fixed := log.read(head.size):
            time_ns, handle, number, operation, size = head.unpack(fixed)
            entries.append(Entry(time_ns, handle, number, operation, log.read(size)))
    assert all(a.time_ns <= b.time_ns for a, b in zip(entries, entries[1:]))
    return entries


class File:
    """`safe` is what the last sync left; `pending` what came since: (index of the entry, operation, number, bytes)."""

    def __init__(self, content=b""):
        self.safe = bytearray(content)
        self.pending = []

    def note(self, index, operation, number, data=b""):
        self.pending.append((index, operation, number, data))

    def sync(self, began):
        done = 0
        while done < len(self.pending) and self.pending[done][0] < began:
            change_bytes(self.safe, *self.pending[done][1:])
            done += 1
        del self.pending[:done]

    def live(self):
        content = bytearray(self.safe)
        for _, *change in self.pending:
            change_bytes(content, *change)
        return content

    def after_cut(self, choice):
        content = bytearray(self.safe)
        kept = {}  # by sector: how many of the writes to it are seen
        touched = {}
        for _, operation, number, data in self.pending:
            if operation == WRITE:
                for sector in range(number // SECTOR, (number + len(data) - 1) // SECTOR + 1):
                    touched[sector] = touched.get(sector, 0) + 1
        for sector, count in touched.items():
            kept[sector] = choice.how_many(count)
        for _, operation, number, data in self.pending:
            if operation != WRITE:
                if choice.how_many(1):
                    change_bytes(content, operation, number, data)
                continue
            for sector in range(number // SECTOR, (number + len(data) - 1) // SECTOR + 1):
                if kept[sector] == 0:
                    continue
                kept[sector] -= 1
                begin, end = max(number, sector * SECTOR), min(number + len(data), (sector + 1) * SECTOR)
                change_bytes(content, WRITE, begin, data[begin - number : end - number])
        if choice.how_many(1):  # the size is on disk, the bytes are not
            content.extend(bytes(max(0, len(self.live()) - len(content))))
        return content


def change_bytes(content, operation, number, data):
    if operation == WRITE:
        content.extend(bytes(max(0, number - len(content))))
        content[number : number + len(data)] = data
    elif operation == TRUNCATE:
        del content[number:]
    if operation in (TRUNCATE, ALLOCATE):
        content.extend(bytes(max(0, number - len(content))))


class Folder:
    """`live` is what the daemon sees, `safe` what the last sync left, `pending` the changes since."""

    def __init__(self):
        self.live, self.safe, self.pending = {}, {}, []

    def note(self, index, *change):
        change_names(self.live, *change)
        self.pending.append((index, *change))

    def sync(self, began):
        done = 0
        while done < len(self.pending) and self.pending[done][0] < began:
            change_names(self.safe, *self.pending[done][1:])
            done += 1
        del self.pending[:done]

    def after_cut(self, choice):
        names = dict(self.safe)
        for _, *change in self.pending[: choice.how_many(len(self.pending))]:
            change_names(names, *change)
        return names


def change_names(names, operation, name, what=None):
    if operation == RENAME:
        names[what] = names.pop(name)
    elif operation == UNLINK:
        del names[name]
    else:
        names[name] = what


class Choice:
    """How much of what was not synced is there."""

    STYLES = ("nothing", "everything", "little", "half", "much")

    def __init__(self, rng, style=None):
        self.rng, self.style = rng, style or rng.choice(self.STYLES)

    def how_many(self, count):
        """Of `count` changes that come one after the other: so many of the first ones."""
        if self.style == "nothing" or count == 0:
            return 0
        if self.style == "everything":
            return count
        if self.rng.random() < {"little": 0.1, "half": 0.5, "much": 0.9}[self.style]:
            return count
        return self.rng.randrange(count)


class Disk:
    """The folder that was recorded; apply() the entries of the log one after the other. `files`: what was there when the
    recording began, as after_cut() gives it."""

    def __init__(self, files=None):
        self.root = Folder()
        self.handles = {}
        self.began = {}  # by number of a sync: the entry at which it began
        self.applied = 0
        for path, content in (files or {}).items():
            folder, name = self.find(path)
            folder.live[name] = folder.safe[name] = Folder() if content is None else File(content)

    def find(self, path):
        """(folder, last name)."""
        *folders, name = path.split("/")
        at = self.root
        for folder in folders:
            at = at.live[folder]
        return at, name

    def apply(self, entry):
        index, operation = self.applied, entry.operation
        self.applied += 1
        if operation == OPEN:
            self._open(index, entry)
        elif operation in (WRITE, TRUNCATE, ALLOCATE):
            self.handles[entry.handle].note(index, operation, entry.number, entry.data)
        elif operation == SYNC:
            self.began[entry.number] = index
        elif operation == SYNCED:
            self.handles[entry.handle].sync(self.began.pop(entry.number))
        else:
            self._name(index, entry)

    def _open(self, index, entry):
        path = entry.data.decode()
        if path == "":
            self.handles[entry.handle] = self.root
            return
        folder, name = self.find(path)
        if name not in folder.live:
            assert entry.number & os.O_CREAT, path
            folder.note(index, OPEN, name, File())
        node = self.handles[entry.handle] = folder.live[name]
        if entry.number & os.O_TRUNC:
            node.note(index, TRUNCATE, 0)

    def _name(self, index, entry):
        if entry.operation == RENAME:
            path, to = entry.data.decode().rstrip("\0").split("\0")
            (folder, name), (to_folder, to_name) = self.find(path), self.find(to)
            assert folder is to_folder, (path, to)
            folder.note(index, RENAME, name, to_name)
            return
        path = entry.data.decode()
        if path == "":
            return  # the folder itself, which the test made
        folder, name = self.find(path)
        folder.note(index, entry.operation, name, Folder() if entry.operation == MKDIR else None)

    def live(self):
        """{path: content, None for a folder}, as the daemon sees it."""
        return tree(self.root, lambda folder: folder.live, lambda file: file.live())

    def safe(self):
        """What is there after any power cut, at least."""
        return tree(self.root, lambda folder: folder.safe, lambda file: file.safe)

    def after_cut(self, choice):
        return tree(self.root, lambda folder: folder.after_cut(choice), lambda file: file.after_cut(choice))


def tree(folder, names, content, above=""):
    found = {}
    for name, node in names(folder).items():
        if isinstance(node, Folder):
            found[above + name] = None
            found.update(tree(node, names, content, f"{above}{name}/"))
        else:
            found[above + name] = content(node)
    return found


def write_tree(files, at):
    os.mkdir(at)
    for path, content in files.items():
        if content is None:
            os.mkdir(os.path.join(at, path), 0o700)
            continue
        with open(os.open(os.path.join(at, path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            f.write(content.rstrip(b"\0"))
            f.truncate(len(content))


def read_tree(at):
    found = {}
    for folder, folders, files in os.walk(at):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), at)] = None
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                found[os.path.relpath(os.path.join(folder, name), at)] = f.read()
    return found


# ---- segments: see postrider-spool(5)

SEGMENT_HEADER, RECORD_HEADER = 4096, 40
MESSAGE, LARGE, STATE, DONE = range(1, 5)


CRC_TABLE = []
for value in range(256):
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    CRC_TABLE.append(value)


@functools.lru_cache(1 << 16)
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def records(segment):
    """(end, type, sequence, payload) of each record of a segment, also behind damage. Of a message the payload may be
    damaged; that is not looked at."""
    if len(segment) < SEGMENT_HEADER:
        return
    (generation,) = struct.unpack_from("<Q", segment, 16)
    at = SEGMENT_HEADER
    while at >= 0 and at + RECORD_HEADER <= len(segment):
        head = bytes(segment[at : at + RECORD_HEADER])
        magic, kind, size, payload_crc, own, sequence, head_crc = struct.unpack("<4sB3xIIQQI4x", head)
        end = at + RECORD_HEADER + (size + 7) // 8 * 8
        if magic == b"PRr1" and own == generation and crc32c(head[:32]) == head_crc and end <= len(segment):
            payload = bytes(segment[at + RECORD_HEADER : at + RECORD_HEADER + size])
            if kind in (MESSAGE, LARGE) or crc32c(payload) == payload_crc:
                yield end, kind, sequence, payload
                at = end
                continue
        at = segment.find(b"PRr1", at + 1)


def settled_in_state(payload):
    """Indices of the recipients that a state says nothing more is to be done for."""
    version, count = struct.unpack_from("<BH", payload, 0)
    assert version == 1 and len(payload) == 3 + 11 * count
    return [i for i in range(count) if payload[3 + 11 * i] == 1]
