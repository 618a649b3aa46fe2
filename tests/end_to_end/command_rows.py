"""`rows`: the rows of one status as an input file of their own, cell for cell."""

import csv
import io
import shlex
import subprocess

from command_cases import ONE_BY_ONE, CommandTest, files_of
from harness import ALL_PLACED, INPUT, IN_DOUBT, UNWRITABLE, USAGE

# What a spreadsheet would run, what it would not, and what only looks as if we had defused it.
NOTES = ["=1+1", "'=1+1", "-5", "plain, with \"quotes\"", "two\nlines", "'", "@x"]


class RowsOf(CommandTest):
    """Row 1 placed, 2 in doubt, 3 rejected, 4 placed, the rest not sent."""

    def settled(self, *options, rows=6, columns=None, output="results.csv"):
        batch = self.quiet_batch(
            self.gateway(faults="close-after@2,code:QuotaExceeded@3"),
            *(*ONE_BY_ONE, *options),
            rows=rows,
            columns=columns,
            output=output,
        )
        self.assert_ended(batch.run("--max-orders", "3"), IN_DOUBT)
        return batch

    def rows(self, batch, status, *flags):
        before = files_of(batch)
        done = batch.sagorder("rows", batch.output, "--status", status, *flags)
        self.assertEqual({path: files_of(batch)[path] for path in before}, before)
        return done

    def records(self, text):
        return list(csv.reader(io.StringIO(text, newline="")))

    def test_each_status_in_the_input_s_own_words(self):
        notes = {"Note": lambda row: NOTES[row - 1]}
        for output in ("results.csv", "results.jsonl"):
            batch = self.settled("--carry", "Note", rows=7, columns=notes, output=output)
            table = self.records(batch.input.read_text(encoding="utf-8"))
            for status, wanted in (("rejected", [3]), ("in_doubt", [2]), ("not_sent", [5, 6, 7])):
                with self.subTest(status=status, output=output):
                    done = self.rows(batch, status)
                    self.assert_ended(done, ALL_PLACED)
                    self.assertEqual(
                        self.records(done.stdout), [table[row] for row in [0, *wanted]]
                    )
                    if status == "rejected":
                        command = "run ROWS.csv --output ROWS-results.csv --carry Note\n"
                        self.assertIn(command, done.stderr)

    def test_the_file_can_be_ordered(self):
        """The rejected row, mended, is a batch of its own."""
        batch = self.settled()
        rejected = batch.folder / "rejected.csv"
        self.assert_ended(self.rows(batch, "rejected", "-o", rejected), ALL_PLACED, "1 row")
        self.assertEqual(rejected.stat().st_mode & 0o777, 0o600)
        batch.input, batch.output = rejected, batch.folder / "second.csv"
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assertEqual(self.ordered_rows(batch), [1, 2, 3, 4])

    def test_the_command_that_is_printed_orders_them(self):
        """Though a file of settings sets the column that is written out now."""
        notes = {"Note": lambda row: NOTES[row - 1]}
        batch = self.settled("--carry", "Note", "--set", "DataPlan=5", columns=notes)
        (batch.folder / "sagorder.toml").write_text('set = ["DataPlan=5"]\n')
        again = batch.folder / "again.csv"
        done = self.rows(batch, "rejected", "-o", again)
        command = shlex.split(done.stderr.splitlines()[-1])
        results = str(batch.folder / "again-results.csv")
        self.assertEqual(command[1:5], ["run", str(again), "--output", results])
        self.assertEqual(command[5:], ["--carry", "Note", "--set", ""])
        batch.input, batch.output = again, batch.folder / "again-results.csv"
        batch.options = [each for each in batch.options if each not in ("--carry", "Note")]
        batch.options = [each for each in batch.options if each not in ("--set", "DataPlan=5")]
        wrong = batch.run("--carry", "Note")
        self.assert_ended(
            wrong, INPUT, 'sagorder.toml:1:7: set "DataPlan", but the file has this column'
        )
        self.assert_ended(batch.run(*command[5:]), ALL_PLACED)
        self.assertEqual(self.ordered_rows(batch), [1, 2, 3, 4])

    def test_rows_in_doubt_are_for_looking_at(self):
        done = self.rows(self.settled(), "in_doubt")
        self.assert_ended(done, ALL_PLACED, "may have been ordered already", "never give it to")
        self.assertIn("resolve", done.stderr)

    def test_rows_not_sent_belong_to_their_batch(self):
        self.assert_ended(
            self.rows(self.settled(), "not_sent"), ALL_PLACED, "whose own command goes on with them"
        )

    def test_invalid_rows(self):
        for strict in (False, True):
            batch = self.batch(self.gateway(), "--skip-invalid", *(["--strict"] * strict))
            batch.write_orders(4, columns={"UserCount": lambda row: [5, 7, 0, 10][row - 1]})
            batch.run()
            invalid = self.records(self.rows(batch, "invalid").stdout)[1:]
            self.assertEqual([row[2] for row in invalid], ["7", "0"] if strict else ["0"])
            self.assertEqual(self.records(self.rows(batch, "not_sent").stdout)[1:], [])

    def test_set_columns_are_written_out(self):
        batch = self.batch(self.gateway(faults="code:QuotaExceeded@1"), "--set", "Period=3")
        batch.input.write_text("RegionId,UserCount\ncn-shanghai,5\n")
        batch.run()
        done = self.rows(batch, "rejected")
        self.assertEqual(done.stdout, "RegionId,UserCount,Period\ncn-shanghai,5,3\n")

    def test_none(self):
        done = self.rows(self.settled(), "invalid")
        self.assert_ended(done, ALL_PLACED, "0 rows")
        self.assertEqual(len(self.records(done.stdout)), 1)

    def test_the_input_has_moved_or_changed(self):
        batch = self.settled()
        moved = batch.input.rename(batch.folder / "moved.csv")
        self.assert_ended(self.rows(batch, "rejected"), INPUT, "no such file")
        self.assert_ended(self.rows(batch, "rejected", "--input", moved), ALL_PLACED)
        moved.write_text(moved.read_text().replace(",1,", ",2,", 1))
        self.assert_ended(
            self.rows(batch, "rejected", "--input", moved), INPUT, "is not the input of this batch"
        )

    def test_standard_input_is_gone(self):
        batch = self.quiet_batch(self.gateway(faults="code:QuotaExceeded@1"), rows=1)
        text = batch.input.read_text()
        command = ["-" if each == str(batch.input) else each for each in batch.command()]
        batch.sagorder(*command[1:], stdin=None, input=text)
        self.assert_ended(self.rows(batch, "rejected"), USAGE, "--input FILE")
        self.assert_ended(self.rows(batch, "rejected", "--input", batch.input), ALL_PLACED)

    def test_nothing_is_overwritten(self):
        batch = self.settled()
        there = batch.folder / "there.csv"
        there.write_text("mine")
        self.assert_ended(self.rows(batch, "rejected", "-o", there), USAGE, "is there already")
        self.assertEqual(there.read_text(), "mine")
        self.assert_ended(self.rows(batch, "rejected", "-o", batch.input), USAGE)

    def test_a_full_disk(self):
        batch = self.settled()
        command = [batch.program, "rows", str(batch.output), "--status", "rejected"]
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                command, stdout=full, cwd=batch.folder, env=batch.env, check=False
            )
        self.assertEqual(done.returncode, UNWRITABLE)

    def test_usage(self):
        batch = self.settled()
        self.assert_ended(self.rows(batch, "placed"), USAGE, "--status", "in_doubt")
        self.assert_ended(batch.sagorder("rows", batch.output), USAGE, "--status")
        batch.ledger.unlink()
        done = batch.sagorder("rows", batch.output, "--status", "rejected")
        self.assert_ended(done, USAGE, "the ledger of")
