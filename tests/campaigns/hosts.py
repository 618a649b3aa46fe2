"""Several hosts on one batch, simulated: real pipelines on one simulated shared ledger, in virtual
time. Hosts stand still, are killed and fenced, the ledger fails over and is cut off. One seed is one
history, judged by what truly happened.

A trial is a block of seeds. What is proved of each: see tests/simulation/hosts/oracle.hpp (S0 to S13).

    tests/campaign hosts --seeds 10000000      stops and goes on as it is told to
    build/tests/simulation/simulation_hosts --seed N --trace      retells one history
"""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

from campaign import Campaign, Trial
from harness import BUILD
from simulation import added, parts

PROGRAM = BUILD / "tests" / "simulation" / "simulation_hosts"
BLOCK = 2_000  # seeds of one trial
COUNTS = {
    "seeds": "seeds",
    "processes": "processes",
    "events": "events",
    "requests": "requests",
    "elsewhere": "claims refused, as another host had the row",
    "open": "intents left open by dead hosts",
    "fenced": "hosts that found themselves fenced",
    "twice": "seeds played twice, and the same told",
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


def trial_of(said):
    """The figures of one answer as a Trial."""
    trial = Trial(counts={words: said[name] for name, words in COUNTS.items()})
    trial.peaks = {"seeds a second of one core": said["seeds"] / max(said["cpu_seconds"], 1e-9)}
    for failed in said["violations"]:
        text = f"{failed['invariant']}: {failed['text']}"
        again = f"build/tests/simulation/simulation_hosts --seed {failed['seed']} --trace"
        trial.violations.append(f"seed {failed['seed']}: {text}; {again}")
    return trial


class Hosts(Campaign):
    """Blocks of seeds, one after the other."""

    summary = "several hosts on one shared batch, in virtual time: hosts and ledger fail"
    short = {"seeds": 4_000}
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


CAMPAIGN = Hosts
