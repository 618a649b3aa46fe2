"""Network, other processes, other runs, limits and people in the way of a run.

Of every refusal: the exit code, the words that a person needs, that nothing was sent where it says
so, and that the same command goes on once the cause is mended.
"""

import pathlib
import shutil
import signal
import subprocess
import time

from cases import ProgramTest, replaced, run_at_terminal, said, without
from harness import (
    ALL_PLACED,
    BUILD,
    BUSY,
    CREDENTIALS,
    INPUT,
    IN_DOUBT,
    LIMIT,
    PATIENT,
    SOME_REJECTED,
    UNWRITABLE,
    USAGE,
)

PROGRAM_WITH_POINTS = BUILD / "tests" / "campaigns" / "sagorder-kill-points"
ROWS = 6
ONE_BY_ONE = ("--connections", "1", "--max-in-flight", "1")


class StandardStreams(ProgramTest):
    """Closed at the start, as some ways to detach leave them: no file may be opened in their place,
    where what is meant for a terminal would be written into it."""

    def closed(self, batch, closed, *extra):
        """The command of the batch, by a shell that closes these descriptors."""
        words = " ".join(f"{fd}<&-" if fd == 0 else f"{fd}>&-" for fd in closed)
        return subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" {words}', "sh", *batch.command(*extra)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=batch.folder,
            env=batch.env,
        )

    def test_closed_in_any_way(self):
        for some in range(1, 8):
            closed = [fd for fd in (0, 1, 2) if some & 1 << fd]
            with self.subTest(closed=closed):
                batch = self.batch(self.gateway(latency="20ms"), *ONE_BY_ONE, rows=ROWS)
                first = self.closed(batch, closed, "--max-orders", "2")
                self.assertEqual(first.wait(timeout=30), LIMIT)
                killed = self.closed(batch, closed)
                time.sleep(0.1)
                killed.kill()
                killed.wait()
                self.assertIn(self.closed(batch, closed).wait(timeout=30), (ALL_PLACED, IN_DOUBT))
                self.assertEqual(batch.violations(), [])


class Network(ProgramTest):
    """Nobody there: exit 5 after a few tries, every row pending."""

    def test_refused_port(self):
        gateway = self.gateway()
        gateway.stop()
        batch = self.batch(gateway, rows=ROWS)
        done = batch.run()
        self.assert_ended(done, LIMIT, "unreachable", gateway.endpoint[8:], "--endpoint")
        self.assertEqual(batch.summary()["batch"]["not_sent"], ROWS)
        self.assertEqual(batch.results(), [])
        gateway.start()
        self.assert_places_all(batch)

    def test_a_batch_that_never_left_is_not_one_that_was_ordered(self):
        gateway = self.gateway()
        gateway.stop()
        batch = self.batch(gateway, rows=ROWS)
        self.assert_ended(batch.run(), LIMIT, "trying again in")
        gateway.start()
        batch.output = batch.folder / "second.csv"
        batch.ledger = batch.folder / "second.csv.ledger"
        self.assert_places_all(batch)

    def test_name_that_does_not_exist(self):
        batch = self.batch(self.gateway(), rows=ROWS)
        right = batch.gateway
        batch.gateway = Elsewhere(right, "https://nonexistent.invalid")
        self.assert_ended(batch.run(), LIMIT, "unreachable", "nonexistent.invalid")
        self.assertEqual(batch.summary()["batch"]["not_sent"], ROWS)
        batch.gateway = right
        self.assert_places_all(batch)

    def test_server_that_goes_away_for_a_while(self):
        """A gateway that restarts during the run is met again, and no row is lost or sent twice."""
        gateway = self.gateway(latency="20ms")
        batch = self.batch(gateway, rate="50/s", rows=30)
        process = self.started(batch, *PATIENT)
        gateway.stop(signal.SIGKILL)
        time.sleep(0.3)
        gateway.start()
        self.assertIn(process.wait(timeout=60), (ALL_PLACED, IN_DOUBT))
        self.assertEqual(batch.violations(), [])


class Elsewhere:
    """Another endpoint in a gateway's place."""

    def __init__(self, gateway, endpoint):
        self.endpoint = endpoint
        self.ca = gateway.ca
        self.executed_path = gateway.executed_path


class Others(ProgramTest):
    """Two processes, or two runs, of one batch."""

    def test_second_process(self):
        batch = self.batch(self.gateway(latency="200ms"), *ONE_BY_ONE, rows=10)
        first = self.started(batch)
        second = batch.run("--quiet")
        self.assert_ended(second, BUSY, "ledger", "another")
        self.assertIsNone(first.poll(), "it ended before the second began")
        self.assertEqual(first.wait(timeout=30), ALL_PLACED)
        self.assert_all_executed_once(batch)

    def test_second_process_that_waits(self):
        """It goes on where the first ended, and buys nothing twice."""
        batch = self.batch(self.gateway(latency="100ms"), *ONE_BY_ONE, rows=10)
        first = self.started(batch, "--max-orders", "6")
        second = batch.run("--wait-lock", "60s")
        self.assertEqual(first.wait(timeout=30), LIMIT)
        self.assert_ended(second, ALL_PLACED, "at work with this ledger; waiting for it to end")
        self.assertEqual(second.stderr.count("waiting for it to end"), 1)
        self.assertEqual(batch.summary()["run"]["placed"], 4)
        self.assert_all_executed_once(batch)

    def test_second_process_that_waits_too_short(self):
        batch = self.batch(self.gateway(latency="400ms"), *ONE_BY_ONE, rows=10)
        first = self.started(batch)
        begun = time.monotonic()
        second = batch.run("--wait-lock", "1s")
        self.assert_ended(second, BUSY, "ledger", "another")
        self.assertGreater(time.monotonic() - begun, 1)
        self.assertIsNone(first.poll(), "it ended before the second did")
        self.assertEqual(first.wait(timeout=30), ALL_PLACED)
        self.assert_all_executed_once(batch)

    def test_many_starts_at_once_that_wait(self):
        """Each waits for those before it; one places the orders and the others find them placed."""
        batch = self.batch(self.gateway(), rows=20)
        processes = [batch.start("--wait-lock", "60s") for _ in range(6)]
        codes = [process.wait(timeout=60) for process in processes]
        self.assertEqual(set(codes), {ALL_PLACED}, batch.log.read_text())
        self.assert_all_executed_once(batch)

    def test_second_process_with_another_ledger(self):
        batch = self.batch(self.gateway(latency="200ms"), *ONE_BY_ONE, rows=10)
        first = self.started(batch)
        second = batch.run("--quiet", "--ledger", batch.folder / "another.ledger")
        self.assertIn(second.returncode, (BUSY, INPUT), said(second))
        again = batch.run("--quiet", "--ledger", batch.folder / "another.ledger", "--again")
        self.assert_ended(again, BUSY, "results.csv")
        self.assertIsNone(first.poll(), "it ended before the second began")
        self.assertEqual(first.wait(timeout=30), ALL_PLACED)
        self.assert_all_executed_once(batch)

    def test_two_starts_at_once(self):
        """Of many that start at the same moment one places the orders, whatever the others say."""
        batch = self.batch(self.gateway(), rows=20)
        processes = [batch.start() for _ in range(6)]
        codes = [process.wait(timeout=60) for process in processes]
        self.assertIn(ALL_PLACED, codes)
        self.assertLessEqual(set(codes), {ALL_PLACED, BUSY})
        self.assert_all_executed_once(batch)

    def test_two_outputs_at_once(self):
        """Nor do two that take different files for the same content."""
        gateway = self.gateway()
        one = self.batch(gateway, rows=20)
        commands = []
        for name in "abcd":
            command = one.command()
            command[command.index("--output") + 1] = str(one.folder / f"{name}.csv")
            at = command.index("--summary")
            commands.append(command[:at] + command[at + 2 :])
        processes = [
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=one.env,
            )
            for command in commands
        ]
        codes = sorted(process.wait(timeout=60) for process in processes)
        self.assertEqual(codes, [ALL_PLACED, INPUT, INPUT, INPUT])
        self.assertEqual(sorted(one.executed_rows()), list(range(1, 21)))

    def begun(self, rows=ROWS, orders=3):
        """A batch of which a part is placed. What came before is not in the gateway's counts."""
        batch = self.batch(self.gateway(), rows=rows)
        self.assert_ended(batch.run("--max-orders", orders), LIMIT)
        self.assertEqual(len(batch.gateway.executed()), orders)
        batch.gateway.stop()
        batch.gateway.start()
        return batch

    def test_changed_input(self):
        batch = self.begun()
        content = batch.input.read_bytes()
        batch.input.write_bytes(content.replace(b",5,false", b",15,false"))
        self.assert_mended(
            batch, lambda: batch.input.write_bytes(content), INPUT, "content", "nothing was sent"
        )

    def test_a_row_more(self):
        batch = self.begun()
        content = batch.input.read_bytes()
        batch.input.write_bytes(content + b"cn-shanghai,1,5,false\n")
        self.assert_mended(
            batch, lambda: batch.input.write_bytes(content), INPUT, "content", "another --output"
        )

    def test_the_same_content_under_another_output(self):
        batch = self.begun(orders=3)
        first = batch.output
        batch.output = batch.folder / "second.csv"
        done = batch.run()
        self.assert_ended(done, INPUT, "ordered before", str(first), "--again", "nothing was sent")
        self.assertFalse(batch.output.exists(), "a refused run makes no results file")
        self.assertIn(f"sagorder status {first}", done.stderr)
        self.assertNotIn("\\n", done.stderr)
        self.assert_nothing_reached(batch.gateway)
        batch.output = first
        self.assert_places_all(batch)

    def test_the_same_content_under_another_name(self):
        batch = self.begun()
        copy = batch.folder / "copy.csv"
        shutil.copyfile(batch.input, copy)
        batch.input, batch.output = copy, batch.folder / "copied.csv"
        self.assert_ended(batch.run(), INPUT, "ordered before", "results.csv")
        self.assert_nothing_reached(batch.gateway)

    def test_again_knowingly(self):
        batch = self.begun(orders=3)
        batch.output = batch.folder / "second.csv"
        batch.ledger = batch.folder / "second.csv.ledger"
        self.assert_ended(batch.run("--again"), ALL_PLACED)
        self.assertEqual(sorted(batch.executed_rows()), sorted([1, 2, 3, *range(1, ROWS + 1)]))

    def test_again_is_no_second_time_for_its_own_ledger(self):
        """--again begins another batch; where one is going on it places nothing twice."""
        self.assert_places_all(self.begun(), "--again")

    def test_again_beside_results_of_a_lost_ledger(self):
        batch = self.begun(orders=2)
        kept = batch.ledger.read_bytes()
        batch.ledger.unlink()
        done = batch.run("--again")
        self.assert_ended(done, UNWRITABLE, "has a line of row", "knows nothing", "nothing was sent")
        self.assertFalse(batch.ledger.exists(), "a refused run makes no ledger")
        self.assert_nothing_reached(batch.gateway)
        for tail in ("-wal", "-shm"):
            pathlib.Path(str(batch.ledger) + tail).unlink(missing_ok=True)
        batch.ledger.write_bytes(kept)
        self.assert_places_all(batch)

    def elsewhere(self, batch, carry):
        """Takes orders, results and ledger to another directory with `carry`, and goes on there."""
        there = batch.folder / "there"
        there.mkdir()
        for name in ("input", "output", "ledger"):
            path = getattr(batch, name)
            carry(path, there / path.name)
            setattr(batch, name, there / path.name)

    def test_moved_to_another_directory(self):
        batch = self.begun()
        self.elsewhere(batch, shutil.move)
        self.assert_places_all(batch)

    def test_copied_to_another_directory(self):
        """The rest of a batch that has two ledgers would be ordered from both."""
        batch = self.begun(orders=2)
        original = batch.command()
        self.elsewhere(batch, shutil.copyfile)
        self.assert_ended(batch.sagorder(*original[1:]), ALL_PLACED)
        self.assertEqual(len(batch.executed_rows()), ROWS)
        self.assert_ended(batch.run(), INPUT, "older copy", "nothing was sent")
        self.assertEqual(sorted(batch.executed_rows()), list(range(1, ROWS + 1)))

    def killed_with_rows_under_way(self):
        """A second run, killed with executed rows in the ledger's log alone."""
        batch = self.batch(
            self.gateway(faults="never-after@6-7"), "--request-timeout", "9s", rows=12
        )
        self.assert_ended(batch.run("--max-orders", "5"), LIMIT)
        process = batch.start()
        deadline = time.monotonic() + 10
        while len(batch.gateway.executed()) < 7 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
        process.wait()
        self.assertGreaterEqual(len(batch.gateway.executed()), 7)
        return batch

    def assert_refused_and_nothing_twice(self, batch, code, *words):
        before = len(batch.gateway.executed())
        self.assert_ended(batch.run(), code, "nothing was sent", *words)
        self.assertEqual(len(batch.gateway.executed()), before)

    def test_log_of_the_ledger_deleted(self):
        """What is in the log alone is forgotten with it: such a ledger is not gone on with."""
        batch = self.killed_with_rows_under_way()
        pathlib.Path(str(batch.ledger) + "-wal").unlink()
        self.assert_refused_and_nothing_twice(batch, INPUT, "-wal")

    def test_log_deleted_that_was_begun_in_the_middle_of_a_run(self):
        """What the log held at first is in the ledger's file by then, and is no sign any more. (The
        program with kill points begins its log anew every 64 pages.) Who dies before the first
        commit behind that lost nothing with the log, and goes on."""
        for attempt in range(20):
            batch = self.killed_in_the_middle(0.02 + 0.003 * attempt)
            before = len(batch.gateway.executed())
            pathlib.Path(str(batch.ledger) + "-wal").unlink()
            done = batch.run()
            if done.returncode == INPUT:
                self.assert_ended(done, INPUT, "nothing was sent", "-wal")
                self.assertEqual(len(batch.gateway.executed()), before)
                return
            seats = [order["user_count"] for order in batch.gateway.executed()]
            # Each row has seats of its own.
            self.assertEqual(len(seats), len(set(seats)), "a row was ordered twice")
        self.fail("no log was lost that mattered")

    def killed_in_the_middle(self, later):
        batch = self.batch(self.gateway(), rows=3000, program=PROGRAM_WITH_POINTS, rate="2000/s")
        process = batch.start()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            if batch.ledger.exists() and batch.ledger.stat().st_size > 300_000:
                break
            time.sleep(0.002)
        time.sleep(later)
        process.kill()
        process.wait()
        self.assertLess(len(batch.results()), batch.rows, "it was not killed in time")
        return batch

    def test_ledger_moved_without_its_log(self):
        batch = self.killed_with_rows_under_way()
        self.elsewhere(batch, shutil.move)
        self.assert_refused_and_nothing_twice(batch, INPUT, "-wal")

    def test_ledger_under_a_second_name(self):
        batch = self.killed_with_rows_under_way()
        there = batch.folder / "there"
        there.mkdir()
        (there / "results.csv.ledger").hardlink_to(batch.ledger)
        batch.output, batch.ledger = there / "results.csv", there / "results.csv.ledger"
        before = len(batch.gateway.executed())
        self.assert_ended(batch.run(), UNWRITABLE, "second name")
        self.assertEqual(len(batch.gateway.executed()), before)

    def test_copied_and_the_original_moved(self):
        """Neither path tells which of the two is the older one; the last run does."""
        batch = self.begun(orders=2)
        copy, moved = batch.folder / "copy", batch.folder / "moved"
        copy.mkdir()
        moved.mkdir()
        for path in (batch.output, batch.ledger):
            shutil.copyfile(path, copy / path.name)
            shutil.move(path, moved / path.name)
        batch.output, batch.ledger = copy / "results.csv", copy / "results.csv.ledger"
        self.assert_ended(batch.run(), ALL_PLACED)
        batch.output, batch.ledger = moved / "results.csv", moved / "results.csv.ledger"
        self.assert_refused_and_nothing_twice(batch, INPUT, "older copy")
        self.assertEqual(sorted(batch.executed_rows()), list(range(1, ROWS + 1)))

    def test_older_ledger_of_a_row_that_was_tried(self):
        """The row was refused for all, so it was pending; then it was placed."""
        batch = self.batch(self.gateway(faults="code:Forbidden.RAM:403@3"), rows=ROWS)
        self.assert_ended(batch.run(), CREDENTIALS)
        older = batch.ledger.read_bytes()
        self.assert_places_all(batch)
        batch.ledger.write_bytes(older)
        self.assert_refused_and_nothing_twice(batch, INPUT, "older copy")

    def test_ledger_deleted(self):
        batch = self.begun(orders=3)
        kept = batch.ledger.read_bytes()
        batch.ledger.unlink()
        refused = self.assert_mended(
            batch,
            lambda: batch.ledger.write_bytes(kept),
            *(INPUT, "ordered before", f"{batch.ledger} is missing", "put it back, with its -wal"),
            *("nothing was sent", "orders every row a second time"),
        )
        self.assertNotIn("sagorder status", refused.stderr, "it could only say that none is there")

    def test_ledger_and_results_deleted(self):
        batch = self.begun(orders=3)
        batch.ledger.unlink()
        batch.output.unlink()
        self.assert_ended(batch.run(), INPUT, "ordered before", "is missing", "nothing was sent")
        self.assert_nothing_reached(batch.gateway)

    def test_ledger_deleted_and_another_output(self):
        """`status` is not named here either: it would say that the ledger is missing."""
        batch = self.begun(orders=3)
        lost = batch.ledger
        lost.unlink()
        batch.output = batch.folder / "second.csv"
        refused = batch.run()
        self.assert_ended(refused, INPUT, "ordered before", f"{lost} is missing", "put it back")
        self.assertNotIn("sagorder status", refused.stderr)
        self.assert_nothing_reached(batch.gateway)

    def test_older_copy_of_the_ledger(self):
        batch = self.begun(orders=2)
        older = batch.ledger.read_bytes()
        self.assert_ended(batch.run("--max-orders", "2"), LIMIT)
        newer = batch.ledger.read_bytes()
        batch.ledger.write_bytes(older)
        batch.gateway.stop()
        batch.gateway.start()
        self.assert_mended(
            batch,
            lambda: batch.ledger.write_bytes(newer),
            *(INPUT, "ledger", "older copy", "nothing was sent"),
        )

    def test_ledger_of_another_batch(self):
        other = self.begun()
        batch = self.batch(other.gateway, rows=ROWS + 1)
        shutil.copyfile(other.ledger, batch.ledger)
        self.assert_ended(batch.run(), INPUT, "content", "nothing was sent")
        self.assert_nothing_reached(batch.gateway)

    def test_other_settings_for_the_rest(self):
        """What would make the rest of the batch another one is refused; pace is free."""
        batch = self.begun()
        done = batch.run("--set", "DataPlan=5")
        self.assert_ended(done, INPUT, "--set", "nothing was sent", "last command of this batch")
        done = batch.sagorder(*replaced(batch.command(), endpoint="https://localhost")[1:])
        self.assert_ended(done, INPUT, "--endpoint", "127.0.0.1", "nothing was sent", "last command of this batch")
        self.assert_nothing_reached(batch.gateway)
        self.assert_places_all(batch, "--connections", "2", "--signature", "hmac-sha1")


class Limits(ProgramTest):
    """What is set to stop a run does, at the very number."""

    def test_orders(self):
        batch = self.batch(self.gateway(), "--max-orders", "3", rows=7)
        for executed in (3, 6):
            done = batch.run()
            self.assert_ended(done, LIMIT, "--max-orders 3", "without --max-orders the rest")
            self.assertEqual(len(batch.gateway.executed()), executed)
            self.assertEqual(batch.violations(finished=False), [])
        self.assert_places_all(batch)

    def test_orders_as_many_as_rows(self):
        """A limit that is reached by the last row did not stop anything."""
        self.assert_places_all(self.batch(self.gateway(), "--max-orders", "7", rows=7))

    def test_seats(self):
        batch = self.batch(self.gateway(), "--max-seats", "10", rows=6)
        self.assert_ended(batch.run(), LIMIT, "--max-seats 10")
        self.assertEqual(sorted(batch.executed_rows()), [1, 2, 3, 4])
        self.assert_ended(batch.run(), LIMIT, "--max-seats 10")
        self.assertEqual(sorted(batch.executed_rows()), [1, 2, 3, 4, 5])
        self.assert_places_all(batch)

    def test_failures_in_a_row(self):
        batch = self.batch(
            self.gateway(faults="code:QuotaExceeded@1-3"),
            *("--max-failures", "3", *ONE_BY_ONE),
            rows=ROWS,
        )
        self.assert_ended(batch.run(), LIMIT, "3 refusals in a row")
        self.assertEqual(batch.statuses(), {"rejected": 3})
        self.assertEqual(batch.gateway.executed(), [])
        self.assert_ended(batch.run(), SOME_REJECTED)
        self.assertEqual(batch.statuses(), {"rejected": 3, "placed": 3})
        self.assertEqual(batch.violations(), [])

    def test_failures_with_successes_between(self):
        faults = "code:QuotaExceeded@1-2,code:QuotaExceeded@4-5"
        batch = self.batch(
            self.gateway(faults=faults), "--max-failures", "3", *ONE_BY_ONE, rows=ROWS
        )
        self.assert_ended(batch.run(), SOME_REJECTED)
        self.assertEqual(batch.statuses(), {"rejected": 4, "placed": 2})

    def test_share_of_failures(self):
        batch = self.batch(
            self.gateway(faults="code:QuotaExceeded"), "--max-failures", "50%", rows=60
        )
        self.assert_ended(batch.run(), LIMIT, "50%")
        self.assertLess(len(batch.results()), 60)
        self.assertEqual(batch.gateway.executed(), [])

    def test_doubts(self):
        batch = self.batch(
            self.gateway(faults="close-after@1-2"), "--max-doubts", "2", *ONE_BY_ONE, rows=ROWS
        )
        done = batch.run()
        self.assert_ended(done, IN_DOUBT, "stopped: --max-doubts: ", "in doubt", "Find out")
        self.assertEqual(len(batch.gateway.executed()), 2)
        self.assertEqual(batch.violations(finished=False), [])
        self.assert_ended(batch.run(), IN_DOUBT)
        self.assert_all_executed_once(batch)

    def test_balance(self):
        batch = self.batch(
            self.gateway(faults="code-after:InsufficientBalance@1"), *ONE_BY_ONE, rows=ROWS
        )
        self.assert_ended(batch.run(), IN_DOUBT, "InsufficientBalance", "balance")
        self.assertEqual(batch.statuses(), {"in_doubt": 1})
        self.assertEqual(len(batch.gateway.executed()), 1)


class Consent(ProgramTest):
    """Orders cost money: somebody says yes, or nothing is sent."""

    def setUp(self):
        self.server = self.gateway()
        self.orders = self.batch(self.server, rows=ROWS)
        self.command = without(self.orders.command(), "--yes")

    def test_no_terminal(self):
        done = self.orders.sagorder(*self.command[1:])
        self.assert_ended(done, USAGE, "no terminal", "--yes")
        self.assert_nothing_reached(self.server, connections=0)
        self.assert_places_all(self.orders)

    def test_yes_on_standard_input_is_no_terminal(self):
        yes = self.orders.folder / "yes"
        yes.write_text("yes\n")
        with open(yes, "rb") as stdin:
            done = self.orders.sagorder(*self.command[1:], stdin=stdin)
        self.assert_ended(done, USAGE, "no terminal")
        self.assert_nothing_reached(self.server, connections=0)

    def ask(self, answer):
        return run_at_terminal(
            self.command, cwd=self.orders.folder, env=self.orders.env, answer=answer
        )

    def test_answers_that_are_not_yes(self):
        for answer in ("no", "", "y", "YES!", "yes please"):
            with self.subTest(answer=answer):
                code, shown = self.ask(answer)
                self.assertEqual(code, USAGE, shown)
                self.assertIn("6 of 6 orders are left to place at 127.0.0.1", shown)
                self.assertIn("nothing was sent", shown)
        self.assert_nothing_reached(self.server, connections=0)

    def test_end_of_input(self):
        code, shown = self.ask("\x04")
        self.assertEqual(code, USAGE, shown)
        self.assert_nothing_reached(self.server, connections=0)

    def test_yes(self):
        code, shown = self.ask("yes")
        self.assertEqual(code, ALL_PLACED, shown)
        self.assert_all_executed_once(self.orders)


class Invalid(ProgramTest):
    """Rows that cannot be ordered."""

    BAD = {"Period": lambda row: 13 if row in (2, 5) else 1}

    def test_left_out_on_request(self):
        batch = self.batch(self.gateway(), "--skip-invalid")
        batch.write_orders(ROWS, columns=self.BAD)
        done = batch.run()
        self.assert_ended(done, SOME_REJECTED, "orders.csv:3:13: error: Period", "invalid")
        self.assertEqual(batch.statuses(), {"placed": 4, "invalid": 2})
        self.assertEqual(sorted(batch.executed_rows()), [1, 3, 4, 6])
        self.assertIn("multiple of 12", batch.result(5)["Message"])
        self.assertEqual(batch.summary()["batch"]["invalid"], 2)
        self.assertEqual(batch.summary()["batch"]["not_sent"], 0)
        self.assertEqual(batch.violations(), [])
        # Nothing is missing from the results of a first run.
        self.assertIn("rows left out as invalid: 2; the results say", done.stderr)
        self.assertNotIn("missing", done.stderr)
        again = batch.run()
        self.assert_ended(again, SOME_REJECTED)
        self.assertNotIn("left out as invalid: ", again.stderr)
        self.assertEqual(batch.violations(), [])

    def test_left_out_lines_come_back(self):
        batch = self.batch(self.gateway(), "--skip-invalid")
        batch.write_orders(ROWS, columns=self.BAD)
        batch.run()
        batch.output.unlink()
        words = ("left out as invalid: 2", "lines missing in the results, added now: 4")
        self.assert_ended(batch.run(), SOME_REJECTED, *words)
        self.assertEqual(batch.violations(), [])

    def test_strict(self):
        """What the vendor's later pages do not sell is a warning, or with --strict an error."""
        batch = self.batch(self.gateway())
        batch.write_orders(ROWS)
        done = batch.run("--strict")
        self.assert_ended(done, INPUT, "error: UserCount", "multiples of 5", "nothing was sent")
        self.assert_nothing_reached(batch.gateway)
        self.assert_ended(batch.run(), ALL_PLACED, "warning: UserCount")
