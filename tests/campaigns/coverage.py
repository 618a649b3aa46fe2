"""What the engine's tests reach of the rooms that decide: every line and every branch.

Measured by llvm-cov (clang 14) over the engine's tests alone, a file of a room at a time. Each line
that no test comes to, and each branch that none takes, is a violation.

What counts is what stands in the room's own source and header. A line counts once, whatever number
of instances a template has. A branch is a condition's one outcome, at its place in the source: it
is taken if any instance of the code took it. Not counted are

- conditions that the source does not have: those inside the standard library's headers (std::visit,
  std::variant, containers), and the way past a `switch` without a default, for the compiler sees to
  it that every value is named;
- consteval functions, which run in the compiler;
- the false side of conditions within `expect(...)`, which ends the program: whether a promise can
  be broken is not for these tests to show;
- statements that ask for a planted mistake (engine/planted.hpp), which this build does not have, and
  what an `if` that asks for one leads to.
"""

import bisect
import json
import os
import re
import subprocess

from campaign import Campaign, Refused, Trial
from clang_build import built, look_for, sources
from harness import REPOSITORY

ROOMS = ("verdict", "life", "pipeline")
FLAGS = "-fprofile-instr-generate -fcoverage-mapping"


def calls_of_expect(text):
    """Where calls of `expect` stand: (begin, end) as offsets."""
    calls = []
    for found in re.finditer(r"\bexpect\(", text):
        depth, at = 1, found.end()
        while depth > 0:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        calls.append((found.start(), at))
    return calls


def behind_brackets(text, at, pair="()"):
    """Behind the bracket that closes the one at `at`."""
    depth = 0
    while True:
        depth += {pair[0]: 1, pair[1]: -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at


def planted_statements(text):
    """Where statements stand that ask for a planted mistake: (begin, end) as offsets."""
    statements = []
    for found in re.finditer(r"\bplanted\(", text):
        begin = max(text.rfind(mark, 0, found.start()) for mark in ";{}") + 1
        condition = re.match(r"\s*(else )?if (?=\()", text[begin:])
        if condition is None:
            end = text.index(";", found.end())
        else:
            end = behind_brackets(text, begin + condition.end())
            block = re.match(r"\s*(?=\{)", text[end:])
            end = (
                text.index(";", end)
                if block is None
                else behind_brackets(text, end + block.end(), "{}")
            )
        statements.append((begin, end))
    return statements


class Source:
    """A source's text, by line and column."""

    def __init__(self, path):
        self.text = path.read_text(encoding="utf-8")
        self.lines = [0] + [found.end() for found in re.finditer("\n", self.text)]
        self.expects = calls_of_expect(self.text)
        self.planted = planted_statements(self.text)

    def offset(self, line, column):
        return self.lines[line - 1] + column - 1

    def is_promise(self, line, column):
        at = self.offset(line, column)
        index = bisect.bisect(self.expects, (at, len(self.text))) - 1
        return index >= 0 and self.expects[index][0] <= at < self.expects[index][1]

    def is_planted(self, line, column):
        at = self.offset(line, column)
        return any(begin <= at < end for begin, end in self.planted)

    def is_compiled_away(self, line):
        """Within a consteval function, which runs in the compiler."""
        at = self.offset(line, 1)
        begin = self.text.rfind("\nconsteval ", 0, self.text.find("\n", at))
        return begin >= 0 and self.text.find("\n}\n", begin) >= at - 1

    def is_switch(self, line, column):
        return self.text[: self.offset(line, column)].endswith("switch (")

    def words(self, line, column, end_line, end_column):
        begin, end = self.offset(line, column), self.offset(end_line, end_column)
        return " ".join(self.text[begin:end].split())


def names_of(rooms):
    return [f"engine/{room}.{end}" for room in rooms for end in ("cpp", "hpp")]


class Coverage(Campaign):
    summary = "lines and branches of engine/verdict, life and pipeline that the tests reach"
    form = "a source of a room"
    example = "engine/verdict.cpp"

    def __init__(self):
        super().__init__()
        self.found = {}
        self.told = []

    def add_options(self, parser):
        parser.set_defaults(fresh=True)  # nothing adds up over runs
        parser.add_argument("--room", choices=ROOMS, action="append", help="of these alone")

    def programs(self):
        return sources()

    def needs(self):
        return []

    def knows(self, case):
        return case in names_of(ROOMS)

    def begin(self):
        look_for("llvm-profdata-14", "llvm-cov-14")
        folder = built("coverage", ["engine_tests"], f"-DCMAKE_CXX_FLAGS={FLAGS}")
        raw, merged = folder / "engine.profraw", folder / "engine.profdata"
        tests = folder / "tests" / "engine_tests"
        run = subprocess.run(
            [str(tests), "--gtest_brief=1"],
            env={**os.environ, "LLVM_PROFILE_FILE": str(raw)},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise Refused("the engine's tests fail: " + run.stdout[-2000:])
        subprocess.run(
            ["llvm-profdata-14", "merge", "-sparse", str(raw), "-o", str(merged)], check=True
        )
        exported = subprocess.run(
            [
                *("llvm-cov-14", "export", str(tests), f"-instr-profile={merged}"),
                str(REPOSITORY / "engine"),
            ],
            capture_output=True,
            check=True,
        )
        files = json.loads(exported.stdout)["data"][0]["files"]
        self.found = {os.path.realpath(file["filename"]): file for file in files}

    def files(self):
        names = names_of(self.options.room or ROOMS)
        return [name for name in names if os.path.realpath(REPOSITORY / name) in self.found]

    def case(self, position, seed):
        files = self.files()
        return files[position] if position < len(files) else None

    def trial(self, case):
        if case not in self.files():
            raise Refused(f"nothing of {case} is compiled")
        path = REPOSITORY / case
        file, source = self.found[os.path.realpath(path)], Source(path)
        lines = lines_of(file["segments"])
        lines = {line: n for line, n in lines.items() if not source.is_compiled_away(line)}
        lines = {line: n for line, n in lines.items() if n > 0 or not source.is_planted(line, 1)}
        missed_lines = sorted(line for line, count in lines.items() if count == 0)
        branches = branches_of(file["branches"], source)
        branches = {at: n for at, n in branches.items() if n > 0 or not source.is_planted(*at[:2])}
        missed = sorted(place for place, count in branches.items() if count == 0)
        violations = [f"{case}:{line}: no test comes here" for line in missed_lines]
        for *place, side in missed:
            words = source.words(*place)
            violations.append(f"{case}:{place[0]}:{place[1]}: never {side}: {words}")
        self.told.append(
            f"  {case:<24} lines {share(lines, missed_lines)}   branches {share(branches, missed)}"
        )
        return Trial(
            counts={
                "lines": len(lines),
                "lines missed": len(missed_lines),
                "branches": len(branches),
                "branches missed": len(missed),
            },
            violations=violations,
        )

    def report(self, tally):
        return self.told


def share(all_of_them, missed):
    total = len(all_of_them)
    percent = 100.0 * (total - len(missed)) / total if total else 100.0
    return f"{total - len(missed):>4} of {total:>4} ({percent:5.1f} %)"


def lines_of(segments):
    """Line to how often it was come to, as llvm-cov counts: the most of the regions that begin on a
    line, else of the one that goes on over it."""
    counts = {}
    over = None  # the count of the region that goes on
    line = None
    for at, _, count, has_count, is_entry, is_gap in segments:
        if over is not None:
            for between in range(line + 1, at):
                counts[between] = over
        if has_count and is_entry and not is_gap:
            counts[at] = max(counts.get(at, 0), count)
        elif over is not None and at not in counts:
            counts[at] = over
        over = count if has_count and not is_gap else None
        line = at
    return counts


def branches_of(branches, source):
    """(line, column, end line, end column, side) to how often it was taken, over all instances."""
    taken = {}
    for line, column, end_line, end_column, yes, no, *_ in branches:
        if source.is_switch(line, column) or source.is_compiled_away(line):
            continue
        place = (line, column, end_line, end_column)
        sides = [("true", yes)]
        if not source.is_promise(line, column):
            sides.append(("false", no))
        for side, count in sides:
            taken[(*place, side)] = taken.get((*place, side), 0) + count
    return taken


CAMPAIGN = Coverage
