"""Whole histories, simulated: the real engine and HTTP reader between a simulated server, network,
disk and process, in virtual time. One seed is one history, judged by what truly happened.

A trial is a block of seeds. What is proved of each: see tests/simulation/oracle.hpp (I0 to I21). At
the end stands which fault struck an order in which part of its life, and which possible cells of
that table were never struck; once a million seeds were played, such a cell is a failure.

    tests/campaign simulation --seeds 10000000      stops and goes on as it is told to
    tests/simulate --seed N --trace                 retells one history
"""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

from campaign import Campaign, Trial
from harness import BUILD

PROGRAM = BUILD / "tests" / "simulation" / "simulation"
BLOCK = 2_000  # seeds of one trial
SEEDS_FOR_ALL_CELLS = 1_000_000
APART = {
    "copies_executed": "told apart: copies executed, nonces forgotten",
    "lied": "told apart: rows of a server that lies",
    "lied_twice": "told apart: of them executed again",
    "ids_of_before": "told apart: OrderIds of an earlier process",
    "torn_first_lines": "told apart: results torn in their first line",
    "late_copies": "told apart: copies after 60 s of standing still",
}


def play(first, count):
    """What the program says of some seeds."""
    done = subprocess.run(
        [str(PROGRAM), "--first", str(first), "--seeds", str(count), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"seeds from {first} end with {done.returncode}: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def parts(first, count, jobs):
    """A block in so many parts: first seed and count of each."""
    each = -(-count // jobs)
    return [(at, min(each, first + count - at)) for at in range(first, first + count, each)]


def trial_of(said):
    """The figures of one answer as a Trial."""
    trial = Trial(faults=dict(said["faults"]))
    trial.counts = {"seeds": said["seeds"], "processes": said["processes"]}
    trial.counts["events"] = said["events"]
    trial.counts["requests"] = said["requests"]
    trial.counts["seeds played twice, and the same told"] = said["twice"]
    for name, words in APART.items():
        trial.counts[words] = said[name]
    trial.peaks = {"seeds a second of one core": said["seeds"] / max(said["cpu_seconds"], 1e-9)}
    for failed in said["violations"]:
        text = f"{failed['invariant']}: {failed['text']}"
        again = f"tests/simulate --seed {failed['seed']} --trace"
        trial.violations.append(f"seed {failed['seed']}: {text}; {again}")
    return trial


def added(trials):
    """Several Trials as one."""
    sum_of = Trial()
    for trial in trials:
        for name in ("faults", "counts"):
            into = getattr(sum_of, name)
            for key, number in getattr(trial, name).items():
                into[key] = into.get(key, 0) + number
        for key, number in trial.peaks.items():
            sum_of.peaks[key] = max(sum_of.peaks.get(key, 0), number)
        sum_of.violations += trial.violations
    return sum_of


class Simulation(Campaign):
    """Blocks of seeds, one after the other."""

    summary = "whole histories in virtual time: server, network, disk, process and people fail"
    short = {"seeds": 20_000}
    form = "FIRST..LAST, of seeds"
    example = "1..2000"

    def add_options(self, parser):
        parser.add_argument(
            "--seeds", type=int, metavar="N", help=f"in all, in whole blocks of {BLOCK:,}"
        )
        parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (1)")

    def programs(self):
        return [PROGRAM]

    def needs(self):
        return [PROGRAM]

    def knows(self, case):
        first, last = case.split("..")
        return first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last)

    def begin(self):
        said = subprocess.run(
            [str(PROGRAM), "--cells"], stdout=subprocess.PIPE, text=True, check=True
        )
        self.cells = json.loads(said.stdout)

    def case(self, position, seed):
        first = position * BLOCK + 1
        if self.options.seeds is not None and first > self.options.seeds:
            return None
        return f"{first}..{first + BLOCK - 1}"

    def trial(self, case):
        first, last = (int(text) for text in case.split(".."))
        shares = parts(first, last - first + 1, max(1, self.options.jobs))
        with ThreadPoolExecutor(len(shares)) as pool:
            return added(trial_of(said) for said in pool.map(lambda each: play(*each), shares))

    def report(self, tally):
        struck = tally["faults"]
        never = [cell for cell in self.cells["possible"] if not struck.get(cell)]
        wrong = [cell for cell in self.cells["impossible"] if struck.get(cell)]
        possible, impossible = len(self.cells["possible"]), len(self.cells["impossible"])
        lines = [f"  cells struck: {possible - len(never)} of {possible} that are possible"]
        lines.append(f"  ({impossible} cells are impossible by name, each with its reason)")
        lines += [f"    struck, though impossible: {cell}" for cell in wrong]
        lines += [f"    never struck: {cell}" for cell in never]
        enough = tally["counts"].get("seeds", 0) >= SEEDS_FOR_ALL_CELLS
        if wrong or (never and enough):
            tally["violations_total"] += 1  # of this table, not of a trial: it is not kept
            lines.append("  the table of faults and phases is not as it should be")
        return lines


CAMPAIGN = Simulation
