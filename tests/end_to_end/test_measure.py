"""samples/benchmark/measure: rates offered and reached, and no order that nobody agreed to."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import evidence
from harness import BUILD, REPOSITORY, TIME_SCALE, Gateway, program_environment

MEASURE = REPOSITORY / "samples" / "benchmark" / "measure"


class Measure(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory(prefix="sagorder-measure-"))
        )

    def measure(self, *options):
        return subprocess.run(
            [MEASURE, *(str(option) for option in options)],
            cwd=self.folder,
            env=program_environment(self.folder, SAGORDER_BUILD=str(BUILD)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120 * TIME_SCALE,
            check=False,
        )

    def test_each_rate_is_a_line(self):
        done = self.measure("--rates", "50/s,200/s", "--seconds", "0.5", "--json", "n.json")
        self.assertEqual((done.stderr, done.returncode), ("", 0), done.stdout)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[1], r"^ +50/s +\d+\.\d/s +25 +0 +0( +(\d+\.\d|-)){6}$")
        self.assertRegex(lines[2], r"^ +200/s +\d+\.\d/s +100 +0 +0( +(\d+\.\d|-)){6}$")
        self.assertEqual(len(lines), 4)
        measured = json.loads((self.folder / "n.json").read_text())
        self.assertEqual([each["offered_per_s"] for each in measured], [50, 200])
        self.assertEqual([each["placed"] for each in measured], [25, 100])
        for each in measured:
            self.assertLess(0, each["reached_per_s"])
            # The limit holds whatever the machine does; a bucket's first tokens are on top.
            self.assertLess(each["reached_per_s"], 1.5 * each["offered_per_s"])
            self.assertLessEqual(4, each["answer_ms"]["p50"])
            if each["since_due_ms"]:
                self.assertLessEqual(each["answer_ms"]["p50"], each["since_due_ms"]["p50"] * 1.1)
        # Nothing stays behind but the numbers, and no settings around it count.
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"n.json", "home"})

    def test_settings_around_it_do_not_count(self):
        (self.folder / "sagorder.toml").write_text("max-orders = 1\n")
        done = self.measure("--rates", "50/s", "--seconds", "0.1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_is_kept_is_whole(self):
        done = self.measure("--rates", "100/s", "--seconds", "0.2", "--keep", "kept")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        kept = self.folder / "kept"
        results, _ = evidence.read_results(kept / "at-100-per-s-results.csv")
        executed = evidence.read_executed(kept / "executed.jsonl")
        self.assertEqual(
            {line["OrderId"] for line in results}, {order["order_id"] for order in executed}
        )
        self.assertEqual(len(results), 20)

    def test_real_orders_are_agreed_to_by_their_number(self):
        with Gateway() as gateway:
            real = (
                *("--rates", "50/s", "--seconds", "0.1"),
                *("--endpoint", gateway.endpoint, "--ca-file", gateway.ca),
            )
            for more, words in (
                ((), "--orders-are-real 5"),
                (("--orders-are-real", 4, "--keep", "k"), "--orders-are-real 5"),
                (("--orders-are-real", 5), "--keep DIR"),
            ):
                done = self.measure(*real, *more)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn("EVERY ORDER IS REAL", done.stderr)
                self.assertIn("5 orders, 25 seats", done.stderr)
                self.assertIn(words, done.stderr)
            self.assertEqual(gateway.executed(), [])
            done = self.measure(*real, "--orders-are-real", 5, "--keep", "kept")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(len(gateway.executed()), 5)
            self.assertTrue((self.folder / "kept" / "at-50-per-s-results.csv.ledger").exists())
            # Measured a second time it would be mixed with the first.
            done = self.measure(*real, "--orders-are-real", 5, "--keep", "kept")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("is there already", done.stderr)
            self.assertEqual(len(gateway.executed()), 5)
            # The user's own memory of what was ordered, not one of the measurement's.
            self.assertTrue(os.listdir(self.folder / "state" / "sagorder" / "batches"))

    def test_wrong_arguments(self):
        for options in (("--rates", "10/m"), ("--rates", "0/s"), ("--seconds", "0")):
            self.assertEqual(self.measure(*options).returncode, 2, options)


if __name__ == "__main__":
    unittest.main()
