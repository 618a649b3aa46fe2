"""What every campaign is: trials without end, tallied over many runs of one command.

    tests/campaign NAME [--trials N] [--seconds S] [--seed N] [--only CASE] [--short] [...]

A campaign is a module beside this one that says `CAMPAIGN = ` a subclass of Campaign. It can be
stopped at any time (SIGINT, SIGTERM: after the trial under way; twice: at once) and goes on later:
its tally is kept in a file, one for each program, told apart by the digest of its bytes, so that
what one program did is never counted for another. At the end it prints one table, and exits with 0
if that shows no violation, else with 1 (2: wrong usage, or something is not built; 75: the tally
is in use; 130: stopped before a trial was done).

Each trial is named by a case: a text without spaces that alone repeats it, by `--only CASE`.
"""

import argparse
import contextlib
import fcntl
import hashlib
import importlib
import itertools
import json
import os
import pathlib
import random
import re
import shlex
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field

from harness import BUILD, GATEWAY, SAGORDER, random_seed

HERE = pathlib.Path(__file__).resolve().parent
VIOLATIONS_KEPT = 100  # of each tally; all are counted
VIOLATIONS_OF_A_TRIAL = 20  # that are shown and kept
SAVE_SECONDS = 2.0
PROGRESS_SECONDS = 20.0
NO_VIOLATION, VIOLATIONS, USAGE, BUSY, STOPPED = 0, 1, 2, 75, 130
STOPPING = b"stopping after the trial under way; again: at once\n"


# ------------------------------------------------------------------------ what a campaign fills in


class Refused(Exception):
    """A campaign cannot begin: one sentence, which is all that is said, and an exit code."""

    def __init__(self, sentence, exit_code=USAGE):
        super().__init__(sentence)
        self.exit_code = exit_code


class Stopped(Exception):
    """A signal came before a trial was done."""


class Stop:
    """SIGINT and SIGTERM: the first lets the trial under way end, the second does not."""

    def __init__(self):
        self.asked = False

    def __enter__(self):
        numbers = (signal.SIGINT, signal.SIGTERM)
        self.before = {number: signal.signal(number, self.take) for number in numbers}
        return self

    def __exit__(self, *ignored):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def take(self, *ignored):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, STOPPING)


@dataclass
class Trial:
    """What came of one trial.

    faults      class of fault to how often it struck
    violations  sentences; empty if every promise was kept
    counts      anything else that is added up: name to number
    peaks       anything of which the largest is kept: name to number
    detail      for whoever repeats it by --only; not kept
    """

    faults: dict = field(default_factory=dict)
    violations: list = field(default_factory=list)
    counts: dict = field(default_factory=dict)
    peaks: dict = field(default_factory=dict)
    detail: str = ""


class Campaign:
    """One campaign; made anew for each run of the command.

    summary  one line for the list of campaigns
    short    options and their values in the short form, which the tests of a build run
    form     what a case looks like
    example  one case
    """

    summary = ""
    short = {}
    form = ""
    example = ""

    def __init__(self):
        self.options = None  # argparse's, from before `begin`
        self.held = contextlib.ExitStack()  # what lives as long as the run; closed at its end
        self.stop = Stop()  # a long trial may look at `stop.asked` and end early

    def add_options(self, parser):
        """Options of this campaign alone. What changes a trial must go into its case."""

    def programs(self):
        """The files that are on trial: their bytes tell the tallies apart."""
        return [SAGORDER]

    def needs(self):
        """The files that have to be built before."""
        return [SAGORDER, GATEWAY]

    def knows(self, case):
        """Whether a case that somebody typed is one, as far as can be said before `begin`. False,
        ValueError and LookupError: it is none."""
        return True

    def begin(self):
        """Before the first trial; what must be closed afterwards goes into `held`. Refused: it
        cannot begin, and nothing else is to be said."""

    def case(self, position, seed):
        """The case number `position` (from 0; it counts on over the runs), whose chances come from
        `seed`, which is this case's own. None: there are no more."""
        raise NotImplementedError

    def trial(self, case):
        """Tries one case. @return its Trial. An exception counts as a violation, but for Refused
        of a case that somebody typed."""
        raise NotImplementedError

    def report(self, tally):
        """More lines for the end of the table."""
        return []


# ------------------------------------------------------------------------------------- the tallies


def digest_of(paths):
    """What tells programs apart: 16 hex digits of their bytes."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(pathlib.Path(path).read_bytes())
    return digest.hexdigest()[:16]


def seed_of_case(seed, position):
    """The seed of one case: the same whatever came before it."""
    text = hashlib.sha256(f"{seed}:{position}".encode()).digest()
    return int.from_bytes(text[:4], "big")


def new_tally(seed):
    return {
        "seed": seed,
        "position": 0,
        "trials": 0,
        "seconds": 0.0,
        "faults": {},
        "counts": {},
        "peaks": {},
        "violations_total": 0,
        "violations": [],
    }


def some_of(violations):
    """The first of one trial's violations, and how many more there are."""
    more = len(violations) - VIOLATIONS_OF_A_TRIAL
    return violations[:VIOLATIONS_OF_A_TRIAL] + ([f"... and {more:,} more"] if more > 0 else [])


def add(tally, case, trial):
    """Adds what came of one trial."""
    tally["trials"] += 1
    for name in ("faults", "counts"):
        for key, number in getattr(trial, name).items():
            tally[name][key] = tally[name].get(key, 0) + number
    for key, number in trial.peaks.items():
        tally["peaks"][key] = max(tally["peaks"].get(key, number), number)
    tally["violations_total"] += len(trial.violations)
    kept = [{"case": case, "text": text} for text in some_of(trial.violations)]
    tally["violations"] = (tally["violations"] + kept)[:VIOLATIONS_KEPT]


class TallyFile:
    """The tallies of one campaign, by program. One run at a time holds it."""

    def __init__(self, path, name):
        self.path = pathlib.Path(path)
        self.name = name
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = open(str(self.path) + ".lock", "a", encoding="utf-8")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.tallies = self.read()
        except BlockingIOError as error:
            self.lock.close()
            raise Refused(f"{self.path}: another run adds to it", BUSY) from error
        except BaseException:
            self.lock.close()
            raise

    def read(self):
        if not self.path.exists():
            return {}
        kept = json.loads(self.path.read_text(encoding="utf-8"))
        if kept.get("campaign") != self.name:
            raise ValueError(f"{self.path}: is a tally of {kept.get('campaign')}, not {self.name}")
        return kept["tallies"]

    def write(self):
        text = json.dumps({"campaign": self.name, "tallies": self.tallies}, indent=1)
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(self.path)

    def close(self):
        self.lock.close()


# ----------------------------------------------------------------------------------- running trials


def tried(campaign, case):
    """The Trial of a case, also if it broke."""
    try:
        return campaign.trial(case)
    except Refused:
        raise
    except Exception as error:  # pylint: disable=broad-except
        told = "".join(traceback.format_exception(error))
        text = f"the trial broke: {type(error).__name__}: {error}"
        return Trial(violations=[text], detail=told)


def repeats(name, case):
    return f"tests/campaign {name} --only {shlex.quote(case)}"


class Runner:
    """Trials until a limit, a signal or the last case."""

    def __init__(self, name, campaign, tally, save):
        self.name = name
        self.campaign = campaign
        self.tally = tally
        self.save = save
        self.seconds_before = tally["seconds"]
        self.begun = self.saved = self.told = time.monotonic()
        self.done = 0
        self.why = ""

    def over(self, stop):
        """Why there is no further trial; empty: there is one."""
        options = self.campaign.options
        if stop.asked:
            return "stopped; the same command goes on"
        if options.trials is not None and self.done >= options.trials:
            return f"{options.trials} trials, as asked"
        if options.seconds is not None and time.monotonic() - self.begun >= options.seconds:
            return f"{options.seconds:g} s, as asked"
        return ""

    def run(self, stop):
        try:
            while not self.why:
                self.why = self.over(stop) or self.next()
        except KeyboardInterrupt:
            self.why = "stopped within a trial, which is not counted"
        self.keep(True)

    def next(self):
        """One trial. @return why it was the last one"""
        position = self.tally["position"]
        case = self.campaign.case(position, seed_of_case(self.tally["seed"], position))
        if case is None:
            return "complete: every case was tried (--fresh begins anew)"
        trial = tried(self.campaign, case)
        self.done += 1
        self.tally["position"] += 1
        add(self.tally, case, trial)
        if trial.violations:
            told = [f"VIOLATION {text}" for text in some_of(trial.violations)]
            print("\n".join([*told, f"  {repeats(self.name, case)}"]), flush=True)
        if trial.violations and trial.detail:
            print(trial.detail, flush=True)
        self.keep(bool(trial.violations))
        return ""

    def keep(self, now):
        clock = time.monotonic()
        self.tally["seconds"] = self.seconds_before + clock - self.begun
        if now or clock - self.saved >= SAVE_SECONDS:
            self.saved = clock
            self.save()
        if clock - self.told >= PROGRESS_SECONDS:
            self.told = clock
            print(progress(self.tally), file=sys.stderr, flush=True)


# --------------------------------------------------------------------------------------- the table


def shown(number):
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def progress(tally):
    violations, seconds = tally["violations_total"], tally["seconds"]
    return f"{tally['trials']:,} trials, {violations} violations, {seconds:,.0f} s"


def table(name, tally, digest, others):
    """The tally as lines."""
    lines = [f"campaign {name}, program {digest}"]
    if others:
        trials = sum(other["trials"] for other in others)
        lines.append(f"  (kept beside it: {trials:,} trials of {len(others)} other programs)")

    def line(text, value):
        lines.append(f"  {text:<52} {value:>14}")

    line("trials", shown(tally["trials"]))
    for title, name_of_sums in (("fault: ", "faults"), ("", "counts"), ("most ", "peaks")):
        for key, number in sorted(tally[name_of_sums].items()):
            line(title + key, shown(number))
    line("wall time, s", shown(float(tally["seconds"])))
    line("violations", shown(tally["violations_total"]))
    for case, kept in itertools.groupby(tally["violations"], key=lambda each: each["case"]):
        lines += [f"    {violation['text']}" for violation in kept]
        lines.append(f"      {repeats(name, case)}")
    return lines


# ------------------------------------------------------------------------------------- the command


def names():
    """The campaigns there are: modules here that say CAMPAIGN."""
    said = re.compile(r"^CAMPAIGN = ", re.MULTILINE)
    return sorted(
        path.stem for path in HERE.glob("*.py") if said.search(path.read_text(encoding="utf-8"))
    )


def parser_of(name, campaign):
    parser = argparse.ArgumentParser(
        prog=f"tests/campaign {name}",
        description=sys.modules[type(campaign).__module__].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--trials", type=int, metavar="N", help="at most so many in this run")
    parser.add_argument("--seconds", type=float, metavar="S", help="no trial begins after that")
    parser.add_argument("--seed", type=int, metavar="N", help="of the chances from here on")
    parser.add_argument("--only", metavar="CASE", help="repeats one trial, which is not tallied")
    parser.add_argument("--short", action="store_true", help="as the tests of a build run it")
    parser.add_argument("--tally", metavar="FILE", help=f"default build/campaigns/{name}.json")
    parser.add_argument("--fresh", action="store_true", help="forgets this program's tally")
    campaign.add_options(parser)
    return parser


def parse(name, campaign, argv):
    """The options: those given, before those of the short form, before the usual ones."""
    parser = parser_of(name, campaign)
    if parser.parse_args(argv).short:
        parser.set_defaults(fresh=True, **campaign.short)
    options = parser.parse_args(argv)
    if options.tally is None:
        form = name + ("-short" if options.short else "")
        options.tally = BUILD / "campaigns" / f"{form}.json"
    return options


def look_for_programs(campaign):
    """Refused, if one is not built."""
    for path in campaign.needs():
        if not path.exists():
            raise Refused(f"{path} is not built (`tests/run -N` builds all, and runs no test)")


def look_at_case(campaign):
    """Refused, if what --only says is no case."""
    case = campaign.options.only
    try:
        known = campaign.knows(case)
    except (ValueError, LookupError):
        known = False
    if not known:
        raise Refused(f"no case `{case}`; one is {campaign.form}, as --only {campaign.example}")


def prepared(campaign):
    """What comes before the first trial, builds perhaps. @return the digest of the programs

    A signal reaches what is running there, too, and makes it fail: that is no failure.
    """
    try:
        campaign.begin()
        digest = digest_of(campaign.programs())
    except (Exception, KeyboardInterrupt) as error:  # pylint: disable=broad-except
        if campaign.stop.asked:
            raise Stopped from error
        raise
    return digest


def repeat(name, campaign):
    """--only: one trial, told at length."""
    digest = prepared(campaign)
    try:
        trial = tried(campaign, campaign.options.only)
    except KeyboardInterrupt as error:
        raise Stopped from error
    if trial.detail:
        print(trial.detail)
    tally = new_tally(0)
    add(tally, campaign.options.only, trial)
    print("\n".join(table(name, tally, digest, [])))
    return VIOLATIONS if trial.violations else NO_VIOLATION


def tally_of(file, digest, options):
    """This program's tally: kept from before or new. A given seed counts from now on."""
    if options.fresh or digest not in file.tallies:
        seed = random_seed() if options.seed is None else options.seed
        file.tallies[digest] = new_tally(seed)
    tally = file.tallies[digest]
    if options.seed is not None:
        tally["seed"] = options.seed
    return tally


def run_trials(name, campaign, file):
    """Goes on with what the tally holds. @return the exit code"""
    options = campaign.options
    digest = prepared(campaign)
    tally = tally_of(file, digest, options)
    others = [other for key, other in file.tallies.items() if key != digest]
    if others and tally["trials"] == 0:
        print("the tally is of other programs; they are kept, this one begins anew")
    print(f"seed {tally['seed']}, from case {tally['position']}", flush=True)
    runner = Runner(name, campaign, tally, file.write)
    runner.run(campaign.stop)
    print(runner.why)
    print("\n".join(table(name, tally, digest, others) + campaign.report(tally)))
    return VIOLATIONS if tally["violations_total"] else NO_VIOLATION


def run(name, campaign, argv):
    """One run of the command. @return its exit code"""
    campaign.options = options = parse(name, campaign, argv)
    try:
        if options.only is not None:
            look_at_case(campaign)
        look_for_programs(campaign)
        with contextlib.ExitStack() as held:
            if options.only is None:
                file = held.enter_context(contextlib.closing(TallyFile(options.tally, name)))
            held.enter_context(campaign.stop)
            held.enter_context(campaign.held)
            if options.only is not None:
                return repeat(name, campaign)
            return run_trials(name, campaign, file)
    except Refused as why:
        print(f"tests/campaign {name}: {why}", file=sys.stderr)
        return why.exit_code
    except Stopped:
        print("stopped before a trial was done", file=sys.stderr)
        return STOPPED


def main(argv):
    """`tests/campaign`. @return its exit code"""
    if not argv or argv[0] not in names():
        help_asked = argv in (["-h"], ["--help"])
        if argv and not help_asked:
            print(f"no campaign `{argv[0]}`; there are\n")
        else:
            print(__doc__)
        for name in names():
            print(f"  {name:<12} {importlib.import_module(name).CAMPAIGN.summary}")
        return NO_VIOLATION if help_asked else USAGE
    name = argv[0]
    return run(name, importlib.import_module(name).CAMPAIGN(), argv[1:])


def chance_of(*words):
    """A source of chance for a case: the same words, the same chances."""
    return random.Random(":".join(str(word) for word in words))
