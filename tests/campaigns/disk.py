"""Fails every call to the disk, one by one, in every way, and starts the same command again.

disk_shim.cpp, put before the program by LD_PRELOAD, counts the calls by what they do and to which
file: a first run of each scene tells how many there are, and then each is struck:

  SCENE:CALL:CLASS:NUMBER:WHAT[:ever]   as first:sync:wal:5:lostlater

  SCENE   first    a new batch of 6 rows
          again    the same command goes on with 3 of them; a summary is there already
          torn     likewise, after a kill in the middle of an attempt and a torn results file
          rebuilt  likewise, after the results file was lost
          placed, not-placed   `resolve` of a row in doubt; status   `status` of it
  WHAT    an errno; a short write; a kill at that very call; a powercut, which is a kill that also
          takes every write that no sync has kept; or a sync that fails and loses what it should
          have kept: at once (lost), or when the program has ended (lostlater)
  ever    all calls from there on, instead of one
  +       a second fault behind it strikes the next run: SCENE:FAULT+FAULT, pairs drawn by chance

and, without the shim, by the system's own means:

  SCENE:full:KIB     a small file system (where one can be mounted) with so much room left
  SCENE:limit:BYTES  no file may grow beyond that (RLIMIT_FSIZE)

After it: either the run came to its end, or it ended with 74 and a message that names the place; no
more than --max-in-flight rows are open; what the gateway executed stands in the ledger. Then the
disk is well again, and the same command is given until the batch is finished, at which the
independent check must find nothing: no row twice, none forgotten, each once in the results. The
same rows with another output are refused, for the batch is remembered.
"""

import contextlib
import os
import pathlib
import re
import resource
import subprocess
import tempfile

import checker
from campaign import Campaign, Refused, Trial, chance_of
from cases import replaced
from executed import Executed
from harness import (
    ALL_PLACED,
    BUILD,
    IN_DOUBT,
    INPUT,
    LIMIT,
    PATIENT,
    UNWRITABLE,
    USAGE,
    Batch,
    Gateway,
)

ROWS = 6
SHIM = BUILD / "tests" / "campaigns" / "libdisk_shim.so"
KILLED = -9
HUNG = "hung"

ONCE = {
    "open": "EIO ENOSPC EDQUOT EINTR EMFILE EROFS kill powercut",
    "openread": "EIO EINTR EMFILE EACCES",
    "read": "EIO EINTR short",
    "write": "EIO ENOSPC EDQUOT EINTR short EFBIG kill powercut",
    "sync": "EIO ENOSPC EDQUOT EINTR lost lostlater kill powercut",
    "rename": "EIO ENOSPC EDQUOT kill powercut",
    "link": "EIO ENOSPC EDQUOT kill powercut",
    "truncate": "EIO EINTR kill powercut",
    "unlink": "EIO kill powercut",
    "mkdir": "EIO ENOSPC EDQUOT kill powercut",
}
# An interrupted call that is interrupted for ever is no disk's.
EVER = {
    "open": "EIO ENOSPC",
    "openread": "EIO",
    "read": "EIO",
    "write": "EIO ENOSPC EDQUOT short",
    "sync": "EIO lost lostlater",
    "rename": "EIO",
    "link": "EIO",
    "truncate": "EIO",
    "unlink": "EIO",
    "mkdir": "EIO",
}
SCENES = ("first", "again", "torn", "rebuilt", "placed", "not-placed", "status")
SHORT_EVERY = 101
HARMLESS = ("EINTR", "short")

# What may be left in doubt at most: the row in flight when it was struck, and one from before.
RUNS = {"first": 1, "again": 1, "torn": 2, "rebuilt": 1}

# What a message must name, by the class of the file; and other ends that tell of it.
LEDGER = ("results.csv.ledger",)
NAMES = {
    "ledger": LEDGER,
    "wal": LEDGER,
    "shm": LEDGER,
    "results": ("results.csv",),
    "state": ("/state",),
    "summary": ("summary.json",),
    "folder": ("/sagorder-batch-",),
    "orders": ("orders.csv",),
    "other": ("/sagorder-batch-",),
}
OTHER_ENDS = {"orders": (INPUT,)}
ABOUT_RESULTS = re.compile(r"/results\.csv(?!\.ledger)(\.\w{6})?: ")


SMALL_KIB = 4096
FULL_KIB = 320  # a whole run needs less
LIMIT_BYTES = 128 * 1024


class NoDoubt(Exception):
    """By chance no row of this batch came to be in doubt."""


def is_fault(call="", kind="", number="", what="", *ever):
    """Whether these are the words of a fault that the shim can do."""
    whats = {(): ONCE, ("ever",): EVER}.get(ever, {}).get(call, "").split()
    return kind in NAMES and number.isdigit() and what in whats


class Disk(Campaign):
    """Every call, every fault."""

    summary = "every call to the disk fails, in every way"
    short = {"every": SHORT_EVERY}
    form = "SCENE:CALL:CLASS:NUMBER:WHAT[:ever], SCENE:full:KIB or SCENE:limit:BYTES (see --help)"
    example = "first:sync:wal:5:EIO"

    def add_options(self, parser):
        parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th case only")
        parser.add_argument("--pairs", type=int, default=2000, metavar="N", help="of faults")
        parser.add_argument(
            "--scenes",
            default=",".join(SCENES),
            help="separated by commas (what says which cases there are is changed with --fresh)",
        )

    def programs(self):
        return [*super().programs(), SHIM]

    def needs(self):
        return [*super().needs(), SHIM]

    def knows(self, case):
        scene, plan = case.split(":", 1)
        how, *size = plan.split(":")
        if how in ("full", "limit"):
            known = len(size) == 1 and size[0].isdigit()
        else:
            known = all(is_fault(*fault.split(":")) for fault in plan.split("+"))
        return scene in SCENES and known

    def begin(self):
        folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = pathlib.Path(
            self.held.enter_context(tempfile.TemporaryDirectory(prefix="disk-", dir=folder))
        )
        before = tempfile.tempdir
        tempfile.tempdir = str(self.folder)
        self.held.callback(setattr, tempfile, "tempdir", before)
        self.executed = Executed()
        self.gateway = self.held.enter_context(Gateway())
        # Two that leave doubts: one has executed what it does not answer, the other has not.
        seed = str(chance_of(self.options.seed or "disk").randrange(1, 2**32))
        self.silent = self.held.enter_context(Gateway(faults="close-after=0.5", seed=seed))
        self.deaf = self.held.enter_context(Gateway(faults="close-before=0.5", seed=seed))
        self.kill_plan = ""
        self.small = self.folder / "small"
        self.can_mount = self.mount()
        self.cases = []
        if self.options.only is None:
            for scene in self.options.scenes.split(","):
                self.cases += list(self.cases_of(scene))
            self.cases += self.pairs(self.options.pairs)
            self.cases = self.cases[:: self.options.every]

    def case(self, position, seed):
        return self.cases[position] if position < len(self.cases) else None

    def mount(self):
        """A small file system of our own. @return whether this is permitted"""
        self.small.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_KIB}k", "sagorder", str(self.small)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except OSError:
            return False
        if done.returncode == 0:
            self.held.callback(subprocess.run, ["umount", str(self.small)], check=False)
        return done.returncode == 0

    def cases_of(self, scene):
        """Counts the calls of a whole run, and says what to do to each."""
        if scene != "status":
            if self.can_mount:
                yield from (f"{scene}:full:{kib}" for kib in range(0, FULL_KIB, 4))
            yield from (f"{scene}:limit:{size}" for size in range(0, LIMIT_BYTES, 2048))
        stage = self.staged(scene)
        with stage.batch:
            code, told = stage.act("")
            if code not in (ALL_PLACED, IN_DOUBT):
                raise RuntimeError(f"{scene} ends with {code} on a good disk: {told}")
            for call, kind, number, *_ in stage.calls():
                struck = f"{scene}:{call}:{kind}:{number}"
                yield from (f"{struck}:{what}" for what in ONCE[call].split())
                yield from (f"{struck}:{what}:ever" for what in EVER[call].split())
            stage.forget()

    def pairs(self, count):
        """Two faults in two runs, drawn from those that strike one."""
        faults = {scene: [] for scene in RUNS}
        for case in self.cases:
            scene, plan = case.split(":", 1)
            if scene in RUNS and plan.count(":") > 1:
                faults[scene].append(plan)
        known = [scene for scene in RUNS if faults[scene]]
        chance = chance_of("pairs", len(self.cases))
        for _ in range(count if known else 0):
            scene = chance.choice(known)
            second = faults[chance.choice(known)]
            yield f"{scene}:{chance.choice(faults[scene])}+{chance.choice(second)}"

    def staged(self, scene, folder=None):
        """A batch at the beginning of a scene, in a folder of its own."""
        while True:
            tempfile.tempdir = str(folder or self.folder)
            stage = Stage(self, scene)
            tempfile.tempdir = str(self.folder)
            try:
                stage.prepare()
                return stage
            except NoDoubt:
                stage.forget()
                stage.batch.__exit__()

    def gateway_of(self, scene):
        named = {"placed": self.silent, "status": self.silent, "not-placed": self.deaf}
        return named.get(scene, self.gateway)

    def kill_within_an_attempt(self):
        """The plan of a kill between an intent and its outcome, found by trying."""
        number = 0
        while not self.kill_plan:
            number += 1
            plan = f"write:wal:{number}:kill"
            stage = Stage(self, "again")
            with stage.batch:
                stage.prepare()
                stage.order("--max-orders", "2", plan=plan)
                stage.forget()
                if stage.rows_in("intended"):
                    self.kill_plan = plan
        return self.kill_plan

    def trial(self, case):
        scene, plan = case.split(":", 1)
        words = plan.split("+")[0].split(":")
        stage = self.staged(scene, self.small if words[0] == "full" else None)
        trial = Trial()
        with stage.batch:
            if len(words) == 2:
                code = self.strike_by_system(stage, *words, trial)
            else:
                for fault in plan.split("+"):
                    code = self.strike_by_shim(stage, fault, trial)
                    stage.faults += 1
            trial.violations += stage.recover()
            trial.counts[f"ended with {code}"] = 1
            trial.counts["rows in doubt at the end"] = stage.doubts()
            trial.counts["runs of the program"] = stage.runs
            trial.detail = "\n".join(stage.told)
            stage.forget()
            trial.violations += self.executed.strangers()
            return trial

    def strike_by_shim(self, stage, plan, trial):
        """@return the exit code"""
        call, kind, _, what, *ever = plan.split(":")
        code, told = stage.act(plan)
        struck = any(len(line) > 3 for line in stage.calls())
        ends = [KILLED] if what in ("kill", "powercut") else [UNWRITABLE, *OTHER_ENDS.get(kind, ())]
        trial.violations += stage.judge(code, told, ends if struck else (), NAMES[kind])
        if not struck:
            where = "in a second run" if stage.faults else "in the first run"
            trial.counts[f"not reached {where}"] = 1
            if not stage.faults and stage.scene in RUNS:
                trial.violations.append("the call was counted, and not met again")
            return code
        fault = f"{call} {what}{' ever' if ever else ''}"
        trial.faults[fault] = trial.faults.get(fault, 0) + 1
        trial.counts[f"struck: {kind}"] = trial.counts.get(f"struck: {kind}", 0) + 1
        if code in (ALL_PLACED, IN_DOUBT) and what not in HARMLESS:
            trial.counts[f"went on after: {call} {kind} {what}"] = 1
        return code

    def strike_by_system(self, stage, how, size, trial):
        """@return the exit code"""
        size = int(size)
        if how == "full":
            if not self.can_mount:
                raise Refused("no file system can be mounted here")
            with ballast(self.small, size):
                code, told = stage.act(None)
        else:
            limits = (size, resource.RLIM_INFINITY)
            code, told = stage.act(
                None, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            )
        trial.violations += stage.judge(code, told, [UNWRITABLE], (str(stage.batch.folder),))
        trial.faults["full file system" if how == "full" else "file size limit"] = 1
        return code


@contextlib.contextmanager
def ballast(folder, kib):
    """Fills a file system but for so many KiB."""
    path = folder / "ballast"
    try:
        with open(path, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(bytes(4096)):
                    pass
            size = file.tell()
            file.truncate(max(size - kib * 1024, 0))
        yield
    finally:
        path.unlink(missing_ok=True)


class Stage:
    """One batch, brought to where a scene begins, struck, and finished."""

    def __init__(self, campaign, scene):
        self.campaign = campaign
        self.scene = scene
        self.tag = campaign.executed.new_tag()
        self.runs = 0
        self.told = []
        self.row = None  # that is resolved
        self.faults = 0  # that struck before
        self.failure = ""  # what was said of the last one
        self.batch = Batch(
            campaign.gateway_of(scene),
            *(*PATIENT, "--connections", "1", "--max-in-flight", "1", "--request-timeout", "5s"),
        )
        self.batch.write_orders(ROWS, columns={"ResourceGroupId": self.tag})
        self.log = campaign.folder / "executed.jsonl"  # where there is room
        self.shim_log = self.batch.folder / "shim.log"

    # the acts

    def run(self, *arguments, plan=None, **more):
        """One command. @return (exit code, what it wrote)"""
        self.runs += 1
        env = {}
        if plan is not None:
            self.shim_log.unlink(missing_ok=True)
            env = {
                "LD_PRELOAD": str(SHIM),
                "DISK_SHIM_ROOT": str(self.batch.folder),
                "DISK_SHIM_LOG": str(self.shim_log),
                "DISK_SHIM_PLAN": plan,
            }
            # A program with AddressSanitizer wants its runtime to be the first library.
            asan = [self.batch.env.get("ASAN_OPTIONS", ""), "verify_asan_link_order=0"]
            env["ASAN_OPTIONS"] = ":".join(filter(None, asan))
        try:
            done = self.batch.sagorder(*arguments, env=env, timeout=30, **more)
        except subprocess.TimeoutExpired:
            return HUNG, ""
        lines = [line for line in done.stderr.splitlines() if "warning: UserCount" not in line]
        text = "\n".join([*lines, done.stdout])
        self.told.append(f"$ {arguments[0]} {plan or ''}: {done.returncode}\n{text}")
        return done.returncode, text

    def order(self, *extra, plan=None, **more):
        """The batch's own command."""
        return self.run(*self.batch.command(*extra)[1:], plan=plan, **more)

    def prepare(self):
        """Brings the batch to where the scene begins."""
        if self.scene == "first":
            return
        if self.scene in ("placed", "not-placed", "status"):
            self.make_doubt()
            return
        self.order("--max-orders", "3")
        if self.scene == "torn":
            # Killed after an intent, before its outcome.
            self.order("--max-orders", "2", plan=self.campaign.kill_within_an_attempt())
            self.batch.output.write_bytes(self.batch.output.read_bytes()[:-5])
        elif self.scene == "rebuilt":
            self.batch.output.unlink()

    def make_doubt(self):
        """Until a row is in doubt, of those that the gateway drops at random."""
        for _ in range(ROWS):
            self.order("--max-orders", "1")
            if self.rows_in("in_doubt"):
                return
        raise NoDoubt

    def rows_in(self, state):
        rows = self.batch.ledger_rows().items()
        return [row for row, found in rows if found == state]

    def act(self, plan, **more):
        """What is struck. @return (exit code, what it wrote)"""
        if self.scene == "status":
            return self.run("status", self.batch.output, plan=plan, **more)
        if self.scene in ("placed", "not-placed"):
            self.row = self.rows_in("in_doubt")[0]
            return self.resolve(plan=plan, **more)
        return self.order(plan=plan, **more)

    def resolve(self, **more):
        how = ("--not-placed", "--because", "the gateway never had it")
        if self.scene == "placed":
            executed = {line["user_count"]: line["order_id"] for line in self.look()}
            how = ("--placed", executed[self.row])
        return self.run("resolve", self.batch.output, "--row", self.row, *how, **more)

    def calls(self):
        """The calls that the shim saw: words of each line of its log."""
        return [line.split() for line in self.shim_log.read_text().splitlines()]

    # the judgement

    def look(self):
        """What was executed of this batch; `log` holds that alone afterwards."""
        executed = self.campaign.executed
        executed.read(self.batch.gateway)
        return executed.write(self.tag, self.log)

    def forget(self):
        """Nothing of this batch is looked at any more."""
        self.look()
        self.campaign.executed.forget(self.tag)

    def check(self, **how):
        self.look()
        batch = self.batch
        return checker.check(batch.input, batch.output, batch.ledger, self.log, **how)

    def judge(self, code, told, ends, names):
        """The sentences against what was struck. `ends`: exit codes that are right beside success;
        `names`: one of them must be in what it says of a failure."""
        found = []
        self.failure = told
        if code not in (ALL_PLACED, IN_DOUBT, *ends):
            found.append(f"ended with {code}: {told[-300:]}")
        if code == UNWRITABLE and not any(name in told for name in names):
            found.append(f"74, and nothing names the place: {told[-300:]}")
        over = code in (ALL_PLACED, IN_DOUBT) and self.scene in RUNS
        found += [
            sentence
            for sentence in self.check(finished=over, torn=not over)
            # The ledger comes first: the results of a resolve that failed are the next run's.
            if code == ALL_PLACED or not sentence.startswith(f"row {self.row}: in_doubt in the res")
        ]
        if len(self.rows_in("intended")) > 1:
            found.append("more rows are open than may be in flight")
        return found

    def recover(self):
        """The disk is well again: the same command, until the batch is finished."""
        found = []
        if self.scene in ("placed", "not-placed"):
            code, told = self.resolve()
            # It may have been done before what failed; then that said so.
            done = code == USAGE and "only a row in doubt" in told
            if code != ALL_PLACED and not done:
                found.append(f"the same resolve ends with {code}: {told[-300:]}")
            about_results = ABOUT_RESULTS.search(self.failure)
            if done and about_results and "in the ledger" not in self.failure:
                found.append(f"it was resolved, and nothing says so: {self.failure[-300:]}")
        for _ in range(8):
            code, told = self.order()
            if code not in (ALL_PLACED, IN_DOUBT, LIMIT):
                found.append(f"the same command ends with {code}: {told[-300:]}")
                break
            if self.batch.is_finished():
                break
        found += self.check()
        elsewhere = self.batch.folder / "elsewhere.csv"
        command = self.batch.command()[1:]
        code, told = self.run(*replaced(command, output=elsewhere))
        if code != INPUT:
            found.append(f"the same rows with another output end with {code}: {told[-300:]}")
        most = RUNS.get(self.scene, ROWS) + max(self.faults - 1, 0)
        if self.doubts() > most:
            found.append(f"{self.doubts()} rows are in doubt at the end")
        if self.scene == "placed" and self.batch.result(self.row)["Status"] != "placed":
            found.append(f"row {self.row} was resolved as placed, and is not")
        return found

    def doubts(self):
        return self.batch.statuses().get("in_doubt", 0)


CAMPAIGN = Disk
