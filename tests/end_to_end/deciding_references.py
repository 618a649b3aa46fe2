"""Rows of one `Reference` are one order by mistake: within a file, and across batches."""

import re
import shlex
import shutil
import sqlite3

from cases import end, wait_until
from command_cases import ONE_BY_ONE, CommandTest, in_fives
from harness import ALL_PLACED, INPUT, IN_DOUBT, LIMIT, SOME_REJECTED, USAGE


class ReferenceTest(CommandTest):
    """Batches whose rows have References, and a history of them."""

    def referenced(self, gateway, *options, names="ABCDEF", **named):
        batch = self.batch(gateway, *options, **named)
        columns = {"UserCount": in_fives, "Reference": lambda row: names[row - 1]}
        batch.write_orders(len(names), columns=columns)
        return batch

    def history(self, *batches):
        folder = self.folder()
        for batch in batches:
            for path in batch.folder.glob("results.csv.ledger*"):
                shutil.copy(path, folder / (batch.folder.name + path.name[len("results.csv") :]))
        return folder


class References(ReferenceTest):
    """Within one file."""

    def test_known_without_carry(self):
        batch = self.referenced(self.gateway())
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assertEqual(batch.result(3)["Reference"], "C")
        self.assert_all_ordered_once(batch)

    def test_carried_all_the_same(self):
        batch = self.referenced(self.gateway(), "--carry", "Reference")
        self.assert_ended(batch.run(), ALL_PLACED)

    def test_twice_in_a_file(self):
        batch = self.referenced(self.gateway(), names=("A", "B", " A ", "b", "", "", "B"))
        for command in (("check", batch.input), batch.command()[1:]):
            done = batch.sagorder(*command)
            self.assert_ended(
                done,
                INPUT,
                f"{batch.input}:4:24: error: the Reference is that of line 2",
                f"{batch.input}:8:24: error: the Reference is that of line 3",
            )
        done = batch.run("--skip-invalid")
        self.assert_ended(done, INPUT, "--allow-repeated-references", "nothing was sent")
        self.assert_nothing_reached(batch.gateway, connections=0)
        self.assert_no_files(batch)
        done = batch.run("--allow-repeated-references")
        self.assert_ended(done, ALL_PLACED, ":4:24: warning: the Reference is that of line 2")
        self.assert_all_ordered_once(batch)

    def test_many_are_counted(self):
        batch = self.referenced(self.gateway(), names=["A"] * 40)
        done = batch.run()
        self.assert_ended(done, INPUT, "29 more rows whose Reference is there before")
        self.assertEqual(done.stderr.count("is that of line 2;"), 10)

    def test_a_row_that_is_left_out_does_not_count(self):
        batch = self.referenced(self.gateway(), names="ABA")
        text = batch.input.read_text().splitlines()
        text[1] = text[1].replace("cn-shanghai,1,", "cn-shanghai,13,")
        batch.input.write_text("\n".join(text) + "\n")
        self.assert_ended(batch.run("--skip-invalid"), SOME_REJECTED)
        self.assertEqual(self.ordered_rows(batch), [2, 3])


class History(ReferenceTest):
    """Across batches, by their ledgers."""

    def test_what_was_ordered_is_refused(self):
        gateway = self.gateway(faults="code:QuotaExceeded@2,close-after@3")
        before = self.referenced(gateway, *ONE_BY_ONE, names="ABCDEF")
        self.assert_ended(before.run("--max-orders", "3"), IN_DOUBT)
        # A placed, B rejected, C in doubt, D placed; E and F were never sent.
        batch = self.referenced(self.gateway(), names="xBFAyzCE")
        history = self.history(before)
        done = batch.run("--history", history)
        self.assert_ended(done, INPUT, "nothing was sent", "--allow-repeated-references")
        told = [line for line in done.stderr.splitlines() if "error: the Reference" in line]
        self.assertEqual(len(told), 2, done.stderr)
        self.assertRegex(told[0], r"orders\.csv:5:\d+: .*before: row 1 of .*\.ledger is placed")
        self.assertRegex(told[1], r"orders\.csv:8:\d+: .*before: row 3 of .* may have been placed")
        self.assert_nothing_reached(batch.gateway, connections=0)
        self.assert_no_files(batch)
        done = batch.run("--history", history, "--allow-repeated-references")
        self.assert_ended(done, ALL_PLACED, ":5:", "warning: the Reference was ordered before")
        self.assert_all_ordered_once(batch)

    def test_a_resume_does_not_meet_itself(self):
        batch = self.referenced(self.gateway(), *ONE_BY_ONE)
        run = ("--history", batch.folder)
        self.assert_ended(batch.run(*run, "--max-orders", "3"), LIMIT)
        self.assert_ended(batch.run(*run), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_only_rows_that_are_left_matter(self):
        batch = self.referenced(self.gateway(), *ONE_BY_ONE, names="ABCDEF")
        self.assert_ended(batch.run("--max-orders", "3"), LIMIT)
        other = self.referenced(self.gateway(), names="ABx")
        self.assert_ended(other.run(), ALL_PLACED)
        self.assert_ended(batch.run("--history", self.history(other)), ALL_PLACED)
        third = self.referenced(self.gateway(), *ONE_BY_ONE, names="UVW")
        self.assert_ended(third.run("--max-orders", "1"), LIMIT)
        fourth = self.referenced(self.gateway(), names="QWR")
        self.assert_ended(fourth.run(), ALL_PLACED)
        done = third.run("--history", self.history(fourth))
        self.assert_ended(done, INPUT, "orders.csv:4:", "row 2 of")
        self.assertEqual(self.ordered_rows(third), [1])

    def test_a_batch_that_runs_or_was_killed_counts(self):
        before = self.referenced(self.gateway(latency="20s"), *ONE_BY_ONE)
        process = before.start()
        self.assertTrue(wait_until(lambda: len(before.gateway.executed()) == 1))
        batch = self.referenced(self.gateway(), names="xA")
        done = batch.run("--history", before.folder)
        self.assert_ended(done, INPUT, "row 1 of", "may have been placed")
        end(process)
        self.assert_ended(batch.run("--history", before.folder), INPUT, "may have been placed")
        batch = self.referenced(self.gateway(), names="xB")
        self.assert_ended(batch.run("--history", before.folder), ALL_PLACED)

    def test_killed_at_any_time_its_references_are_there_before_its_orders(self):
        for wait in range(0, 120, 15):
            with self.subTest(wait=wait):
                before = self.referenced(self.gateway(latency="10ms"), *ONE_BY_ONE)
                process = before.start()
                wait_until(lambda: False, wait / 1000)
                end(process)
                batch = self.referenced(self.gateway(), names="ABCDEF")
                done = batch.run("--history", before.folder)
                ordered = len(before.gateway.executed())
                self.assertIn(done.returncode, (INPUT,) if ordered else (INPUT, ALL_PLACED))
                told = done.stderr.count("error: the Reference was ordered before")
                self.assertGreaterEqual(told, ordered, done.stderr)

    def test_a_ledger_of_an_older_program(self):
        """It has the column and no table: nothing can be compared, until its command adds it."""
        before = self.referenced(self.gateway(), *ONE_BY_ONE)
        self.assert_ended(before.run("--max-orders", "3"), LIMIT)
        with sqlite3.connect(before.ledger) as ledger:
            ledger.execute("DROP TABLE reference")
            ledger.execute("DELETE FROM meta WHERE name = 'references'")
        ledger.close()
        batch = self.referenced(self.gateway(), names="xyA")
        done = batch.run("--history", before.folder)
        self.assert_ended(done, INPUT, "results.csv.ledger does not say which References")
        self.assert_ended(before.run(), ALL_PLACED)
        self.assert_all_ordered_once(before)
        done = batch.run("--history", before.folder)
        self.assert_ended(done, INPUT, "orders.csv:4:", "row 1 of", "is placed")

    def test_other_ledgers(self):
        without = self.quiet_batch(self.gateway())
        self.assert_ended(without.run(), ALL_PLACED)
        batch = self.referenced(self.gateway(), names="AB")
        self.assert_ended(batch.run("--history", without.folder), ALL_PLACED)
        folder = self.folder()
        (folder / "broken.ledger").write_bytes(b"no database at all")
        batch = self.referenced(self.gateway(), names="AB")
        done = batch.run("--history", folder)
        self.assert_ended(done, INPUT, "--history", "broken.ledger", "nothing was sent")

    def test_the_advice_of_a_refused_resume_names_the_rows_that_are_left(self):
        """Some of the file's rows were sent: not the other ones alone would be a new file."""
        batch = self.referenced(self.gateway(), *ONE_BY_ONE, names="UVWX")
        ledger = batch.folder / "kept elsewhere"
        first = batch.run("--ledger", ledger, "--max-orders", "1")
        self.assert_ended(first, LIMIT)
        other = self.referenced(self.gateway(), names="QWR")
        self.assert_ended(other.run(), ALL_PLACED)
        history = self.history(other)
        done = batch.run("--ledger", ledger, "--history", history)
        self.assert_ended(done, INPUT, "this batch has sent some of the other rows", "row 2 of")
        self.assertNotIn("make a file of the other rows", done.stderr)
        command = re.search(r"order of `\S*sagorder (rows .*)` alone", done.stderr).group(1)
        left = batch.sagorder(*shlex.split(command))
        self.assert_ended(left, ALL_PLACED)
        self.assertEqual(re.findall(r",([A-Z])$", left.stdout, re.MULTILINE), ["V", "W", "X"])
        begins = self.referenced(self.gateway(), names="yW").run("--history", history)
        self.assert_ended(begins, INPUT, "make a file of the other rows")

    def told(self, done):
        """Without the row and the run that a log's lines end with."""
        lines = [re.sub(r"  row=\d+ run=\w{8}$", "", line) for line in done.stderr.splitlines()]
        return [line for line in lines if "error: the Reference" in line]

    def test_check_compares_too(self):
        """With the words of the run, and no plan is made of such a file."""
        gateway = self.gateway(faults="code:QuotaExceeded@2")
        before = self.referenced(gateway, *ONE_BY_ONE, names="ABCD")
        self.assert_ended(before.run("--max-orders", "2"), LIMIT)
        history = self.history(before)
        batch = self.referenced(self.gateway(), names="xBDA")
        plan = batch.folder / "plan.json"
        done = batch.sagorder("check", batch.input, "--history", history, "--plan", plan)
        self.assert_ended(done, INPUT, "4 rows, 0 invalid, 1 error,", "plan.json: not written")
        (line,) = self.told(done)
        self.assertRegex(line, r":5:\d+: .*was ordered before: row 1 of .*\.ledger is placed$")
        self.assertEqual(self.told(batch.run("--history", history)), [line])
        good = self.referenced(self.gateway(), names="xBD")
        done = good.sagorder("check", good.input, "--history", history)
        self.assert_ended(done, ALL_PLACED, "0 errors, 0 warnings")
        plain = self.quiet_batch(self.gateway())
        done = plain.sagorder("check", plain.input, "--history", history)
        self.assert_ended(done, USAGE, "no column Reference")

    def test_a_directory_without_a_ledger(self):
        batch = self.referenced(self.gateway(), names="AB")
        folder = self.folder()
        (folder / "results.csv").write_text("nothing\n")
        words = f"--history {folder}: holds no ledger (*.ledger, such as results.csv.ledger)"
        done = batch.sagorder("check", batch.input, "--history", folder)
        self.assert_ended(done, ALL_PLACED, "warning: " + words, "0 errors, 1 warning;")
        done = batch.run("--history", folder)
        self.assert_ended(done, ALL_PLACED, "warning  " + words)
        self.assertNotIn("holds no ledger", batch.run("--history", batch.folder).stderr)

    def test_what_is_no_directory(self):
        batch = self.referenced(self.gateway(), names="AB")
        link = batch.folder / "link"
        link.symlink_to("gone")
        for path, word in ((batch.input, "Not a directory"), (link, "No such file")):
            for command in (("check", batch.input), batch.command()[1:]):
                with self.subTest(path=path, command=command[0]):
                    done = batch.sagorder(*command, "--history", path)
                    self.assert_ended(done, INPUT, f"--history {path}: ", word)
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_arguments(self):
        batch = self.referenced(self.gateway(), names="AB")
        done = batch.run("--history", batch.folder / "nowhere")
        self.assert_ended(done, INPUT, "--history", "no such")
        plain = self.quiet_batch(self.gateway())
        done = plain.run("--history", plain.folder)
        self.assert_ended(done, USAGE, "no column Reference")
        self.assert_nothing_reached(plain.gateway, connections=0)
