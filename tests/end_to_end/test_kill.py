"""Killed at any moment, and given the same command again: no row twice, none forgotten.

Batches are run against a gateway that fails in every way, killed by SIGKILL after a random while,
looked at, and started again, until they are finished. Then what the softer signals promise.

Chances come from one seed, printed at the start; SAGORDER_SEED=N repeats it. SAGORDER_KILLS=N
asks for more kills than the usual ones.
"""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
import unittest

from harness import (
    ALL_PLACED,
    IN_DOUBT,
    INTERRUPTED,
    LIMIT,
    PATIENT,
    SOME_REJECTED,
    Batch,
    Gateway,
    random_seed,
)

SEED = random_seed()
KILLS = int(os.environ.get("SAGORDER_KILLS", "60"))
KILLS_OF_A_BATCH = 25
KILL_AFTER_MS_MAX = 300

# What leaves doubts, what does not, what refuses, what strikes connections.
FAULTS = ",".join(
    [
        "close-before=0.02,close-after=0.02,reset-before=0.01,reset-after=0.02,cut=0.02",
        "500-before=0.01,503-after=0.01,html=0.01,no-order-id-after=0.01,redirect-after=0.01",
        "throttle=0.002,code:InvalidParameter=0.02,chunked=0.05,connection-close=0.05",
        "never-after=0.002,accept-close=0.05,handshake=0.05,reuse-close=0.02",
    ]
)


def setUpModule():
    print(f"seed {SEED}")


def wait_until(true, process, seconds=30):
    """Waits for something that a running program brings about."""
    deadline = time.monotonic() + seconds
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("it did not come about")
        time.sleep(0.005)


class KilledRun:
    """One batch that is killed again and again. `kills` counts those that met a running
    program, `met_open` those that left rows under way."""

    def __init__(self, test, batch, chance, in_flight_max):
        self.test = test
        self.batch = batch
        self.chance = chance
        self.in_flight_max = in_flight_max
        self.kills = 0
        self.met_open = 0
        self.ended = False

    def strike(self):
        """Starts it, kills it after a while; the promises hold of what is left."""
        process = self.batch.start()
        after_ms = self.chance.uniform(0, KILL_AFTER_MS_MAX)
        try:
            exit_code = process.wait(timeout=after_ms / 1000)
        except subprocess.TimeoutExpired:
            process.kill()
            exit_code = process.wait()
        if exit_code != -signal.SIGKILL:
            self.end(exit_code)
            return
        self.kills += 1
        self.look(f"killed after {after_ms:.1f} ms")

    def end(self, exit_code):
        """It came to an end of its own."""
        self.test.assertIn(exit_code, (ALL_PLACED, SOME_REJECTED, IN_DOUBT, LIMIT), self.log())
        self.test.assertEqual(self.batch.violations(finished=False), [], self.log())
        self.ended = self.batch.is_finished()

    def look(self, when):
        """After a kill: nothing is twice, forgotten or contradicted; few rows are left open."""
        found = self.batch.violations(finished=False, torn=True)
        self.test.assertEqual(found, [], f"{when}, kill {self.kills}, {self.log()}")
        states = self.batch.ledger_rows().values()
        under_way = sum(state == "intended" for state in states)
        self.test.assertLessEqual(under_way, self.in_flight_max, when)
        self.met_open += under_way > 0

    def finish(self):
        """Lets it run until every row has its line."""
        for run in self.batch.run_until_finished():
            allowed = (ALL_PLACED, SOME_REJECTED, IN_DOUBT, LIMIT)
            self.test.assertIn(run.returncode, allowed, run.stderr)
        self.test.assertTrue(self.batch.is_finished())
        self.test.assertEqual(self.batch.violations(), [])

    def log(self):
        lines = self.batch.log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines[-40:] if "warning: UserCount" not in line)


class KillTest(unittest.TestCase):
    """SIGKILL at random moments."""

    IN_FLIGHT_MAX = 8

    def forms(self, chance):
        """How a batch is run: slowly enough to be killed often, or as fast as it can."""
        return [
            *("--max-in-flight", str(self.IN_FLIGHT_MAX), "--request-timeout", "1s"),
            *("--threads", chance.choice(["1", "2"])),
            *("--replay", chance.choice(["never", "same-bytes"])),
            *("--signature", chance.choice(["acs3-hmac-sha256", "hmac-sha1"])),
        ]

    def killed_batch(self, number, kills_wanted):
        """A batch that is killed so often, or until it is finished. @return its KilledRun"""
        chance = random.Random(SEED + number)
        latency = chance.choice(["0", "1ms-5ms", "5ms-30ms"])
        output = chance.choice(["results.csv", "results.jsonl"])
        rate = chance.choice(["200/s", "400/s", "unlimited"])
        rows = 800 if rate == "unlimited" else 400
        with contextlib.ExitStack() as stack:
            gateway = stack.enter_context(
                Gateway(faults=FAULTS, seed=SEED + number, latency=latency)
            )
            options = (*PATIENT, *self.forms(chance))
            batch = stack.enter_context(
                Batch(gateway, *options, rows=rows, output=output, rate=rate)
            )
            run = KilledRun(self, batch, chance, self.IN_FLIGHT_MAX)
            while run.kills < kills_wanted and not run.ended:
                run.strike()
            run.finish()
            return run

    def test_kill_at_random(self):
        with self.subTest(seed=SEED):
            kills = batches = met_open = 0
            while kills < KILLS:
                run = self.killed_batch(batches, min(KILLS_OF_A_BATCH, KILLS - kills))
                kills, batches = kills + run.kills, batches + 1
                met_open += run.met_open
                self.assertLess(batches, 10 + KILLS, "the batches end before they can be killed")
            print(f"{kills} kills in {batches} batches, {met_open} met rows under way")
            self.assertGreater(met_open, kills // 10, "hardly a kill met a row under way")


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


if __name__ == "__main__":
    unittest.main()
