"""What a kill leaves behind, in the cases that can be told in advance, and what the softer signals
promise. Kills at any moment, and at every named point, are the campaign `tests/campaign kill`.

Chances come from one seed, printed at the start; SAGORDER_SEED=N repeats it.
"""

import contextlib
import json
import random
import re
import signal
import sqlite3
import subprocess
import time
import unittest
from pathlib import Path

from harness import (
    ALL_PLACED,
    IN_DOUBT,
    INTERRUPTED,
    LIMIT,
    PATIENT,
    Batch,
    Gateway,
    random_seed,
)

SEED = random_seed()


def setUpModule():
    print(f"seed {SEED}")


def wait_until(true, process, seconds=30):
    """Waits for something that a running program brings about."""
    deadline = time.monotonic() + seconds
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("it did not come about")
        time.sleep(0.005)


class RowsUnderWayTest(unittest.TestCase):
    """What a kill leaves open is found in doubt and never sent again."""

    def test_rows_under_way_open_as_in_doubt(self):
        gateway = self.enterContext(Gateway(faults="never-after@1-2"))
        batch = self.enterContext(Batch(gateway, *PATIENT, rows=10))
        process = batch.start()
        wait_until(lambda: len(gateway.executed()) == 2, process)
        process.kill()
        process.wait()
        self.assertEqual(batch.results(), [])
        self.assertEqual(batch.ledger_rows(), {1: "intended", 2: "intended"})
        done = batch.run()
        self.assertEqual(done.returncode, IN_DOUBT, done.stderr)
        self.assertEqual(batch.statuses(), {"in_doubt": 2, "placed": 8})
        self.assertEqual(sorted(batch.executed_rows()), list(range(1, 11)))
        self.assertEqual(batch.violations(), [])

    def test_killed_while_the_ledger_was_made(self):
        """A file without a table holds no order: the batch begins as if it were not there."""
        for made in ("empty", "only its header"):
            with self.subTest(made=made):
                gateway = self.enterContext(Gateway())
                batch = self.enterContext(Batch(gateway, rows=5))
                batch.ledger.touch(mode=0o600)
                if made != "empty":
                    with contextlib.closing(sqlite3.connect(batch.ledger)) as database:
                        database.execute("PRAGMA journal_mode=WAL")
                done = batch.run()
                self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
                self.assertEqual(batch.violations(), [])

    def test_killed_results_are_mended(self):
        """Whatever byte the results are cut at, the next run makes them whole from the ledger."""
        chance = random.Random(SEED)
        for output in ("results.csv", "results.jsonl"):
            gateway = self.enterContext(Gateway(faults="close-after=0.1", seed=SEED))
            batch = self.enterContext(Batch(gateway, *PATIENT, rows=60, output=output))
            self.assertIn(batch.run("--max-orders", "40").returncode, (LIMIT, IN_DOUBT))
            before = batch.output.read_bytes()
            for cut in (0, 1, *(chance.randrange(len(before)) for _ in range(4)), len(before) - 1):
                with self.subTest(seed=SEED, output=output, cut=cut):
                    batch.output.write_bytes(before[:cut])
                    batch.run("--max-orders", "1")
                    self.assertEqual(batch.violations(finished=False), [])
            batch.run_until_finished()
            self.assertEqual(batch.violations(), [])


def is_heeded(process, number):
    """Whether it catches or ignores the signal by now: until then its start is not its own."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except ProcessLookupError:
        return False
    masks = re.findall(r"^Sig(?:Ign|Cgt):\t(\w+)$", status, re.MULTILINE)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


class SignalTest(unittest.TestCase):
    """SIGINT and SIGTERM end a run in order; a second one does not wait."""

    def started(self, *options, faults="", latency="", rows=100, rate="unlimited"):
        gateway = self.enterContext(Gateway(faults=faults, latency=latency))
        batch = self.enterContext(Batch(gateway, *PATIENT, *options, rows=rows, rate=rate))
        return gateway, batch, batch.start()

    def stop(self, process, how):
        process.send_signal(how)
        return process.wait(timeout=20)

    def expect_orderly_end(self, how):
        """No more is admitted, the answers under way are waited for, everything is written."""
        gateway, batch, process = self.started(latency="100ms", rate="50/s", rows=60)
        wait_until(lambda: len(gateway.executed()) >= 10, process)
        self.assertEqual(self.stop(process, how), LIMIT, batch.log.read_text())
        executed = len(gateway.executed())
        self.assertLess(executed, 60)
        self.assertEqual(batch.statuses(), {"placed": executed})
        self.assertEqual(batch.violations(finished=False), [])
        self.assertIn("--output", batch.log.read_text().splitlines()[-1])
        done = batch.run()
        self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
        self.assertEqual(batch.violations(), [])

    def test_interrupt(self):
        self.expect_orderly_end(signal.SIGINT)

    def test_terminate(self):
        self.expect_orderly_end(signal.SIGTERM)

    def test_hang_up(self):
        self.expect_orderly_end(signal.SIGHUP)

    def expect_given_up(self, fault, first, second):
        """The answers under way are not waited for any more: those rows are in doubt."""
        gateway, batch, process = self.started(faults=f"{fault}@1-2", rows=10)
        wait_until(lambda: len(batch.ledger_rows(live=True)) == 2, process)
        time.sleep(0.2)
        process.send_signal(first)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        self.assertEqual(self.stop(process, second), INTERRUPTED, batch.log.read_text())
        self.assertEqual(batch.statuses(), {"in_doubt": 2})
        self.assertEqual(batch.violations(finished=False), [])
        done = batch.run()
        self.assertEqual(done.returncode, IN_DOUBT, done.stderr)
        self.assertEqual(batch.statuses(), {"in_doubt": 2, "placed": 8})
        self.assertEqual(len(gateway.executed()), 8 + 2 * (fault == "never-after"))
        self.assertEqual(batch.violations(), [])

    def test_interrupt_twice(self):
        self.expect_given_up("never-before", signal.SIGINT, signal.SIGINT)

    def test_interrupt_twice_and_executed(self):
        self.expect_given_up("never-after", signal.SIGINT, signal.SIGINT)

    def test_terminate_twice(self):
        self.expect_given_up("never-after", signal.SIGTERM, signal.SIGTERM)

    def test_interrupt_then_terminate(self):
        self.expect_given_up("never-after", signal.SIGINT, signal.SIGTERM)

    def test_grace_is_over(self):
        """One signal is enough: the answers are given up when --grace is over, and not before."""
        gateway, batch, process = self.started("--grace", "1s", faults="never-after@1-2", rows=10)
        wait_until(lambda: len(batch.ledger_rows(live=True)) == 2, process)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        self.assertEqual(process.wait(timeout=20), INTERRUPTED, batch.log.read_text())
        self.assertIn("--grace is over: giving up 2 answers", batch.log.read_text())
        self.assertEqual(batch.statuses(), {"in_doubt": 2})
        self.assertEqual(batch.violations(finished=False), [])
        done = batch.run()
        self.assertEqual(done.returncode, IN_DOUBT, done.stderr)
        self.assertEqual(len(gateway.executed()), 10)
        self.assertEqual(batch.violations(), [])

    def test_grace_is_not_needed(self):
        """A run whose answers come within --grace ends as after any first interrupt."""
        gateway, batch, process = self.started(
            "--grace", "60s", latency="100ms", rate="50/s", rows=60
        )
        wait_until(lambda: len(gateway.executed()) >= 10, process)
        self.assertEqual(self.stop(process, signal.SIGTERM), LIMIT, batch.log.read_text())
        self.assertEqual(batch.statuses(), {"placed": len(gateway.executed())})

    def test_second_signal_before_the_grace_is_over(self):
        """It does not wait for the grace, and the grace does not come behind it."""
        _, batch, process = self.started("--grace", "60s", faults="never-after@1-2", rows=10)
        wait_until(lambda: len(batch.ledger_rows(live=True)) == 2, process)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        self.assertEqual(self.stop(process, signal.SIGTERM), INTERRUPTED, batch.log.read_text())
        self.assertNotIn("--grace is over", batch.log.read_text())

    def test_status_line(self):
        """SIGUSR1 is answered with a line at any time, also when quiet, and ends nothing."""
        gateway, batch, process = self.started(
            "--quiet", "--log-format", "json", latency="50ms", rate="40/s", rows=60
        )
        for least in (10, 30):
            wait_until(lambda: len(gateway.executed()) >= least, process)
            process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(timeout=30), ALL_PLACED, batch.log.read_text())
        said = batch.log.read_text().splitlines()
        lines = [json.loads(line) for line in said]
        lines = [line for line in lines if "row" not in line]  # warnings of the input
        self.assertEqual(len(lines), 2, lines)
        for line, least in zip(lines, (5, 25)):
            found = re.match(r"(\d+) of 60 rows: placed (\d+), .*; (waiting for|nothing)", line["message"])
            self.assertGreaterEqual(int(found[1]), least, line)
            self.assertEqual(found[1], found[2])

    def test_status_asked_for_at_any_moment(self):
        """From start to end; a process that does not listen would be ended by it."""
        gateway = self.enterContext(Gateway())
        for seed in range(4):
            batch = self.enterContext(Batch(gateway, rows=50 + seed))
            process = batch.start()
            wait_until(lambda: is_heeded(process, signal.SIGUSR1), process)
            while process.poll() is None:
                process.send_signal(signal.SIGUSR1)
                time.sleep(0.001)
            self.assertEqual(process.returncode, ALL_PLACED, batch.log.read_text())
            self.assertEqual(batch.statuses(), {"placed": batch.rows})


if __name__ == "__main__":
    unittest.main()
