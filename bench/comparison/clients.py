"""The clients that are compared: each run of one becomes a Sample.

All are measured alike: CPU time by wait4 of the client's process (all its threads, from its first
instruction to its last), seconds by the wall clock around it, both over the requests that it made.
The server's own count must agree.
"""

import json
import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass

from request import environment, signed_request, write_orders, wrk_script
from server import cores, pinned

MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
FLOOR, WRK, SAGORDER = "floor", "wrk", "sagorder"
WITHOUT_SYNCS, IN_MEMORY = "sagorder, syncs taken out", "sagorder, ledger in memory"


@dataclass
class Load:
    """What one run is asked for."""

    connections: int
    orders: int
    rate: int = 0  # a second; 0: closed loop, each connection's next request follows the answer


@dataclass
class Sample:
    """What one run took."""

    client: str
    requests: int
    seconds: float
    user_s: float
    system_s: float
    server_s: float  # CPU
    peak_mib: float
    p50_ms: float | None = None
    p99_ms: float | None = None

    @property
    def cpu_us(self):
        return (self.user_s + self.system_s) / self.requests * 1e6

    @property
    def per_second(self):
        return self.requests / self.seconds


def end(message):
    raise SystemExit("compare: " + message)


def run(command, env=None):
    """A command pinned to the client's core: what it printed, its seconds, its rusage."""
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env,
                             preexec_fn=pinned(cores()[0]))
    try:
        printed = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        child.kill()
        child.wait()
        raise
    seconds = time.monotonic() - begun
    child.stdout.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        end(f"exit code {child.returncode} of: {shlex.join(map(str, command))}\n{printed}")
    return printed, seconds, usage


class Clients:
    """All of them, against one server."""

    def __init__(self, build, work, server):
        self.build, self.work, self.server = build, work, server
        self.ca = work / "ca.pem"
        self.request = work / "request"
        bytes_ = signed_request(build / "sagorder", server.url, work)
        self.request.write_bytes(bytes_)
        (work / "post.lua").write_text(wrk_script(bytes_))

    def measure(self, client, load):
        """One run of a client by its name, or of (name, command) for one that was added."""
        handled, busy = self.server.handled(), self.server.cpu_s()
        if isinstance(client, tuple):
            sample = self.added(*client, load)
        elif client == WRK:
            sample = self.wrk(load)
        elif client == FLOOR:
            sample = self.floor(load)
        else:
            sample = self.sagorder(client, load)
        handled = self.server.handled() - handled
        # What wrk had under way when its time was up reached the server, too.
        most = sample.requests + (load.connections if client == WRK else 0)
        if not sample.requests <= handled <= most:
            end(f"{sample.client} says {sample.requests} requests, nginx says {handled}")
        sample.server_s = self.server.cpu_s() - busy
        return sample

    @staticmethod
    def sample(name, requests, seconds, usage, **more):
        return Sample(name, requests, seconds, usage.ru_utime, usage.ru_stime, 0.0,
                      usage.ru_maxrss / 1024, **more)

    def wrk(self, load):
        """It knows no number of requests: for about as long as the others, at 75,000 a second."""
        if load.rate:
            end("wrk keeps no rate")
        duration = max(1, round(load.orders / 75_000))
        printed, seconds, usage = run(
            ["wrk", "-t1", f"-c{load.connections}", f"-d{duration}s", "--latency",
             "-s", self.work / "post.lua", self.server.url])
        requests, latency = read_wrk(printed)
        return self.sample(WRK, requests, seconds, usage, p50_ms=latency[50], p99_ms=latency[99])

    def floor(self, load):
        command = [self.build / "bench/floor", "--connect", f"localhost:{self.server.port}",
                   "--ca-file", self.ca, "--request", self.request,
                   "--connections", str(load.connections), "--requests", str(load.orders)]
        if load.rate:
            command += ["--rate", str(load.rate)]
        printed, seconds, usage = run(command)
        return self.sample(FLOOR, json.loads(printed)["requests"], seconds, usage)

    def sagorder(self, name, load):
        """Everything on: CSV, validation, signing, durable ledger, results."""
        orders = self.orders(load.orders)
        for old in self.work.glob("results.csv*"):
            old.unlink()
        summary = self.work / "summary.json"
        env = environment(self.work)
        if name == WITHOUT_SYNCS:
            env["LD_PRELOAD"] = str(self.build / "bench/libsyncs_taken_out.so")
        program = "bench/sagorder_in_memory" if name == IN_MEMORY else "sagorder"
        rate = f"{load.rate}/s" if load.rate else "unlimited"
        _, seconds, usage = run(
            [self.build / program, "run", orders, "--output", self.work / "results.csv",
             "--yes", "--again", "--rate", rate, "--connections", str(load.connections),
             "--endpoint", self.server.url, "--ca-file", self.ca, "--summary", summary,
             "--progress", "none", "--quiet"], env)
        told = json.loads(summary.read_text())
        if told["batch"]["placed"] != load.orders:
            end(f"{name} placed {told['batch']['placed']} of {load.orders} orders")
        latency = told["latency_ms"]
        return self.sample(name, told["run"]["requests"], seconds, usage,
                           p50_ms=latency["p50"], p99_ms=latency["p99"])

    def added(self, name, command, load):
        """A client from outside: its requests are those that the server counts."""
        words = {"host": "localhost", "port": self.server.port, "url": self.server.url,
                 "ca": self.ca, "request": self.request, "connections": load.connections,
                 "requests": load.orders, "orders": self.orders(load.orders)}
        before = self.server.handled()
        _, seconds, usage = run([word.format(**words) for word in shlex.split(command)],
                                dict(os.environ, **environment(self.work)))
        requests = self.server.handled() - before
        if requests == 0:
            end(f"{name} sent no request to {self.server.url}")
        return self.sample(name, requests, seconds, usage)

    def orders(self, count):
        path = self.work / f"orders-{count}.csv"
        if not path.exists():
            write_orders(path, count)
        return path


def read_wrk(printed):
    """(requests, {percentile: ms}) of what wrk prints; ends the program if an answer was bad."""
    if "Non-2xx" in printed or "Socket errors" in printed:
        end("wrk was not answered as it should be:\n" + printed)
    requests = int(re.search(r"(\d+) requests in ", printed)[1])
    latency = {int(percent): float(number) * MILLISECONDS[unit] for percent, number, unit in
               re.findall(r"^ +(50|99)% +([\d.]+)(us|ms|s)$", printed, re.MULTILINE)}
    return requests, latency
