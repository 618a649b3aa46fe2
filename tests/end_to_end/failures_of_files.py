"""Input, results, ledger and disks that fail.

Of every refusal: the exit code, the words that a person needs, that nothing was sent where it says
so, and that the same command goes on once the cause is mended.
"""

import contextlib
import os
import re
import resource
import sqlite3
import subprocess

from cases import ProgramTest, replaced, said
from harness import ALL_PLACED, INPUT, IN_DOUBT, LIMIT, PATIENT, UNWRITABLE, USAGE

ROWS = 6
ONE_BY_ONE = ("--connections", "1", "--max-in-flight", "1")
IS_ROOT = os.geteuid() == 0


class Input(ProgramTest):
    """An input that cannot be ordered: exit 4, nothing is sent, and nothing is left behind."""

    def setUp(self):
        self.server = self.gateway()
        self.orders = self.batch(self.server, rows=ROWS)
        self.content = self.orders.input.read_bytes()

    def put_back(self):
        if self.orders.input.is_dir():
            self.orders.input.rmdir()
        self.orders.input.write_bytes(self.content)

    def assert_input_refused(self, *words):
        self.assert_mended(self.orders, self.put_back, INPUT, "orders.csv", *words)

    def test_missing(self):
        self.orders.input.unlink()
        self.assert_input_refused("no such file")

    def test_missing_leaves_no_files(self):
        self.orders.input.unlink()
        self.assert_ended(self.orders.run(), INPUT)
        self.assertFalse(self.orders.output.exists())
        self.assertFalse(self.orders.ledger.exists())

    def test_directory(self):
        self.orders.input.unlink()
        self.orders.input.mkdir()
        self.assert_input_refused("is a directory")

    def test_empty(self):
        self.orders.input.write_bytes(b"")
        self.assert_input_refused("is empty", "header")

    def test_header_alone(self):
        self.orders.input.write_bytes(self.content.splitlines(keepends=True)[0])
        self.assert_input_refused("no orders")

    def test_one_bad_row_stops_all(self):
        self.orders.input.write_bytes(self.content + b"cn-shanghai,13,5,false\n")
        self.assert_input_refused("orders.csv:8:13: error: Period", "nothing was sent")

    def test_unreadable(self):
        """Root reads everything; what it cannot read either is below a file."""
        if IS_ROOT:
            below = self.orders.command()
            below[2] = str(self.orders.input / "orders.csv")
            done = self.orders.sagorder(*below[1:])
            self.assert_ended(done, INPUT, "orders.csv/orders.csv", "not a directory")
            self.assert_nothing_reached(self.server)
            return
        self.orders.input.chmod(0)
        self.assert_mended(
            self.orders, lambda: self.orders.input.chmod(0o600), INPUT, "permission denied"
        )


class Output(ProgramTest):
    """Results or a ledger that cannot be written: exit 74 before anything is sent."""

    def setUp(self):
        self.server = self.gateway()
        self.orders = self.batch(self.server, rows=ROWS)

    def test_below_a_file(self):
        blocked = self.orders.output
        blocked.write_text("")
        self.orders.output = blocked / "results.csv"
        done = self.orders.run()
        self.assert_ended(done, UNWRITABLE, "results.csv", "there is no directory")
        self.assert_nothing_reached(self.server)

    def test_directory_that_is_not_there(self):
        self.orders.output = self.orders.folder / "later" / "results.csv"
        self.orders.ledger = self.orders.folder / "later" / "results.csv.ledger"
        self.assert_mended(
            self.orders, self.orders.output.parent.mkdir, UNWRITABLE, "later", "there is no directory"
        )

    def test_symbolic_link(self):
        elsewhere = self.orders.folder / "elsewhere.csv"
        elsewhere.write_text("precious\n")
        self.orders.output.symlink_to(elsewhere)
        refused = self.assert_mended(
            self.orders, self.orders.output.unlink, UNWRITABLE, "results.csv", "symbolic link"
        )
        self.assertNotEqual(refused.returncode, ALL_PLACED)
        self.assertEqual(elsewhere.read_text(), "precious\n")

    def test_ledger_is_a_symbolic_link(self):
        elsewhere = self.orders.folder / "elsewhere"
        elsewhere.write_bytes(b"")
        self.orders.ledger.symlink_to(elsewhere)
        self.assert_mended(
            self.orders, self.orders.ledger.unlink, UNWRITABLE, "ledger", "symbolic link"
        )
        self.assertEqual(elsewhere.read_bytes(), b"")

    def test_somebody_elses_file(self):
        """What is no results file of this batch is not touched."""
        self.orders.output.write_text("Name,Salary\nsomebody,1\n")
        self.assert_mended(
            self.orders, self.orders.output.unlink, UNWRITABLE, "is not the results file", "move it"
        )

    def test_somebody_elses_file_is_left_as_it_is(self):
        self.orders.output.write_text("Name,Salary\nsomebody,1\n")
        self.assert_ended(self.orders.run(), UNWRITABLE)
        self.assertEqual(self.orders.output.read_text(), "Name,Salary\nsomebody,1\n")

    def test_ledger_is_somebody_elses_file(self):
        self.orders.ledger.write_text("no ledger at all, but long enough to be looked at\n" * 20)
        self.assert_mended(self.orders, self.orders.ledger.unlink, UNWRITABLE, "ledger", "is no")

    def test_ledger_is_somebody_elses_database(self):
        database = sqlite3.connect(self.orders.ledger)
        database.execute("CREATE TABLE precious(value)")
        database.commit()
        database.close()
        self.assert_mended(
            self.orders, self.orders.ledger.unlink, UNWRITABLE, "is no sagorder ledger"
        )

    def test_ledger_that_a_crash_left_empty(self):
        """Killed right after the file was made: no record can be in it, and the batch begins."""
        self.orders.ledger.touch(0o600)
        self.assert_places_all(self.orders)

    def test_ledger_that_a_crash_left_without_tables(self):
        """Killed after SQLite wrote its first page."""
        database = sqlite3.connect(self.orders.ledger)
        database.execute("PRAGMA journal_mode=WAL")
        database.close()
        self.assertGreater(self.orders.ledger.stat().st_size, 0)
        self.assert_places_all(self.orders)

    def test_summary_that_cannot_be_written(self):
        """Found before money is spent, like every other file."""
        done = self.orders.sagorder(
            *replaced(self.orders.command(), summary="nowhere/summary.json")[1:]
        )
        self.assertIn(done.returncode, (UNWRITABLE, USAGE), said(done))
        self.assertIn("nowhere", done.stderr)
        self.assert_nothing_reached(self.server)

    def test_output_is_the_input(self):
        before = self.orders.input.read_bytes()
        self.orders.output = self.orders.input
        self.assert_ended(self.orders.run(), USAGE, "same file")
        self.assertEqual(self.orders.input.read_bytes(), before)
        self.assert_nothing_reached(self.server)

    def test_no_place_for_the_state(self):
        """Without a memory of what was ordered, nothing is ordered."""
        state = self.orders.folder / "state"
        state.write_text("in the way")
        self.assert_mended(self.orders, state.unlink, UNWRITABLE, "state")


    def test_a_memory_that_is_elsewhere(self):
        """Another memory than the one that is meant would not know what was ordered."""
        for value, words in (("relative", "no absolute path"), ("/proc/nope", "/proc/nope")):
            with self.subTest(value=value):
                for extra in ((), ("--again",)):
                    done = self.orders.run(*extra, env={"XDG_STATE_HOME": value})
                    self.assert_ended(done, UNWRITABLE, "XDG_STATE_HOME", words, "nothing was sent")
                self.assert_nothing_reached(self.server)


class FullDisk(ProgramTest):
    """No room: exit 74; the rest of the batch is placed when there is room, and nothing twice."""

    SIZES = (1_000, 30_000, 45_000, 60_000, 80_000, 150_000)  # bytes that a file may have
    NOTE = {"Note": "n" * 800}

    def with_notes(self, gateway):
        """A batch whose results and records take room."""
        batch = self.batch(gateway, "--max-in-flight", "4", "--carry", "Note")
        batch.write_orders(100, columns=self.NOTE)
        return batch

    def goes_on(self, batch):
        runs = batch.run_until_finished(*PATIENT)
        self.assertIn(runs[-1].returncode, (ALL_PLACED, IN_DOUBT), said(runs[-1]))
        self.assertEqual(batch.violations(), [])

    def run_limited(self, batch, size):
        limit = (size, size)
        done = batch.run(
            *PATIENT, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        )
        self.assert_ended(done, UNWRITABLE)
        self.assertLess(len(batch.gateway.executed()), batch.rows)
        self.assertEqual(batch.violations(finished=False, torn=True), [])
        return done

    def test_files_of_limited_size(self):
        """Whatever file and whichever write it is that fails first."""
        executed = set()
        for size in self.SIZES:
            with self.subTest(size=size):
                batch = self.with_notes(self.gateway())
                self.run_limited(batch, size)
                executed.add(len(batch.gateway.executed()))
                self.goes_on(batch)
        self.assertIn(0, executed)
        self.assertGreater(len(executed), 2, "the sizes are too much alike")

    def test_what_could_not_be_recorded_is_told(self):
        """The outcomes that came in after the ledger failed stand in the log with their OrderIds;
        with these the rows are resolved, and the batch ends as if nothing had been."""
        batch = self.with_notes(self.gateway())
        done = self.run_limited(batch, 60_000)
        told = re.findall(r"note it down  row=(\d+) state=placed OrderId=(\d+)", done.stderr)
        self.assertTrue(told, said(done))
        lines = batch.gateway.executed()
        executed = {(str(line["user_count"]), line["order_id"]) for line in lines}
        self.assertLessEqual(set(told), executed)
        self.assert_ended(batch.run(*PATIENT), IN_DOUBT)
        for row, order_id in told:
            resolved = batch.sagorder("resolve", batch.output, "--row", row, "--placed", order_id)
            self.assert_ended(resolved, ALL_PLACED)
        self.assert_ended(batch.run(*PATIENT), ALL_PLACED)
        self.assert_all_executed_once(batch)

    def test_a_full_file_system(self):
        """One that holds the results, or the ledger, or both, or what is remembered of batches."""
        for holds in ({"output"}, {"ledger"}, {"output", "ledger"}, {"state"}):
            with self.subTest(holds=holds):
                batch = self.with_notes(self.gateway())
                disk = self.mounted(batch.folder / "disk", "128k" if len(holds) == 2 else "64k")
                for name in holds - {"state"}:
                    setattr(batch, name, disk / getattr(batch, name).name)
                if holds == {"state"}:
                    batch.env["XDG_STATE_HOME"] = str(disk)
                    fill(disk)
                batch.options += ["--ledger", batch.ledger]
                self.assert_full(batch)
                subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
                self.goes_on(batch)

    def assert_full(self, batch):
        done = batch.run(*PATIENT)
        self.assert_ended(done, UNWRITABLE)
        self.assertLess(len(batch.gateway.executed()), batch.rows)
        self.assertEqual(batch.violations(finished=False, torn=True), [])

    def mounted(self, folder, size):
        """A small file system at `folder` for the test's life; skipped without the right to."""
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            self.skipTest("a small file system cannot be mounted here: " + done.stdout.strip())
        self.addCleanup(subprocess.run, ["umount", str(folder)], check=False)
        return folder


def fill(folder):
    """Leaves no room on its file system."""
    with contextlib.suppress(OSError), open(folder / "ballast", "wb", buffering=0) as file:
        while True:
            file.write(b"." * 4096)


class Results(ProgramTest):
    """The results file is a projection of the ledger: what is lost of it is written again."""

    def finished(self):
        batch = self.batch(self.gateway(), rows=ROWS)
        self.assert_ended(batch.run(), ALL_PLACED)
        batch.gateway.stop()
        batch.gateway.start()
        return batch

    def assert_restored(self, batch, damage, code=ALL_PLACED):
        """After `damage()` the same command writes the lines that were there, and sends nothing."""
        before = batch.results()
        damage()
        self.assert_ended(batch.run(), code)
        self.assertEqual(by_row(batch.results()), by_row(before))
        self.assertEqual(batch.violations(), [])
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_deleted(self):
        batch = self.finished()
        self.assert_restored(batch, batch.output.unlink)

    def test_emptied(self):
        batch = self.finished()
        self.assert_restored(batch, lambda: batch.output.write_bytes(b""))

    def test_torn_tail_everywhere(self):
        """Cut at any byte, as a crash or a disk may leave it."""
        batch = self.finished()
        whole = batch.output.read_bytes()
        for size in range(len(whole) - 260, len(whole), 13):
            with self.subTest(size=size):
                batch.output.write_bytes(whole[:size])
                self.assert_ended(batch.run(), ALL_PLACED)
                self.assertEqual(batch.violations(), [])
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_torn_tail_before_the_rest_is_placed(self):
        batch = self.batch(self.gateway(), rows=ROWS)
        self.assert_ended(batch.run("--max-orders", "3"), LIMIT)
        with open(batch.output, "ab") as file:
            file.write(b"4,placed,1234567")
        self.assert_places_all(batch)

    def test_line_twice(self):
        batch = self.finished()
        lines = batch.output.read_bytes().splitlines(keepends=True)
        self.assert_restored(batch, lambda: batch.output.write_bytes(b"".join([*lines, lines[2]])))

    def test_line_removed(self):
        batch = self.finished()
        lines = batch.output.read_bytes().splitlines(keepends=True)
        self.assert_restored(
            batch, lambda: batch.output.write_bytes(b"".join(lines[:2] + lines[3:]))
        )

    def test_status_changed(self):
        batch = self.finished()
        text = batch.output.read_text()
        self.assert_restored(
            batch, lambda: batch.output.write_text(text.replace("placed", "rejected", 1))
        )

    def test_garbage_behind_the_lines(self):
        batch = self.finished()
        text = batch.output.read_bytes()
        self.assert_restored(batch, lambda: batch.output.write_bytes(text + b"\0" * 4096))

    def test_opened_in_a_spreadsheet(self):
        """Saved with CRLF: told or mended, but never ordered again."""
        batch = self.finished()
        batch.output.write_bytes(batch.output.read_bytes().replace(b"\n", b"\r\n"))
        self.assertIn(batch.run().returncode, (ALL_PLACED, UNWRITABLE))
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_removed_while_running(self):
        batch = self.batch(self.gateway(latency="30ms"), *ONE_BY_ONE, rows=8)
        process = self.started(batch)
        batch.output.unlink()
        self.assertEqual(process.wait(timeout=30), UNWRITABLE)
        self.assertIn("removed or replaced", batch.log.read_text())
        self.assert_places_all(batch)

    def test_ledger_removed_while_running(self):
        """Sending ends with the first commit that would be lost; what went out is still told."""
        batch = self.batch(self.gateway(latency="30ms"), *ONE_BY_ONE, rows=8)
        process = self.started(batch)
        batch.ledger.unlink()
        self.assertEqual(process.wait(timeout=30), UNWRITABLE)
        self.assertIn("ledger was removed", batch.log.read_text())
        self.assertLess(len(batch.gateway.executed()), batch.rows)
        self.assert_ended(batch.run(), INPUT, "ordered before", "is missing")


def by_row(lines):
    """Row to its line; a row twice is an error here."""
    rows = {line["Row"]: line for line in lines}
    assert len(rows) == len(lines), lines
    return rows


class ChangedWhileRunning(ProgramTest):
    """Bytes that were not validated are never ordered from."""

    def running(self):
        """A slow run over an input of several blocks, only the first of which was read yet."""
        batch = self.batch(self.gateway(latency="5ms"), "--carry", "Note", *ONE_BY_ONE)
        batch.write_orders(200, columns={"Note": "n" * 8000}, auto_pay="true")
        return batch, self.started(batch)

    def assert_stopped(self, batch, process):
        self.assertEqual(process.wait(timeout=30), INPUT, batch.log.read_text())
        self.assertIn("input changed", batch.log.read_text())
        self.assertLess(len(batch.gateway.executed()), batch.rows)
        self.assertTrue(all(line["period"] == 1 for line in batch.gateway.executed()))

    def assert_places_all_of(self, batch, content):
        """The input as it was, and nothing of the pace that made the run slow."""
        batch.input.write_bytes(content)
        batch.options = replaced(batch.options, connections=16, max_in_flight=64)
        self.assert_places_all(batch)

    def test_rows_appended(self):
        batch, process = self.running()
        content = batch.input.read_bytes()
        with open(batch.input, "ab") as file:
            file.write(b"cn-shanghai,2,201,true,more\n" * 40)
        self.assert_stopped(batch, process)
        self.assert_places_all_of(batch, content)

    def test_rows_changed_in_place(self):
        batch, process = self.running()
        content = batch.input.read_bytes()
        changed = content[:-600_000] + content[-600_000:].replace(b"shanghai,1,", b"shanghai,2,")
        with open(batch.input, "r+b") as file:
            file.write(changed)
        self.assert_stopped(batch, process)
        self.assert_ended(batch.run(), INPUT, "content", "nothing was sent")
        self.assert_places_all_of(batch, content)

    def test_cut_short(self):
        batch, process = self.running()
        content = batch.input.read_bytes()
        with open(batch.input, "r+b") as file:
            file.truncate(len(content) - 300_000)
        self.assert_stopped(batch, process)
