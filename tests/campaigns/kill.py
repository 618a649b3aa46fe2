"""Killed at any moment, and given the same command again: no row twice, none forgotten.

Two kinds of trials, mixed:

  random:SEED    a batch against a gateway that fails in every way, killed by SIGKILL after a random
                 while, up to 25 times in a row, also while it recovers from the kill before
  at:NAME:SEED   a batch that dies at a point of that name (io/kill_point.hpp; the names are found
                 in the sources) in a program that is built for it, is then perhaps killed once
                 more, and goes on with the usual program

The oracle is tests/end_to_end/checker.py, which reads the input, the results, the ledger and the
log of what the gateway executed, after each kill and at the end: no row is executed twice; what was
executed is placed under that OrderId or in doubt; every row is in the results once; a kill leaves
no more rows under way than --max-in-flight; and a finished batch, run again, opens no connection. A
point that its trial does not come to is a violation too.
"""

import contextlib
import random
import re
import signal
import tempfile
import time

from campaign import Campaign, Trial, chance_of
from harness import BUILD, GATEWAY, IN_DOUBT, PATIENT, REPOSITORY, SAGORDER, Batch, Gateway
from killed import FAULTS, IN_FLIGHT_MAX, QUICK_FAULTS, KilledBatch, forms

PROGRAM_WITH_POINTS = BUILD / "tests" / "campaigns" / "sagorder-kill-points"
KILLS_OF_A_BATCH = 25
KILL_AFTER_MS_MAX = 300
TRIES = 5  # until a trial comes to its point
RUN_AGAIN_ODDS = 0.33  # of a finished batch of a named point, which takes as long as the trial

# Where a point is not met on the way of any run: what has to be done so that it is. The names of
# the scenes are those of the methods of Scene below.
SCENES = {
    "start:before-intents-closed": ("after_open",),
    "start:intents-closed": ("after_open",),
    "index:before": ("after_lacking",),
    "index:made": ("after_lacking",),
    "repair:lines-added": ("after_lacking",),
    "torn:before-cut": ("after_torn",),
    "torn:cut": ("after_torn",),
    "repair:rebuilt": ("damaged",),
    "rewrite:before-block": ("damaged", "resolved"),
    "rewrite:before-rename": ("damaged", "resolved"),
    "rewrite:renamed": ("damaged", "resolved"),
    "file:before-rename": ("first", "after_open", "damaged", "resolved"),
    "file:renamed": ("first", "after_open", "damaged", "resolved"),
    "request:before-let-go": ("rated",),
    "plan:in-ledger": ("planned",),
    "plan:before-taken": ("planned",),
    "plan:taken": ("planned",),
    "references:before-written": ("referenced",),
    "references:before-whole": ("referenced",),
    "interrupt:before": ("interrupted",),
    "interrupt:after": ("interrupted",),
    "batches:before-forgotten": ("never_sent",),
    "batches:forgotten": ("never_sent",),
    "end:before-forgotten": ("never_sent",),
    "end:forgotten": ("never_sent",),
    "resolve:before-intents-closed": ("resolved", "resolved_open"),
    "resolve:intents-closed": ("resolved", "resolved_open"),
    "resolve:before-commit": ("resolved", "resolved_open"),
    "resolve:committed": ("resolved", "resolved_open"),
    "resolve:results-written": ("resolved",),
}
ONCE = {  # met while a ledger or a memory is made, and never again
    *("ledger:empty", "ledger:in-wal-mode", "ledger:before-tables", "ledger:tables-made"),
    *("file:before-link", "file:linked", "checkpoint:before", "checkpoint:after"),
}
ANY_RUN = ("first", "rated", "after_open", "after_lacking", "after_torn")
# Families of points that a run passes many times.
OFTEN = ("commit", "append", "request", "reply", "connection")


def kill_points():
    """The names in the sources, in their order."""
    names = []
    for path in sorted((REPOSITORY / "io").glob("*.cpp")):
        names += re.findall(r'\bkill_point\("([^"]+)"\)', path.read_text(encoding="utf-8"))
    if len(set(names)) != len(names):
        raise RuntimeError("two kill points have the same name")
    # Those of a ledger in a database need one; tests/end_to_end/test_database.py has it.
    return [name for name in names if not name.startswith("database:")]


POINTS = kill_points()


def scenes_of(name):
    return SCENES.get(name, ("first",) if name in ONCE else ANY_RUN)


ANY_TIME = [name for name in POINTS if scenes_of(name) == ANY_RUN]


class NotReached(Exception):
    """The program did not come to the point that it was to die at."""


class Scene:
    """One batch that dies at a point, in circumstances in which it comes there."""

    ROWS = 30

    def __init__(self, held, point, number, chance, other_ca):
        self.point = point
        self.number = number
        self.chance = chance
        self.other_ca = other_ca
        self.held = held
        self.killed = None
        self.batch = None
        self.gateway = None

    def open(self, *options, faults=QUICK_FAULTS, latency="", rate="unlimited", rows=ROWS):
        seed = self.chance.randrange(2**31)
        output = self.chance.choice(["results.csv", "results.jsonl"])
        self.gateway = self.held.enter_context(Gateway(faults=faults, seed=seed, latency=latency))
        self.batch = self.held.enter_context(
            Batch(
                self.gateway,
                *(*PATIENT, *forms(self.chance), *options),
                rows=rows,
                output=output,
                rate=rate,
                program=PROGRAM_WITH_POINTS,
            )
        )
        self.killed = KilledBatch(self.batch)

    def die(self, point=None, number=None, **more):
        if not self.killed.die_at(point or self.point, number or self.number, **more):
            raise NotReached(f"{point or self.point} was not reached")

    def first(self):
        """The first run of the batch."""
        self.open(rows=120 if self.point.startswith("checkpoint") else self.ROWS)
        self.die()

    def rated(self):
        """A run that keeps a rate, so that a request waits for its token on an open connection."""
        self.open(rate="500/s")
        self.die()

    def after_open(self):
        """A run behind one that left rows under way."""
        self.open()
        self.die("request:written", self.chance.randint(1, 9))
        self.die()

    def after_lacking(self):
        """A run behind one that left settled rows without a line."""
        self.open()
        self.die("append:before", self.chance.randint(1, 5))
        self.die()

    def after_torn(self):
        """A run behind one that left a torn line."""
        self.open()
        self.die("append:piece", self.chance.randint(1, 3))
        self.die()

    def planned(self):
        """A run that keeps to a plan; the same command goes on with it, and no other batch may."""
        self.open()
        plan = self.batch.folder / "plan.json"
        limits = ["--endpoint", self.gateway.endpoint, "--rate", "unlimited", *PATIENT]
        if "same-bytes" in self.batch.options:
            limits += ["--replay", "same-bytes"]
        done = self.batch.sagorder("check", self.batch.input, "--plan", plan, *limits)
        if done.returncode != 0:
            raise NotReached(f"no plan was made: {done.stderr}")
        self.batch.options += ["--plan", plan]
        self.die()

    def referenced(self):
        """A run whose rows have References, which the ledger keeps before anything is sent."""
        self.open()
        self.batch.write_orders(self.ROWS, columns={"Reference": lambda row: f"office {row}"})
        self.die()
        if self.gateway.executed():
            self.killed.violations.append("an order was sent before the References were kept")

    def damaged(self):
        """A run that finds results which contradict the ledger, and writes them anew."""
        self.open()
        self.die("append:before", self.chance.randint(4, 6))
        last = self.batch.output.read_bytes().rstrip(b"\n").split(b"\n")[-1]
        with open(self.batch.output, "ab") as results:
            results.write(last + b"\n")
        self.killed.stale = True
        self.die()

    def interrupted(self):
        """A run that is asked to end."""
        self.open(latency="30ms", rate="100/s")
        process = self.batch.start(env={"SAGORDER_KILL_AT": f"{self.point}:1"})
        deadline = time.monotonic() + 30
        while not self.gateway.executed():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotReached(f"{self.point}: the run placed nothing: {self.killed.log()}")
            time.sleep(0.005)
        process.send_signal(self.chance.choice([signal.SIGINT, signal.SIGTERM]))
        if not self.killed.take(process.wait(timeout=30), f"died at {self.point}"):
            raise NotReached(f"{self.point} was not reached")

    def never_sent(self):
        """A run that remembers its batch and then, as no request left, forgets it."""
        self.open(faults="")
        honest, self.gateway.ca = self.gateway.ca, self.other_ca
        self.die()
        self.gateway.ca = honest

    def doubts(self):
        """A row in doubt, and a resolution of it that is true."""
        states = self.batch.ledger_rows()
        row = self.chance.choice(
            [row for row, state in states.items() if state in ("in_doubt", "intended")]
        )
        truth = [line for line in self.gateway.executed() if line["user_count"] == row]
        if truth:
            return row, ("--placed", f"{truth[0]['order_id']},{truth[0]['sag_id']}")
        return row, ("--not-placed", "--because", "the gateway's log")

    def resolve(self):
        """Dies while a doubt is resolved; the same command again does it, or writes the line that
        is missing. A row that had none yet gets its line at the next run."""
        self.killed.stale = True
        row, words = self.doubts()
        given = ("resolve", str(self.batch.output), "--row", str(row), *words)
        self.die(command=[self.batch.program, *given])
        done = self.batch.sagorder(*given)
        if done.returncode != 0:
            self.killed.violations.append(f"resolved again: {done.returncode}: {done.stderr}")
        line = self.batch.result(row)
        if line is not None and (words[0] != "--placed" or line["Status"] != "placed"):
            self.killed.violations.append(f"row {row} was resolved, and its line is {line}")
        state = self.batch.ledger_rows()[row]
        if state != ("placed" if words[0] == "--placed" else "pending"):
            self.killed.violations.append(f"row {row} was resolved, and is {state}")

    def resolved(self):
        """A doubt of a finished batch is resolved."""
        self.open(faults="close-after@2,close-before@5," + QUICK_FAULTS)
        runs = self.batch.run_until_finished()
        if runs[-1].returncode != IN_DOUBT:
            raise NotReached(f"nothing in doubt: {runs[-1].stderr}")
        self.resolve()

    def resolved_open(self):
        """A row that a kill left under way is resolved, before any other run."""
        self.open()
        self.die("request:written", self.chance.randint(2, 20))
        self.gateway.stop()  # what has not reached it now never will
        self.gateway.start()
        self.resolve()

    def go_on(self):
        """Killed once more, perhaps; then to the end, by the usual program."""
        what = self.chance.choice(["end", "random", "point"])
        if what == "random" and not self.killed.ended:
            self.killed.strike(self.chance.uniform(0, 100))
        elif what == "point" and not self.killed.ended:
            self.killed.die_at(self.chance.choice(ANY_TIME), self.chance.randint(1, 4))
        self.batch.program = str(SAGORDER)
        self.killed.finish(again=self.chance.random() < RUN_AGAIN_ODDS)


class Kill(Campaign):
    summary = "SIGKILL at random moments and at every named point, chained, and resumed"
    short = {"passes": 1, "batches": 1, "seconds": 45}
    form = "random:SEED or at:NAME:SEED, where io has a kill_point of that name"
    example = "at:commit:durable:4"

    def __init__(self):
        super().__init__()
        self.points = list(POINTS)
        self.other_ca = None

    def add_options(self, parser):
        parser.add_argument(
            "--passes", type=int, default=50, metavar="N", help="trials of each named point"
        )
        parser.add_argument(
            "--batches", type=int, default=200, metavar="N", help="batches killed at random"
        )

    def programs(self):
        return [SAGORDER, PROGRAM_WITH_POINTS]

    def needs(self):
        return [*self.programs(), GATEWAY]

    def knows(self, case):
        kind, rest = case.split(":", 1)
        if kind == "random":
            return rest.isdigit()
        name, seed = rest.rsplit(":", 1)
        return kind == "at" and name in POINTS and seed.isdigit()

    def begin(self):
        if self.options.short:  # a busy machine may not come to all: others each time
            random.SystemRandom().shuffle(self.points)
        folder = self.held.enter_context(tempfile.TemporaryDirectory(prefix="sagorder-pki-"))
        with Gateway(pki=folder + "/pki") as gateway:
            self.other_ca = gateway.ca

    def case(self, position, seed):
        """Every point once, then every point again; the batches killed at random between them."""
        named = len(POINTS) * self.options.passes
        total = named + self.options.batches
        if position >= total:
            return None
        before = -(-position * self.options.batches // total)
        if -(-(position + 1) * self.options.batches // total) > before:
            return f"random:{seed}"
        return f"at:{self.points[(position - before) % len(POINTS)]}:{seed}"

    def trial(self, case):
        kind, rest = case.split(":", 1)
        if kind == "random":
            return self.random_kills(case)
        return self.at_point(case, rest.rsplit(":", 1)[0])

    # kills at random moments

    def random_kills(self, case):
        chance = chance_of(case)
        rate = chance.choice(["200/s", "400/s", "unlimited"])
        with contextlib.ExitStack() as held:
            gateway = held.enter_context(
                Gateway(
                    faults=FAULTS,
                    seed=chance.randrange(2**31),
                    latency=chance.choice(["0", "1ms-5ms", "5ms-30ms"]),
                )
            )
            batch = held.enter_context(
                Batch(
                    gateway,
                    *(*PATIENT, *forms(chance)),
                    rows=800 if rate == "unlimited" else 400,
                    output=chance.choice(["results.csv", "results.jsonl"]),
                    rate=rate,
                )
            )
            killed = KilledBatch(batch)
            while killed.kills < KILLS_OF_A_BATCH and not killed.ended:
                # Half of them early, while it recovers from the one before.
                killed.strike(chance.uniform(0, chance.choice([40, KILL_AFTER_MS_MAX])))
            killed.finish()
            return self.trial_of(killed, {"killed at a random moment": killed.kills})

    # kills at named points

    def at_point(self, case, point):
        chance = chance_of(case)
        often = point.split(":")[0] in OFTEN and point not in SCENES
        for attempt in range(TRIES):
            number = chance.randint(1, chance.choice([2, 12])) if often and attempt < 2 else 1
            with contextlib.ExitStack() as held:
                scene = Scene(held, point, number, chance, self.other_ca)
                try:
                    getattr(scene, chance.choice(scenes_of(point)))()
                except NotReached as error:
                    why = str(error)
                    if scene.killed.violations:
                        return self.trial_of(scene.killed, {})
                    continue
                scene.go_on()
                others = scene.killed.kills - 1
                faults = {f"killed at {point}": 1, "killed before or behind that": others}
                return self.trial_of(scene.killed, faults)
        return Trial(violations=[f"in {TRIES} tries {why}"])

    def trial_of(self, killed, faults):
        batch = killed.batch
        statuses = batch.statuses()
        return Trial(
            faults=faults,
            violations=killed.violations,
            counts={
                "kills": killed.kills,
                "kills that met rows under way": killed.met_open,
                "batches": 1,
                "rows": batch.rows,
                "rows executed": len(batch.gateway.executed()),
                "rows in doubt at the end": statuses.get("in_doubt", 0),
            },
            detail=killed.log(),
        )

    def report(self, tally):
        """How often the points were met, and which never were."""
        met = {name: tally["faults"].get(f"killed at {name}", 0) for name in POINTS}
        never = [name for name, count in met.items() if count == 0]
        lines = [f"  {len(met)} named points, each met at least {min(met.values())} times"]
        if never:
            more = f" and {len(never) - 5} others" if len(never) > 5 else ""
            lines.append(f"  not met so far: {', '.join(never[:5])}{more}")
        return lines


CAMPAIGN = Kill
