"""What the end-to-end tests stand on: the two programs, a gateway to talk to, a batch to order.

    with Gateway(faults="close-after=0.2", seed=7) as gateway, Batch(gateway, rows=40) as batch:
        done = batch.run("--max-doubts", "1000")
        ...
        self.assertEqual(batch.violations(), [])

Everything lives in temporary directories and on loopback; the environment that the program sees is
made here and holds nothing of the caller's but PATH.
"""

import atexit
import csv
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import checker
import evidence

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SAGORDER_BUILD") or REPOSITORY / "build")
SAGORDER = BUILD / "sagorder"
GATEWAY = BUILD / "samples" / "gateway" / "sagorder-gateway"

ACCESS_KEY_ID = "testid"
ACCESS_KEY_SECRET = "testsecret"

# Exit codes, as the program promises them.
ALL_PLACED, SOME_REJECTED, USAGE, IN_DOUBT, INPUT, LIMIT, CREDENTIALS = range(7)
INTERNAL, UNWRITABLE, BUSY, INTERRUPTED = 70, 74, 75, 130

# How much longer things may take: SAGORDER_TIME_SCALE=5 where sanitizers make everything slow.
TIME_SCALE = float(os.environ.get("SAGORDER_TIME_SCALE", "1"))

# Doubts and refusals do not end a run that is given these.
PATIENT = ("--max-doubts", "1000000", "--max-failures", "1000000")

# What of the caller's environment the programs see, beside PATH.
SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")

_shared = {}


def build_setting(name):
    """What the build was configured with; None: CMake does not know the name."""
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{name}:\w+=(.*)$", cache, re.MULTILINE)
    return found[1] if found else None


def is_sanitized():
    return build_setting("SAGORDER_SANITIZE") not in (None, "OFF")


def shared_pki():
    """One throw-away CA for all gateways of a test process: making its keys takes time."""
    if "pki" not in _shared:
        folder = tempfile.mkdtemp(prefix="sagorder-pki-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _shared["pki"] = pathlib.Path(folder, "pki")
    return _shared["pki"]


def random_seed():
    """SAGORDER_SEED repeats a run; else a new seed each time. Show it where a test fails."""
    given = os.environ.get("SAGORDER_SEED")
    return int(given) if given else random.SystemRandom().randrange(1, 2**32)


def program_environment(state, **changes):
    """An environment with test credentials, whose HOME and state are below `state`. A change to
    None takes a variable away."""
    home = pathlib.Path(state, "home")
    home.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home),
        "XDG_STATE_HOME": str(pathlib.Path(state, "state")),
        "LC_ALL": "C.UTF-8",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ACCESS_KEY_SECRET,
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
    }
    for name in SANITIZERS:
        if name in os.environ:
            environment[name] = os.environ[name]
    environment.update(changes)
    return {name: value for name, value in environment.items() if value is not None}


def exit_codes_told(program, command):
    """The exit codes that `help COMMAND` names; none if there is no such command."""
    if (program, command) not in _shared:
        text = subprocess.run(
            [program, "help", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            env={name: os.environ[name] for name in SANITIZERS if name in os.environ},
        ).stdout
        codes = text.partition("Exit codes:")[2]
        _shared[program, command] = {int(code) for code in re.findall(r"\b(\d+)\s", codes)}
    return _shared[program, command]


class Gateway:
    """A simulated gateway of one's own, as long as the `with` block.

    `options` are more of its arguments; `port` 0 takes any free port; `address` is of loopback, of
    IPv6 in brackets. `start` and `stop` may be
    called again: the executed log is continued on the same port.
    """

    def __init__(
        self,
        *options,
        faults="",
        seed=1,
        quota="",
        latency="",
        port=0,
        pki=None,
        address="127.0.0.1",
    ):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-gateway-"))
        self.pki = pathlib.Path(pki) if pki else shared_pki()
        self.ca = self.pki / "ca.pem"
        self.executed_path = self.folder / "executed.jsonl"
        self.counts_path = self.folder / "counts.json"
        self.address = address
        self.port = port
        self.process = None
        self.options = [*options, "--seed", str(seed)]
        for name, value in (("--faults", faults), ("--quota", quota), ("--latency", latency)):
            if value:
                self.options += [name, value]

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *ignored):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        self.counts_path.unlink(missing_ok=True)
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                [
                    *(str(GATEWAY), "--listen", f"{self.address}:{self.port}"),
                    *("--port-file", str(port_file), "--pki", str(self.pki)),
                    *("--executed", str(self.executed_path), "--counts", str(self.counts_path)),
                    *self.options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,  # a Ctrl-C is for whoever runs the tests, who ends it in order
            )
        deadline = time.monotonic() + 30 * TIME_SCALE
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the gateway did not start: " + self.output())
            time.sleep(0.005)
        self.port = int(port_file.read_text())
        return self

    def stop(self, how=signal.SIGTERM):
        """Ends it in order (then its counts are there), or by SIGKILL."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def endpoint(self):
        return f"https://{self.address}:{self.port}"

    def output(self):
        """What it wrote, for messages."""
        return (self.folder / "output").read_text(errors="replace")

    def executed(self):
        """The orders that it executed so far, a dict each, in their order."""
        return evidence.read_executed(self.executed_path)

    def counts(self):
        """Its end counts; stops it if it runs."""
        self.stop()
        return json.loads(self.counts_path.read_text())


class Batch:
    """One batch of orders in a directory of its own: input, results, ledger, the program's state.

    Every run has the same `options`, so that the same command is given again; what `run` takes
    beyond them is added behind. By default UserCount is the number of the row, so that the
    gateway's executed log names the row without anybody's help. `program` is another build of it.
    """

    def __init__(
        self,
        gateway,
        *options,
        rows=0,
        output="results.csv",
        env=None,
        rate="unlimited",
        program=SAGORDER,
    ):
        self.gateway = gateway
        self.program = str(program)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-batch-"))
        self.input = self.folder / "orders.csv"
        self.output = self.folder / output
        self.ledger = self.folder / (output + ".ledger")
        self.summary_path = self.folder / "summary.json"
        self.options = ["--rate", rate, *options]
        self.env = program_environment(self.folder, **(env or {}))
        self.started = []
        self.rows = 0
        if rows:
            self.write_orders(rows)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_orders(self, rows, *, columns=None, region="cn-shanghai", period=1, auto_pay="false"):
        """`rows` orders whose UserCount is their row. `columns` adds columns or replaces cells:
        name to a value, or to a function of the row."""
        columns = columns or {}
        usual = {
            "RegionId": region,
            "Period": period,
            "UserCount": lambda row: row,
            "AutoPay": auto_pay,
        }
        table = {**usual, **columns}
        with open(self.input, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table)
            for row in range(1, rows + 1):
                writer.writerow([cell(row) if callable(cell) else cell for cell in table.values()])
        self.rows = rows

    # running

    def command(self, *extra):
        """`sagorder run` as a list of arguments."""
        return [
            *(self.program, "run", str(self.input), "--output", str(self.output), "--yes"),
            *("--endpoint", self.gateway.endpoint, "--ca-file", str(self.gateway.ca)),
            *("--progress", "none", "--summary", str(self.summary_path)),
            *(str(option) for option in self.options),
            *(str(option) for option in extra),
        ]

    def run(self, *extra, timeout=60, env=None, **more):
        """Runs to the end. @return CompletedProcess, its outputs as text"""
        return self.sagorder(*self.command(*extra)[1:], timeout=timeout, env=env, **more)

    def sagorder(self, *arguments, timeout=60, env=None, **more):
        """Any command of the program, in the batch's directory and environment. It ends with one of
        the codes that its help tells."""
        done = subprocess.run(
            [self.program, *(str(argument) for argument in arguments)],
            **{"stdin": subprocess.DEVNULL, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout * TIME_SCALE,
            cwd=self.folder,
            env={**self.env, **(env or {})},
            check=False,
            process_group=0,
        )
        told = exit_codes_told(self.program, str(arguments[0]) if arguments else "")
        if told and done.returncode >= 0 and done.returncode not in told:
            raise AssertionError(f"{done.args}: exit {done.returncode}, not told: {done.stderr}")
        return done

    def start(self, *extra, env=None):
        """Starts `sagorder run` and does not wait, as start_any does."""
        return self.start_any(self.command(*extra), env=env)

    def start_any(self, command, *, env=None):
        """Starts any command; it ends with the batch at the latest. What it writes goes to `log`.
        @return Popen"""
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**self.env, **(env or {})},
                process_group=0,
            )
        self.started.append(process)
        return process

    @property
    def log(self):
        return self.folder / "log"

    def run_until_finished(self, *extra, most=20, timeout=60):
        """Gives the same command until every row has its line. @return the runs, in order"""
        runs = []
        while len(runs) < most:
            runs.append(self.run(*extra, timeout=timeout))
            if self.is_finished() or runs[-1].returncode not in (LIMIT, IN_DOUBT, ALL_PLACED):
                return runs
        return runs

    # looking

    def results(self):
        """The whole lines of the results as dicts of texts."""
        return evidence.read_results(self.output)[0]

    def result(self, row):
        """The line of one row; None: it has none."""
        found = [line for line in self.results() if line["Row"] == str(row)]
        return found[0] if found else None

    def statuses(self):
        """Status to how many lines have it."""
        return count_by(line["Status"] for line in self.results())

    def is_finished(self):
        return len({line["Row"] for line in self.results()}) == self.rows

    def summary(self):
        """The JSON summary of the last run."""
        return json.loads(self.summary_path.read_text())

    def ledger_records(self, *, live=False):
        """Every record of the ledger in the order of commits (evidence.Record). `live`: the program
        may be writing to it."""
        return evidence.read_live_ledger(self.ledger) if live else evidence.read_ledger(self.ledger)

    def ledger_rows(self, *, live=False):
        """Row to its state by the ledger alone; rows without a record are not in it."""
        lives, _ = checker.fold(self.ledger_records(live=live))
        return {row: life.state for row, life in lives.items()}

    def executed_rows(self):
        """The rows that the gateway executed, as their UserCount tells, in its order."""
        return [line["user_count"] for line in self.gateway.executed()]

    def violations(self, *, finished=True, torn=False, set_columns=None, results=True):
        """What the independent check finds wrong: nothing, if the promises were kept. `results`:
        False leaves them out, as if they were lost."""
        return checker.check(
            self.input,
            self.output if results else self.folder / "no results",
            self.ledger,
            self.gateway.executed_path,
            finished=finished,
            torn=torn,
            set_columns=set_columns,
        )


def count_by(values):
    """Value to how often it occurs."""
    counts = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts
