"""What the measurements of the whole program stand on: a gateway, orders, a run, a look from outside.

The gateway is pinned to the second core (if there is one), the client to the first; everything lies
in one temporary directory and on loopback.
"""

import json
import os
import pathlib
import platform
import shutil
import signal
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("SAGORDER_BUILD") or ROOT / "build")
SAGORDER = BUILD / "sagorder"
GATEWAY = BUILD / "samples/gateway/sagorder-gateway"
INTERPOSE = BUILD / "bench/libbench_interpose.so"

ENTRY = struct.Struct("=QQiI")  # of interpose.cpp: begin ns, end ns, descriptor, bytes
REQUEST_BYTES_MIN = 256  # a TLS record this long is a request, not a handshake's end
CLIENT_CORE, GATEWAY_CORE = 0, 1


def pinned(core):
    """A function that pins the child to a core, where there is more than one."""
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


def write_orders(path, count):
    """A file of `count` valid orders."""
    lines = [f"cn-shanghai,{(n + 1) * 5},12,true\n" for n in range(200)]
    with open(path, "w", encoding="ascii", buffering=1 << 20) as file:
        file.write("RegionId,UserCount,Period,AutoPay\n")
        whole = "".join(lines)
        for _ in range(count // 200):
            file.write(whole)
        file.write("".join(lines[: count % 200]))


def machine():
    """One line: when, and on what."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    day = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    return f"{day} UTC, {os.cpu_count()} cores of {model}, Linux {platform.release()}"


def share(sorted_values, part):
    """The value that `part` of them do not exceed."""
    return sorted_values[min(len(sorted_values) - 1, int(part * len(sorted_values)))]


class Stage:
    """A temporary directory with a gateway, as long as the `with` block."""

    def __init__(self, *gateway_options, folder=None, executed=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-bench-", dir=folder))
        self.gateway_options = gateway_options
        self.executed = executed
        self.gateway = None
        self.port = None

    def __enter__(self):
        port_file = self.folder / "port"
        command = [GATEWAY, "--listen", "127.0.0.1:0", "--port-file", port_file]
        command += ["--pki", self.folder / "pki", "--access-key", "testid:testsecret"]
        if self.executed:
            command += ["--executed", self.folder / "executed.jsonl"]
        with open(self.folder / "gateway.log", "wb") as log:
            self.gateway = subprocess.Popen(
                [*command, *self.gateway_options],
                stdout=log,
                stderr=log,
                preexec_fn=pinned(GATEWAY_CORE),
                process_group=0,  # a Ctrl-C is for whoever measures
            )
        deadline = time.monotonic() + 30
        while not port_file.exists():
            if self.gateway.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise SystemExit("the gateway did not start")
            time.sleep(0.01)
        self.port = port_file.read_text(encoding="ascii").strip()
        return self

    def __exit__(self, *ignored):
        if self.gateway.poll() is None:
            self.gateway.send_signal(signal.SIGTERM)
        self.gateway.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return self.folder / name

    def fresh(self):
        """Takes an earlier run's results and ledger away."""
        for old in self.folder.glob("results.csv*"):
            old.unlink()

    def start(self, *options, orders="orders.csv", core=CLIENT_CORE, environment=None, before=()):
        """A run of the file of orders; `before`: words that start it (strace, perf). What it says
        is in client.log."""
        command = [*before, SAGORDER, "run", self.path(orders), "--output"]
        command += [self.path("results.csv"), "--yes", "--again", "--quiet", "--progress", "none"]
        command += ["--endpoint", f"https://localhost:{self.port}"]
        command += ["--ca-file", self.path("pki/ca.pem"), "--summary", self.path("summary.json")]
        variables = dict(
            os.environ,
            ALIBABA_CLOUD_ACCESS_KEY_ID="testid",
            ALIBABA_CLOUD_ACCESS_KEY_SECRET="testsecret",
            XDG_STATE_HOME=str(self.path("state")),
        )
        variables.update(environment or {})
        with open(self.path("client.log"), "wb") as log:
            return subprocess.Popen(
                [*map(str, command), *map(str, options)],
                env=variables,
                stdout=log,
                stderr=log,
                preexec_fn=None if core is None else pinned(core),
                process_group=0,
            )

    def finish(self, client, *expected):
        """Waits for a run, and for 0 or another expected exit code. Gives its summary, and what it
        used (resource.struct_rusage)."""
        _, status, usage = os.wait4(client.pid, 0)
        client.returncode = os.waitstatus_to_exitcode(status)
        if client.returncode not in (expected or (0,)):
            said = self.path("client.log").read_text(encoding="utf-8")
            raise SystemExit(f"sagorder ended with exit code {client.returncode}: {said}")
        return json.loads(self.path("summary.json").read_text(encoding="utf-8")), usage

    @staticmethod
    def ended(client):
        """Whether it ended; `finish` still tells what it used."""
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, client.pid, how) is not None

    def place(self, *options, **how):
        """A run from its start to its end."""
        self.fresh()
        return self.finish(self.start(*options, **how))


def cpu_seconds_by_thread(pid):
    """CPU time so far by thread number; nothing if the process ended."""
    used = {}
    try:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            used[int(task.name)] = int((task / "schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        pass  # it, or a thread, ended meanwhile
    return used


def cpu_seconds(pid):
    """CPU time of all threads of a process so far."""
    return sum(cpu_seconds_by_thread(pid).values())


def rss_kib(pid):
    """Resident memory of a process now."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


class Trace:
    """What interpose.cpp wrote down: moments in ns of CLOCK_MONOTONIC."""

    def __init__(self, path):
        self.requests = []  # when the first byte of each request was handed to the kernel
        self.syncs = []  # (begin, end)
        with open(path, "rb") as file:
            while block := file.read(ENTRY.size * 4096):
                if not self._take(block):
                    break
        self.requests.sort()
        self.syncs.sort()

    def _take(self, block):
        for begin, end, _, size in ENTRY.iter_unpack(block):
            if begin == 0:
                return False
            if size == 0:
                self.syncs.append((begin, end))
            elif size >= REQUEST_BYTES_MIN:
                self.requests.append(begin)
        return True
