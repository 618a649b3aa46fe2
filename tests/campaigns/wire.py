"""Cuts the wire after every single byte, and asks the gateway's log what became of the order.

A proxy (wire_proxy.py) stands between the program and the simulated gateway, TLS from end to end.
It knows the parts of a connection by the frames of the records: the handshake's `hello`, `flight`,
`finished` and `tickets`, and an exchange's `request` and `response`. One *cell* is

  PART:HOW:KIND:OFFSET   as response:rst:reused:217

  HOW   fin (end of the stream), rst (reset), stall (silence until the program's own deadline);
        for a request also late (the program sees the end, and then the gateway gets the rest)
  KIND  of an exchange: fresh; reused: the second one of its connection is struck; replayed:
        fresh, with --replay same-bytes; of a handshake: full or resumed

and the offset runs over every byte of the part, its end included. What must hold of a cell:

  hello, flight        not executed, and the row is placed by a later attempt
  finished, tickets    the request was written by then: not executed, in doubt
  request              in doubt; executed only if the last byte passed, were it late
  response             executed; in doubt, or placed if the last byte passed
  idle                 the connection ends behind a whole answer: nothing is in doubt
  replayed             if no byte of an answer came, the same bytes are sent once more: placed if
                       the gateway did not have them, else refused there, and in doubt

after which the independent check looks at each batch as a whole. A case is cells joined by commas,
PART:HOW:KIND:FIRST-LAST/STEP, which are spread over some runs of the program side by side. A cell
counts only if it was struck: lengths vary by a few bytes, and an offset beyond the end is counted
as such. The tally is complete when every cell was struck.
"""

import os
import pathlib
import tempfile
from dataclasses import dataclass

import checker
from campaign import Campaign, Trial
from executed import Executed
from harness import ALL_PLACED, IN_DOUBT, LIMIT, PATIENT, Batch, Gateway
from wire_proxy import Cell, Lane, Shape

HOWS = ("fin", "rst", "stall")
PARTS = {
    "hello": ("full", "resumed"),
    "flight": ("full", "resumed"),
    "finished": ("full", "resumed"),
    "tickets": ("full", "resumed"),
    "request": ("fresh", "reused", "replayed"),
    "response": ("fresh", "reused", "replayed"),
}
CODES = {"fin": "closed", "rst": "reset", "stall": "timed_out", "late": "closed"}
LANES = 24  # runs of the program side by side
TRIES = 4  # of cells that were not struck the first time
CELLS_OF_A_CASE = {"fin": 240, "rst": 240, "stall": 96, "late": 240}
NO_TICKETS = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
NumTickets = 0
"""


def hows_of(part):
    return (*HOWS, "late") if part == "request" else HOWS


def cells_of(case):
    """The cells that a case names; throws ValueError on anything else."""
    cells = []
    for group in case.split(","):
        part, how, kind, offsets = group.split(":")
        span, _, step = offsets.partition("/")
        first, _, last = span.partition("-")
        if part == "idle":
            known = how in HOWS[:2] and kind == "reused"
        else:
            known = how in hows_of(part) and kind in PARTS.get(part, ())
        found = list(range(int(first), int(last or first) + 1, int(step or 1)))
        if not known or not found:
            raise ValueError(f"{group}: no such cells")
        if last and found[-1] != int(last):
            found.append(int(last))
        cells += [Cell(part, how, kind, offset) for offset in found]
    return cells


def is_first_only(cell):
    """Only a run's first connection is like that: it needs a run of its own."""
    return cell.part == "tickets" and cell.kind == "full"


@dataclass
class Endpoint:
    """What a Batch needs to know of a gateway, with the proxy in its place."""

    endpoint: str
    ca: pathlib.Path
    executed_path: pathlib.Path


@dataclass
class Run:
    """One run of the program through a lane of its own."""

    tag: str
    lane: Lane
    batch: Batch
    idle: bool  # its cells are struck between two exchanges
    process: object = None


class Wire(Campaign):
    """Every cell of the matrix, many in a trial."""

    summary = "the connection is cut after every byte, in every way"
    short = {"every": 20}
    form = "PART:HOW:KIND:FIRST[-LAST[/STEP]], more behind commas (see --help)"
    example = "response:rst:reused:217"

    def __init__(self):
        super().__init__()
        self.executed = Executed()
        self.lengths = {}
        self.groups = []

    def add_options(self, parser):
        parser.add_argument(
            "--every",
            type=int,
            default=1,
            metavar="N",
            help="only each N-th offset of a part (with --fresh, if it changes)",
        )

    def knows(self, case):
        return bool(cells_of(case))

    # the gateways, and what passes between them and the program

    def begin(self):
        # Syncs of the disk are another campaign's; here they would only take time.
        folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = pathlib.Path(
            self.held.enter_context(tempfile.TemporaryDirectory(prefix="wire-", dir=folder))
        )
        before = tempfile.tempdir
        tempfile.tempdir = str(self.folder)
        self.held.callback(setattr, tempfile, "tempdir", before)
        self.gateways = {"usual": self.gateway(), "no tickets": self.gateway(NO_TICKETS)}
        self.shapes = {name: Shape() for name in self.gateways}
        for name in self.gateways:
            self.learn(name)
        self.groups = list(self.all_groups())

    def gateway(self, configuration=""):
        """A gateway whose OpenSSL is told so."""
        path = self.folder / "openssl.cnf"
        path.write_text(configuration)
        before = os.environ.get("OPENSSL_CONF")
        os.environ["OPENSSL_CONF"] = str(path)
        try:
            return self.held.enter_context(Gateway("--order-id", "string", "--idle", "120s"))
        finally:
            if before is None:
                del os.environ["OPENSSL_CONF"]
            else:
                os.environ["OPENSSL_CONF"] = before

    def learn(self, name):
        """The lengths of all parts, by some whole connections."""
        shape = self.shapes[name]
        never = [Cell("none", "", "fresh", 0)]
        for plan, rows in (((), 1), (never, 8), ((), 8)):
            run = self.start(name, plan, rows)
            code = run.process.wait(timeout=60)
            run.lane.close()
            if run.lane.complaints or run.lane.early or code != ALL_PLACED:
                log = run.batch.log.read_text(errors="replace")
                raise RuntimeError(f"{run.lane.complaints} {run.lane.early} {log}")
            run.batch.__exit__()
            if not shape.plain_hello:
                shape.plain_hello = max(run.lane.lengths["hello", "full"])
            for key, sizes in run.lane.lengths.items():
                if name == "usual" or key[0] != "tickets":
                    self.lengths.setdefault(key, set()).update(sizes)
        for part in ("request", "response"):
            self.lengths[part, "replayed"] = self.lengths[part, "fresh"]
        self.executed.read(self.gateways[name])
        self.executed.strangers()

    def all_groups(self):
        """The cases of the whole matrix."""
        every = self.options.every
        groups = []
        for part, kinds in PARTS.items():
            for kind in kinds:
                most = max(self.lengths[part, kind])
                for how in hows_of(part):
                    # With all of it passed and no end, nothing was cut; and before a reset is there
                    # the next request may be: `idle` is that.
                    no_end = how == "stall" and part == "flight"
                    no_end = no_end or part == "response" and how != "fin"
                    last = most - (no_end or how == "late")
                    span = CELLS_OF_A_CASE[how] * every
                    if is_first_only(Cell(part, how, kind, 0)):
                        span = 48 * every
                    for first in range(0, last + 1, span):
                        end = min(first + span - every, last)
                        if last - end < every:
                            end = last
                        text = f"{part}:{how}:{kind}:{first}-{end}"
                        groups.append(text + (f"/{every}" if every > 1 else ""))
                        if end == last:
                            break
        groups.append("idle:fin:reused:0-19,idle:rst:reused:0-19")
        if every == 1:
            yield from groups
            return
        # The short form: a few trials in which every kind stands side by side.
        yield from (",".join(groups[at::4]) for at in range(4))

    def case(self, position, seed):
        return self.groups[position] if position < len(self.groups) else None

    # one trial

    def start(self, name, cells, rows=None):
        """A run of the program behind a lane that strikes these cells."""
        tag = self.executed.new_tag()
        gateway = self.gateways[name]
        lane = Lane(gateway.port, self.shapes[name], cells)
        endpoint = Endpoint(f"https://127.0.0.1:{lane.port}", gateway.ca, gateway.executed_path)
        idle = any(cell.part == "idle" for cell in cells)
        replayed = any(cell.kind == "replayed" for cell in cells)
        batch = Batch(
            endpoint,
            *(*PATIENT, "--connections", "1", "--max-in-flight", "1"),
            *("--request-timeout", "1s", "--connect-timeout", "300ms"),
            *("--replay", "same-bytes" if replayed else "never"),
            rate="8/s" if idle else "unlimited",
        )
        columns = {"ResourceGroupId": tag, "UserCount": lambda row: 1000 + row}
        batch.write_orders(rows or 2 * len(cells) + 3, columns=columns)
        run = Run(tag, lane, batch, idle)
        run.process = batch.start()
        return run

    def trial(self, case):
        left = cells_of(case)
        total = len(left)
        trial = Trial(counts={"cells": total, "cells struck": 0})
        for _ in range(TRIES):
            if left:
                left = self.strike(left, trial)
        self.add(trial.counts, "cells beyond the end", self.take_beyond(left))
        if left:
            some = ", ".join(str(cell) for cell in left[:5])
            trial.violations.append(f"{len(left)} cells were not struck: {some}")
        trial.violations += self.executed.strangers()
        return trial

    def take_beyond(self, cells):
        """Takes away the offsets that only the longest records have."""
        beyond = [
            cell
            for cell in cells
            if (cell.part, cell.kind) in self.lengths
            and cell.offset > min(self.lengths[cell.part, cell.kind])
        ]
        for cell in beyond:
            cells.remove(cell)
        return len(beyond)

    @staticmethod
    def add(counts, name, number):
        if number:
            counts[name] = counts.get(name, 0) + number

    def strike(self, cells, trial):
        """Tries cells in runs side by side. @return those that were not struck"""
        plans = {}
        for cell in cells:
            plain = cell.kind == "full" and not is_first_only(cell)
            name = "no tickets" if plain else "usual"
            share = "alone" if is_first_only(cell) else "many"
            if cell.part == "idle" or cell.kind == "replayed":
                share = "idle" if cell.part == "idle" else "replayed"
            plans.setdefault((name, share), []).append(cell)
        runs = []
        for (name, share), mine in plans.items():
            lanes = len(mine) if share == "alone" else min(LANES, -(-len(mine) // 4))
            runs += [self.start(name, mine[at::lanes]) for at in range(lanes)]
        struck = set()
        for run in runs:
            struck |= self.look(run, trial)
            run.batch.__exit__()
        self.add(trial.counts, "runs of the program", len(runs))
        return [cell for cell in cells if cell not in struck]

    def look(self, run, trial):
        """Waits for a run and judges it. @return the cells that it struck"""
        code = run.process.wait(timeout=300)
        run.lane.plan.clear()
        for _ in range(5):
            if code != LIMIT or run.batch.is_finished():
                break
            run.process = run.batch.start()
            code = run.process.wait(timeout=300)
        run.lane.close()
        found = list(run.lane.complaints)
        if code not in (ALL_PLACED, IN_DOUBT):
            found.append(f"exit code {code}")
        found += self.judge(run)
        struck = {passed.cell for passed in run.lane.passed if passed.cell}
        for cell in struck:
            self.add(trial.faults, f"{cell.part}, {cell.how}, {cell.kind}", 1)
        self.add(trial.counts, "cells struck", len(struck))
        self.add(trial.counts, "rows", run.batch.rows)
        self.add(trial.counts, "exchanges", len(run.lane.passed))
        slow = sum(passed.slow for passed in run.lane.passed)
        self.add(trial.counts, "exchanges that this machine was slow for", slow)
        if found:
            trial.violations += found
            lines = run.batch.log.read_text(errors="replace").splitlines()
            shown = [line for line in lines if "warning: UserCount" not in line]
            trial.detail += "\n".join(shown[-20:]) + "\n"
        return struck

    # the judgement

    def judge(self, run):
        """The sentences against one run: each exchange by itself, then the batch as a whole."""
        for gateway in self.gateways.values():
            self.executed.read(gateway)
        log = run.batch.folder / "executed.jsonl"
        lines = self.executed.write(run.tag, log)
        self.executed.forget(run.tag)
        batch = run.batch
        found = checker.check(batch.input, batch.output, batch.ledger, log)
        records = batch.ledger_records()
        lives, _ = checker.fold(records)
        sent = [record for record in records if record.kind in ("intent", "replay")]
        if run.idle:  # the end may find the next request held for its token: it is not offered then
            unoffered = {
                (record.row, record.attempt)
                for record in records
                if record.kind == "not_executed" and record.code == "closed_before_write"
            }
            sent = [record for record in sent if (record.row, record.attempt) not in unoffered]
        if len(sent) != len(run.lane.passed):
            found.append(f"{len(sent)} intents, but {len(run.lane.passed)} exchanges passed")
            return found
        nonces = {line["nonce"] for line in lines}
        first = None
        for record, passed in zip(sent, run.lane.passed):
            if record.kind == "intent":
                first = passed
            elif passed.slow:  # a replay is judged with its first sending; this one may have failed
                first.wanted, first.executed = first.wanted | {"in_doubt"}, None
        for record, passed in zip(sent, run.lane.passed):
            life = lives[record.row]
            if record.kind == "intent":
                fate = life.fates.get(record.attempt)
                code = life.last.code if life.last else ""
                found += self.judge_one(record, passed, fate, code, record.nonce in nonces)
        return found

    @staticmethod
    def judge_one(intent, passed, fate, code, executed):
        """The sentences against one exchange."""
        what = f"{passed.cell or 'a whole exchange'}: row {intent.row}, attempt {intent.attempt}"
        found = []
        if fate not in passed.wanted:
            found.append(f"{what} is {fate}, not {' or '.join(sorted(passed.wanted))}")
        if passed.executed not in (None, executed):
            found.append(f"{what} was {'' if executed else 'not '}executed")
        by_code = passed.cell and passed.cell.kind != "replayed" and fate == "in_doubt"
        if by_code and code != CODES[passed.cell.how]:
            found.append(f"{what} is in doubt as {code}")
        return found


CAMPAIGN = Wire
