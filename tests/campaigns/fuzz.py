"""Bytes that nobody would send, by the million: libFuzzer with AddressSanitizer and UBSan.

Each target of tests/fuzz is one reader or writer with an oracle of its own, which ends the program
with a sentence when a property does not hold. A trial is a slice of one target's fuzzing; targets
take turns. What a slice finds new is kept in build/campaigns/fuzz/TARGET, where the next one goes
on; it begins with tests/fuzz/corpus/TARGET. The table adds up the executions.

A violation names the input that repeats it: `tests/campaign fuzz --only TARGET:@FILE`. Mended, such a
file belongs into tests/fuzz/corpus/TARGET, which every build's tests replay (fuzz_corpora).

The fuzzers are built into build-fuzz by clang++-14, before anything else (--no-build: as they are).
"""

import os
import pathlib
import re
import subprocess

from campaign import Campaign, Refused, Trial
from clang_build import look_for
from harness import BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests" / "fuzz"
GROWN = BUILD / "campaigns" / "fuzz"
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in SOURCES.glob("fuzz_*.cpp"))
# Bytes of an input: what is longer costs time and says nothing new.
LENGTHS = {"csv": 384, "http": 384, "ledger": 192}
LENGTH = 256
# An input that takes longer hangs. libFuzzer measures wall time, and a fuzzer that was stopped, to
# leave the machine to a measurement say, goes on in the middle of an input.
HANG_SECONDS = 600
# 1: of the inputs found, those with rare features are changed more often (libFuzzer's usual way).
# To weigh them takes settings 30 % of its time, and finds no more there; http is slower without.
WEIGHED = {"settings": 0}
# Shallow stacks for allocations: most of the time would go into remembering them. What was freed is
# kept for some inputs more, and no longer, so that it stays within the processor's cache.
SANITIZERS = {
    "ASAN_OPTIONS": "malloc_context_size=4:quarantine_size_mb=2:"
    "thread_local_quarantine_size_kb=64:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
DONE = re.compile(r"^stat::number_of_executed_units:\s+(\d+)", re.MULTILINE)
COVERED = re.compile(r" cov: (\d+) ")
WRITTEN = re.compile(r"Test unit written to (\S+)")
SAID = re.compile(r"^(violated: .*|SUMMARY: .*|.*runtime error: .*)$", re.MULTILINE)


def built(options):
    """Builds the fuzzers of the targets wanted."""
    build = options.fuzzers
    look_for("clang++-14")
    configure = ["cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja"]
    configure += ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_CXX_COMPILER=clang++-14"]
    configure += ["-DSAGORDER_FUZZ=ON", "-DBUILD_TESTING=ON"]
    make = ["cmake", "--build", str(build), "--target"]
    make += [f"fuzz_{target}" for target in wanted(options)]
    for command, output in ((configure, subprocess.DEVNULL), (make, None)):
        if subprocess.run(command, check=False, stdout=output).returncode != 0:
            raise Refused(f"the build in {build} failed")


def wanted(options):
    return options.target or TARGETS


class Fuzz(Campaign):
    """Slices of fuzzing, target by target."""

    summary = "bytes that nobody would send: libFuzzer, ASan and UBSan (needs clang)"
    short = {"executions": 20_000, "slice_seconds": 5.0}
    form = "TARGET:SEED or TARGET:@FILE"
    example = "csv:7"

    def __init__(self):
        super().__init__()
        self.executed = {}  # in this run, by target
        self.is_built = False

    def add_options(self, parser):
        parser.add_argument(
            "--target", action="append", choices=TARGETS, help="this one (default: all); repeatable"
        )
        parser.add_argument(
            "--executions", type=int, metavar="N", help="of each target, in this run (default: on)"
        )
        parser.add_argument(
            "--slice-seconds", type=float, default=30.0, metavar="S", help="of a trial (default 30)"
        )
        parser.add_argument(
            "--fuzzers", type=pathlib.Path, default=ROOT / "build-fuzz", metavar="DIR"
        )
        parser.add_argument("--no-build", action="store_true", help="takes the fuzzers as they are")

    def fuzzer(self, target):
        return self.options.fuzzers / "tests" / "fuzz" / f"fuzz_{target}"

    def programs(self):
        if not self.options.no_build and not self.is_built:
            built(self.options)
        self.is_built = True
        return [self.fuzzer(target) for target in wanted(self.options)]

    def needs(self):
        return []

    def knows(self, case):
        target, seed = case.split(":", 1)
        is_input = seed.startswith("@") and pathlib.Path(seed[1:]).is_file()
        return target in TARGETS and (seed.isdigit() or is_input)

    def begin(self):
        self.programs()
        for target in wanted(self.options):
            if not any((SOURCES / "corpus" / target).glob("*")):
                raise Refused(f"tests/fuzz/corpus/{target} is not there")

    def left(self, target):
        """Executions to go; None: no end."""
        if self.options.executions is None:
            return None
        return max(self.options.executions - self.executed.get(target, 0), 0)

    def case(self, position, seed):
        targets = wanted(self.options)
        for turn in range(len(targets)):
            target = targets[(position + turn) % len(targets)]
            if self.left(target) != 0:
                return f"{target}:{seed % 2**31 or 1}"
        return None

    def trial(self, case):
        target, seed = case.split(":", 1)
        return self.replay(target, seed[1:]) if seed.startswith("@") else self.slice(target, seed)

    def replay(self, target, path):
        """One input, once."""
        done = self.call([str(self.fuzzer(target)), path])
        violations = [] if done.returncode == 0 else [self.named(target, path, done.stdout)]
        return Trial(violations=violations, counts={f"executions {target}": 1}, detail=done.stdout)

    def slice(self, target, seed):
        grown = GROWN / target
        found = GROWN / "found"
        for directory in (grown, found):
            directory.mkdir(parents=True, exist_ok=True)
        command = [str(self.fuzzer(target)), f"-seed={seed}", "-print_final_stats=1"]
        command += [f"-max_len={LENGTHS.get(target, LENGTH)}", f"-artifact_prefix={found}/{target}-"]
        command += [f"-max_total_time={self.options.slice_seconds:.0f}", "-reload=0"]
        command += [f"-timeout={HANG_SECONDS}", f"-entropic={WEIGHED.get(target, 1)}"]
        left = self.left(target)
        if left is not None:
            command.append(f"-runs={left}")
        dictionary = SOURCES / f"{target}.dict"
        if dictionary.exists():
            command.append(f"-dict={dictionary}")
        done = self.call(command + [str(grown), str(SOURCES / "corpus" / target)])
        return self.outcome(target, done)

    def outcome(self, target, done):
        count = DONE.search(done.stdout)
        executions = int(count.group(1)) if count else 0
        self.executed[target] = self.executed.get(target, 0) + executions
        covered = [int(each) for each in COVERED.findall(done.stdout)]
        violations = []
        if done.returncode != 0:
            written = WRITTEN.search(done.stdout)
            path = written.group(1) if written else "(no input was kept)"
            violations.append(self.named(target, path, done.stdout))
        elif executions == 0:
            violations.append(f"{target}: nothing was executed")
        return Trial(
            violations=violations,
            counts={f"executions {target}": executions},
            peaks={f"edges covered {target}": max(covered, default=0)},
            detail=done.stdout[-6000:] if violations else "",
        )

    @staticmethod
    def named(target, path, output):
        said = SAID.search(output)
        what = said.group(1) if said else "it ended early: " + output.strip().split("\n")[-1]
        return f"{target}: {what}; repeat: tests/campaign fuzz --only {target}:@{path}"

    @staticmethod
    def call(command):
        """Its output, both streams; a signal to this program is no signal to it."""
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **SANITIZERS},
            encoding="utf-8",
            errors="replace",
            process_group=0,
            check=False,
        )


CAMPAIGN = Fuzz
