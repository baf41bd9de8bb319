"""What a server uses: CPU time and memory of all its processes; and what the machine is.

CPU time comes from a control group of the server's own (version 2, or cpuacct of version 1), which also holds what
processes used that have ended; where no group can be made, from /proc, where a parent's counters hold those of the
children it has waited for."""

import contextlib
import os
import platform
import re
import subprocess
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
SYNC_BLOCK = 4096


def read(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return default


# ---- processes


def _parents():
    """{parent: [children]} of all processes."""
    tree = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        stat = read(f"/proc/{name}/stat")
        if stat:
            tree.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(name))
    return tree


def descendants(roots):
    tree, found, left = _parents(), [], list(roots)
    while left:
        pid = left.pop()
        found.append(pid)
        left += tree.get(pid, [])
    return found


def _cpu_of_tree(roots):
    ticks = 0
    for pid in descendants(roots):
        stat = read(f"/proc/{pid}/stat")
        if stat:
            ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks / TICK


class Group:
    """A control group for a server's processes. `how` says where the figures come from."""

    count = 0

    def __init__(self, name):
        Group.count += 1
        self.name = f"postrider-bench-{os.getpid()}-{Group.count}-{name}"
        self.roots = []
        self.path, self.how = None, "/proc"
        for top, how in (
            ("/sys/fs/cgroup", "cgroup v2"),
            ("/sys/fs/cgroup/unified", "cgroup v2"),
            ("/sys/fs/cgroup/cpuacct", "cgroup v1"),
        ):
            if self._try(os.path.join(top, self.name), how):
                break

    def _try(self, path, how):
        file = "cpu.stat" if how == "cgroup v2" else "cpuacct.usage"
        try:
            os.mkdir(path)
        except OSError:
            return False
        if not os.path.exists(os.path.join(path, file)):
            os.rmdir(path)
            return False
        self.path, self.how = path, how
        return True

    @contextlib.contextmanager
    def inside(self):
        """What is started inside belongs to the group, with all its children."""
        if self.path is None:
            yield
            return
        home = self._home()
        try:
            self._move(self.path)
            yield
        finally:
            self._move(home)

    def _home(self):
        top = os.path.dirname(self.path)
        for line in read("/proc/self/cgroup").splitlines():
            number, controllers, path = line.split(":", 2)
            if (number == "0") if self.how == "cgroup v2" else ("cpuacct" in controllers.split(",")):
                return top + path
        return top

    @staticmethod
    def _move(path):
        with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write(str(os.getpid()))

    def pids(self):
        if self.path is None:
            return descendants(self.roots)
        return [int(pid) for pid in read(os.path.join(self.path, "cgroup.procs")).split()]

    def cpu_s(self):
        if self.path is None:
            return _cpu_of_tree(self.roots)
        if self.how == "cgroup v1":
            return int(read(os.path.join(self.path, "cpuacct.usage"))) / 1e9
        return int(re.search(r"usage_usec (\d+)", read(os.path.join(self.path, "cpu.stat"))).group(1)) / 1e6

    def pss_kib(self):
        """Proportional memory: what processes share is counted once."""
        total = 0
        for pid in self.pids():
            found = re.search(r"^Pss:\s+(\d+)", read(f"/proc/{pid}/smaps_rollup"), re.M)
            total += int(found.group(1)) if found else 0
        return total

    def close(self):
        if self.path is None:
            return
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.05)


class Peak:
    """The largest memory of a group, looked at once a second in a thread of its own."""

    INTERVAL_S = 1.0

    def __init__(self, group):
        self.group, self.kib, self.over = group, 0, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over.wait(self.INTERVAL_S):
            self.look()

    def look(self):
        self.kib = max(self.kib, self.group.pss_kib())

    def stop(self):
        self.over.set()
        self.thread.join()
        self.look()
        return self.kib


# ---- the disk


def sync_times(folder, rate=None, count=100):
    """What the disk itself takes for 4 KiB and fdatasync, overwriting: sorted seconds. One after the other, or `rate` a
    second: a disk, an interrupt and a core that have gone to sleep in between take longer."""
    path = os.path.join(folder, "sync-probe")
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(fd, bytes(SYNC_BLOCK * count))
        os.fsync(fd)
        times = []
        for i in range(count):
            if rate:
                time.sleep(1 / rate)
            begin = time.perf_counter()
            os.pwrite(fd, b"x" * SYNC_BLOCK, i * SYNC_BLOCK)
            os.fdatasync(fd)
            times.append(time.perf_counter() - begin)
    finally:
        os.close(fd)
        os.unlink(path)
    return sorted(times)


def file_system(folder):
    """(type, device) of the mount that holds the folder."""
    best = ("", "?", "?")
    real = os.path.realpath(folder)
    for line in read("/proc/mounts").splitlines():
        device, mount, kind = line.split()[:3]
        if (real + "/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best[0]):
            best = (mount, kind, device)
    return best[1], best[2]


# ---- the machine


def output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip()


def machine(folder):
    cpu = re.search(r"model name\s*:\s*(.*)", read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo"))
    kind, device = file_system(folder)
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": int(memory.group(1)) // 1024 if memory else 0,
        "kernel": platform.release(),
        "virtual": "hypervisor" in read("/proc/cpuinfo"),
        "file_system": kind,
        "device": device,
        "folder": os.path.realpath(folder),
        "load_at_start": os.getloadavg()[0],
    }


def rsa_sign_ms(processes, seconds=2):
    """CPU time of one RSA-2048 signature by "openssl speed", with so many processes at once: the least that DKIM can
    cost. Cores that share hardware are slower when all of them sign, as under load."""
    command = ["openssl", "speed", "-seconds", str(seconds), "rsa2048"]
    try:
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for _ in range(processes)
        ]
    except OSError:
        return None
    texts = [p.communicate()[0] for p in running]
    found = [re.search(r"rsa 2048 bits\s+\S+\s+\S+\s+([\d.]+)", text) for text in texts]
    return sum(1000 / float(f.group(1)) for f in found) / processes if all(found) else None
