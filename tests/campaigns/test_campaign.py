"""What holds of every campaign: tallies add up, it can be stopped, a violation makes exit 1."""

import argparse
import contextlib
import fcntl
import importlib
import io
import json
import os
import pathlib
import signal
import sys
import tempfile
import unittest
import unittest.mock

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "end_to_end")]

import campaign  # noqa: E402  pylint: disable=wrong-import-position
from campaign import Campaign, Trial  # noqa: E402  pylint: disable=wrong-import-position


class Counting(Campaign):
    """Tries nothing, and remembers what it was asked."""

    short = {"trials": 2}
    form = "case:NUMBER:SEED"
    example = "case:3:5"
    program = None
    last_case = None
    bad = ()
    signals = {}  # number of a trial: how it is interrupted within

    def __init__(self):
        super().__init__()
        self.cases = []
        self.closed = False

    def programs(self):
        return [self.program]

    def needs(self):
        return [self.program]

    def knows(self, case):
        return int(case.split(":")[1]) >= 0

    def add_options(self, parser):
        parser.add_argument("--depth", type=int, default=7)

    def begin(self):
        self.held.callback(setattr, self, "closed", True)

    def case(self, position, seed):
        if self.last_case is not None and position > self.last_case:
            return None
        return f"case:{position}:{seed}"

    def trial(self, case):
        self.cases.append(case)
        number = int(case.split(":")[1])
        for how in self.signals.get(number, ()):
            os.kill(os.getpid(), how)
        if number in self.bad:
            return Trial(violations=[f"case {number} is bad"], detail="told at length")
        return Trial(faults={"odd" if number % 2 else "even": 1}, peaks={"number": number})

    def report(self, tally):
        return [f"reported {tally['trials']}"]


class CampaignTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.tally_path = self.folder / "tally.json"
        self.program = self.folder / "program"
        self.program.write_text("one", encoding="utf-8")

    def run_it(self, *argv, **changes):
        """(exit code, what was printed, the campaign)."""
        made = type("Changed", (Counting,), {"program": self.program, **changes})()
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = campaign.run("counting", made, ["--tally", str(self.tally_path), *argv])
        return code, said.getvalue(), made

    def tallies(self):
        return json.loads(self.tally_path.read_text(encoding="utf-8"))["tallies"]

    def tally(self):
        (only,) = self.tallies().values()
        return only

    def test_tallies_add_up_over_runs(self):
        code, _, first = self.run_it("--trials", "3", "--seed", "5")
        self.assertEqual(code, campaign.NO_VIOLATION)
        code, said, second = self.run_it("--trials", "4")
        self.assertEqual(code, campaign.NO_VIOLATION)
        self.assertEqual(self.tally()["trials"], 7)
        self.assertEqual(self.tally()["faults"], {"even": 4, "odd": 3})
        self.assertEqual(self.tally()["peaks"], {"number": 6})
        self.assertGreater(self.tally()["seconds"], 0)
        cases = first.cases + second.cases
        self.assertEqual([case.split(":")[1] for case in cases], list("0123456"))
        self.assertIn("reported 7", said)
        self.assertRegex(said, r"trials +7\n")

    def test_the_same_seed_gives_the_same_cases(self):
        _, _, first = self.run_it("--trials", "3", "--seed", "5")
        _, _, again = self.run_it("--trials", "3", "--seed", "5", "--fresh")
        _, _, other = self.run_it("--trials", "3", "--seed", "6", "--fresh")
        self.assertEqual(first.cases, again.cases)
        self.assertEqual(len(set(first.cases + other.cases)), 6)
        self.assertEqual(self.tally()["trials"], 3)

    def test_programs_are_not_mixed(self):
        self.run_it("--trials", "3")
        self.program.write_text("two", encoding="utf-8")
        _, said, made = self.run_it("--trials", "2")
        self.assertIn("of other programs", said)
        self.assertRegex(said, r"trials +2\n")
        self.assertTrue(made.cases[0].startswith("case:0:"))
        self.assertEqual(sorted(tally["trials"] for tally in self.tallies().values()), [2, 3])
        self.program.write_text("one", encoding="utf-8")
        self.assertRegex(self.run_it("--trials", "1")[1], r"trials +4\n")

    def test_a_violation_makes_exit_1_and_is_kept(self):
        code, said, _ = self.run_it("--trials", "4", "--seed", "5", bad=(2,))
        self.assertEqual(code, campaign.VIOLATIONS)
        case = f"case:2:{campaign.seed_of_case(5, 2)}"
        self.assertEqual(self.tally()["violations"], [{"case": case, "text": "case 2 is bad"}])
        self.assertIn(f"tests/campaign counting --only {case}", said)
        self.assertIn("told at length", said)
        code, said, _ = self.run_it("--trials", "1")
        self.assertEqual(code, campaign.VIOLATIONS, "it was forgotten")
        self.assertIn("case 2 is bad", said)

    def test_all_violations_are_counted(self):
        bad = range(campaign.VIOLATIONS_KEPT + 5)
        self.run_it("--trials", str(len(bad)), bad=bad)
        self.assertEqual(self.tally()["violations_total"], len(bad))
        self.assertEqual(len(self.tally()["violations"]), campaign.VIOLATIONS_KEPT)

    def test_of_one_trial_some_violations_are_shown(self):
        def many(_, case):
            return Trial(violations=[f"sentence {number}." for number in range(1234)])

        code, said, _ = self.run_it("--trials", "1", trial=many)
        self.assertEqual(code, campaign.VIOLATIONS)
        shown = campaign.VIOLATIONS_OF_A_TRIAL
        self.assertEqual(said.count("VIOLATION sentence"), shown)
        self.assertEqual(said.count(f"... and {1234 - shown:,} more"), 2)
        self.assertEqual(said.count("--only"), 2, "as it happens, and in the table")
        self.assertEqual(self.tally()["violations_total"], 1234)

    def test_a_trial_that_breaks_is_a_violation(self):
        def broken(_, case):
            raise RuntimeError(f"broken by {case[:4]}")

        code, said, made = self.run_it("--trials", "1", trial=broken)
        self.assertEqual(code, campaign.VIOLATIONS)
        self.assertIn("RuntimeError: broken by case", said)
        self.assertTrue(made.closed)

    def test_only_repeats_one_and_leaves_the_tally_alone(self):
        code, said, made = self.run_it("--only", "case:3:99", bad=(3,))
        self.assertEqual((code, made.cases), (campaign.VIOLATIONS, ["case:3:99"]))
        self.assertIn("told at length", said)
        self.assertTrue(made.closed)
        self.assertFalse(self.tally_path.exists())
        self.assertEqual(self.run_it("--only", "case:3:99")[0], campaign.NO_VIOLATION)

    def test_a_mistyped_case_is_no_violation(self):
        for case in ("bogus", "case:x", "case:-1:5"):
            code, said, made = self.run_it("--only", case)
            self.assertEqual((code, made.cases), (campaign.USAGE, []))
            self.assertEqual(
                said,
                f"tests/campaign counting: no case `{case}`; one is case:NUMBER:SEED,"
                " as --only case:3:5\n",
            )

    def test_what_is_not_built_is_no_violation(self):
        self.program.unlink()
        for argv in ((), ("--only", "case:1:1")):
            code, said, made = self.run_it(*argv)
            self.assertEqual((code, made.cases), (campaign.USAGE, []))
            self.assertRegex(said, r"^tests/campaign counting: \S+ is not built .*run -N.*\n$")

    def test_a_signal_before_the_first_trial(self):
        """It reaches what is being built, too, which fails: that is nobody's fault."""

        def begin(_):
            os.kill(os.getpid(), signal.SIGINT)
            raise RuntimeError("ninja was interrupted")

        for argv in ((), ("--only", "case:1:1")):
            code, said, made = self.run_it(*argv, begin=begin)
            self.assertEqual((code, made.cases), (campaign.STOPPED, []))
            self.assertEqual(said, "stopped before a trial was done\n")

    def test_the_first_signal_says_what_comes(self):
        with unittest.mock.patch("os.write") as written:
            self.run_it("--trials", "9", signals={2: [signal.SIGINT]})
        written.assert_called_once_with(2, campaign.STOPPING)

    def test_a_signal_lets_the_trial_end(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(how=how):
                code, said, made = self.run_it("--trials", "9", "--fresh", signals={2: [how]})
                self.assertEqual(code, campaign.NO_VIOLATION)
                self.assertEqual(len(made.cases), 3)
                self.assertTrue(made.closed)
                self.assertEqual(self.tally()["trials"], 3)
                self.assertIn("stopped", said)
                self.assertRegex(said, r"trials +3\n")
        _, _, made = self.run_it("--trials", "1")
        self.assertTrue(made.cases[0].startswith("case:3:"), "it does not go on")

    def test_a_second_signal_does_not(self):
        twice = [signal.SIGINT, signal.SIGTERM]
        _, said, made = self.run_it("--trials", "9", signals={2: twice})
        self.assertTrue(made.closed)
        self.assertEqual(self.tally()["trials"], 2)
        self.assertIn("within a trial", said)
        _, _, made = self.run_it("--trials", "1")
        self.assertTrue(made.cases[0].startswith("case:2:"), "the case was left out")

    def test_limits(self):
        self.assertEqual(self.run_it("--seconds", "0")[2].cases, [])
        self.assertEqual(len(self.run_it("--trials", "2", "--seconds", "60")[2].cases), 2)

    def test_complete(self):
        _, said, made = self.run_it(last_case=4)
        self.assertEqual(len(made.cases), 5)
        self.assertIn("complete", said)
        self.assertEqual(self.run_it(last_case=4)[2].cases, [])

    def test_short_form(self):
        self.run_it("--trials", "5")
        _, _, made = self.run_it("--short")
        self.assertEqual((len(made.cases), made.options.depth), (2, 7))
        self.assertEqual(self.tally()["trials"], 2)
        self.assertEqual(len(self.run_it("--short", "--trials", "1")[2].cases), 1)

    def test_one_run_at_a_time(self):
        with open(str(self.tally_path) + ".lock", "a", encoding="utf-8") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            code, said, made = self.run_it("--trials", "1")
        self.assertEqual((code, made.cases), (campaign.BUSY, []))
        self.assertIn("another run", said)

    def test_the_tally_of_another_campaign_is_refused(self):
        self.run_it("--trials", "1")
        with self.assertRaisesRegex(ValueError, "counting, not other"):
            campaign.TallyFile(self.tally_path, "other")


class CommandTest(unittest.TestCase):
    def said_by(self, *argv):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = campaign.main(list(argv))
        return code, said.getvalue()

    def test_campaigns_are_listed(self):
        code, said = self.said_by("--help")
        self.assertEqual(code, campaign.NO_VIOLATION)
        for name in campaign.names():
            self.assertIn(f"  {name} ", said)

    def test_an_unknown_one_is_refused(self):
        code, said = self.said_by("unknown")
        self.assertEqual(code, campaign.USAGE)
        self.assertTrue(said.startswith("no campaign `unknown`; there are\n"), said)
        self.assertEqual(self.said_by()[0], campaign.USAGE)

    def test_every_campaign_knows_its_cases(self):
        for name in campaign.names():
            made = importlib.import_module(name).CAMPAIGN()
            with self.subTest(name=name):
                self.assertTrue(made.knows(made.example))
                for case in ("bogus", "", ":", "5", "at:nosuch:4", made.example + ":x"):
                    made.options = argparse.Namespace(only=case)
                    with self.assertRaisesRegex(campaign.Refused, "--only " + made.example):
                        campaign.look_at_case(made)


if __name__ == "__main__":
    unittest.main()
