"""Every test of the build once more, with programs that watch themselves.

address: AddressSanitizer and UndefinedBehaviorSanitizer, by clang 14, over the tests of engine, io,
gateway and the end-to-end ones. thread: ThreadSanitizer, over those that have threads: all but the
engine's. A report of a sanitizer ends the program with a code of its own, so the test fails.

A trial is one test of one build; its case is thread:end_to_end_kill, say.
"""

import json
import os
import subprocess
import time

from campaign import Campaign, Refused, Trial
from clang_build import built, sources

KINDS = ("address", "thread")
# The engine has no threads, and its tests have an `operator new` of their own, as has TSan.
PROGRAMS = ["sagorder", "sagorder-gateway", "sagorder-kill-points"]
TARGETS = {
    "address": [
        *PROGRAMS,
        *("engine_tests", "io_tests", "postgres_tests", "gateway_tests"),
        *("fuzz_corpora", "simulation", "simulation_hosts", "ledger_in_memory_tests"),
    ],
    "thread": [*PROGRAMS, "io_tests", "postgres_tests", "gateway_tests"],
}
# They run programs of their own, or look at a Release.
ALREADY = ("campaign_", "kill_points_", "simulation_planted", "simulation_hosts_planted", "bench_")
NEVER = {
    "address": ALREADY,
    "thread": (*ALREADY, "engine_", "fuzz_", "simulation", "ledger_in_memory"),
}
SHORT = ("engine_tests", "gateway_tests", "io_tests", "end_to_end_threads")
OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Sanitizers(Campaign):
    summary = "the build's tests under ASan and UBSan, and under TSan"
    short = {"few": True}
    form = "KIND:TEST, where ctest has a test of that name"
    example = "thread:end_to_end_kill"

    def __init__(self):
        super().__init__()
        self.folders = {}
        self.cases = []

    def add_options(self, parser):
        parser.add_argument("--kind", choices=KINDS, help="one build alone")
        parser.add_argument("--few", action="store_true", help="the tests of the rooms and threads")

    def programs(self):
        return sources()

    def needs(self):
        return []

    def knows(self, case):
        kind, name = case.split(":")
        return kind in KINDS and name != ""

    def begin(self):
        only = self.options.only
        wanted = only.split(":")[0] if only else self.options.kind
        for kind in KINDS:
            if wanted in (None, kind) and not self.stop.asked:
                self.folders[kind] = built(
                    kind,
                    TARGETS[kind],
                    f"-DSAGORDER_SANITIZE={kind}",
                    "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g",
                )
                self.cases += [f"{kind}:{name}" for name in self.tests(kind)]

    def tests(self, kind):
        listed = subprocess.run(
            ["ctest", "--test-dir", self.folders[kind], "--show-only=json-v1"],
            capture_output=True,
            text=True,
            check=True,
        )
        names = [test["name"] for test in json.loads(listed.stdout)["tests"]]
        names = [name for name in names if not name.startswith(NEVER[kind])]
        return [name for name in names if name in SHORT] if self.options.few else names

    def case(self, position, seed):
        return self.cases[position] if position < len(self.cases) else None

    def trial(self, case):
        if case not in self.cases:
            raise Refused(f"no case `{case}`; there are {' '.join(self.cases)}")
        kind, name = case.split(":")
        begin = time.monotonic()
        done = subprocess.run(
            [
                *("ctest", "--test-dir", str(self.folders[kind]), "--output-on-failure"),
                *("--no-tests=error", "-R", f"^{name}$"),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **OPTIONS},
            process_group=0,
            check=False,
        )
        seconds = time.monotonic() - begin
        word = "passed" if done.returncode == 0 else "FAILED"
        print(f"{case}: {word}, {seconds:.0f} s", flush=True)
        found = [] if done.returncode == 0 else [f"{name} fails under the {kind} sanitizer"]
        reports = [line for line in done.stdout.split("\n") if "SUMMARY: " in line]
        return Trial(
            counts={f"tests under {kind}": 1, f"seconds under {kind}": seconds},
            violations=found + reports[:5],
            detail=done.stdout[-20_000:],
        )


CAMPAIGN = Sanitizers
