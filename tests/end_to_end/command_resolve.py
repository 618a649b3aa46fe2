"""`status` and `resolve`: where a batch stands, and what a person knows of its rows in doubt."""

import json
import random
import re
import shlex
import signal
import subprocess
import time

from cases import end, replaced, run_at_terminal
from command_cases import ONE_BY_ONE, ROWS, CommandTest, Nowhere, files_of, in_fives
from harness import ALL_PLACED, BUSY, IN_DOUBT, INPUT, LIMIT, SAGORDER, USAGE


class Status(CommandTest):
    """`status` counts, lists what is in doubt, and gives the command that goes on."""

    def doubtful(self, *options, faults="close-after@2,code:QuotaExceeded@3", **named):
        """Row 1 placed, 2 in doubt, 3 rejected, 4 placed, the rest not sent."""
        batch = self.quiet_batch(self.gateway(faults=faults), *ONE_BY_ONE, *options, **named)
        self.assert_ended(batch.run("--max-orders", "3"), IN_DOUBT)
        return batch

    def status(self, batch, *flags):
        before = files_of(batch)
        done = batch.sagorder("status", batch.output, *flags)
        self.assertEqual(files_of(batch), before, "a look changed something")
        self.assert_ended(done, ALL_PLACED)
        return done.stdout

    def count(self, text, name):
        found = re.search(rf"^{name} +(\d+)$", text, re.MULTILINE)
        self.assertIsNotNone(found, text)
        return int(found.group(1))

    def test_counts(self):
        text = self.status(self.doubtful())
        wanted = {"rows": 6, "placed": 2, "rejected": 1, "in doubt": 1, "not sent": 2}
        self.assertEqual({name: self.count(text, name) for name in wanted}, wanted)

    def test_rows_in_doubt(self):
        text = self.status(self.doubtful())
        listed = re.findall(r"^ +(\d+)  \d{4}-\d\d-\d\dT[\d:.]+Z +(\w+) +(.*)$", text, re.MULTILINE)
        self.assertEqual([(row, code) for row, code, _ in listed], [("2", "closed")])
        self.assertIn("before an answer", listed[0][2])

    def goes_on(self, batch, text):
        """Pastes the command that stands behind `to go on:` to a shell."""
        command = re.search(r"to go on:\n +(\S*sagorder .*)\n", text).group(1)
        path = f"{SAGORDER.parent}:{batch.env['PATH']}"
        return subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            cwd=batch.folder,
            env={**batch.env, "PATH": path},
            check=False,
        )

    def test_the_next_command_can_be_pasted(self):
        batch = self.doubtful()
        done = self.goes_on(batch, self.status(batch))
        self.assertEqual(done.returncode, IN_DOUBT, done.stdout)
        self.assert_all_executed_but(batch, {3})
        self.assertNotIn("to go on", self.status(batch))

    def test_names_that_a_shell_would_take_apart(self):
        batch = self.quiet_batch(self.gateway(), output="it's $HOME; é.csv")
        batch.input = batch.input.rename(batch.folder / 'my "orders" & co.csv')
        self.assert_ended(batch.run("--max-orders", "3"), LIMIT)
        done = self.goes_on(batch, self.status(batch))
        self.assertEqual(done.returncode, ALL_PLACED, done.stdout)
        self.assert_all_ordered_once(batch)

    def test_names_that_no_terminal_could_show(self):
        """The command is one line that can be read, and finds the files all the same."""
        batch = self.quiet_batch(self.gateway(), output="a\n100% \x1b[31mred\u202e.csv")
        batch.input = batch.input.rename(batch.folder / "o\tr\\d'e.csv")
        self.assert_ended(batch.run("--max-orders", "3"), LIMIT)
        shown = self.status(batch)
        self.assertTrue(shown.replace("\n", "").isprintable(), shown)
        done = self.goes_on(batch, shown)
        self.assertEqual(done.returncode, ALL_PLACED, done.stdout)
        self.assert_all_ordered_once(batch)

    def assert_all_executed_but(self, batch, rejected):
        wanted = set(range(1, batch.rows + 1)) - rejected
        self.assertEqual(self.ordered_rows(batch), sorted(wanted))
        self.assertEqual(batch.violations(), [])

    def test_a_ledger_of_another_name(self):
        """What is proposed names the ledger too, or it would not be found."""
        batch = self.batch(self.gateway(faults="close-after@1"), *ONE_BY_ONE)
        batch.write_orders(2, columns={"UserCount": in_fives})
        batch.ledger = batch.folder / "kept elsewhere"
        batch.options += ["--ledger", batch.ledger]
        done = batch.run()
        self.assert_ended(done, IN_DOUBT)
        proposed = re.search(r"^ +\S*sagorder (status .*)$", done.stderr, re.MULTILINE).group(1)
        shown = batch.sagorder(*shlex.split(proposed, comments=True))
        self.assert_ended(shown, ALL_PLACED)
        proposed = re.search(r"sagorder (resolve .*) --not-placed", shown.stdout).group(1)
        proposed = proposed.replace(" N", " 1")
        resolved = batch.sagorder(*shlex.split(proposed), "--not-placed", "--because", "looked")
        self.assert_ended(resolved, ALL_PLACED)

    def test_while_it_runs(self):
        batch = self.quiet_batch(self.gateway(latency="250ms"), *ONE_BY_ONE)
        process = self.started(batch)
        done = batch.sagorder("status", batch.output)
        self.assertIsNone(process.poll())
        self.assert_ended(done, ALL_PLACED, "a run is going on")
        self.assertGreaterEqual(self.count(done.stdout, "not sent"), 1)
        self.assertEqual(process.wait(timeout=30), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_after_a_kill(self):
        batch = self.quiet_batch(self.gateway(latency="300ms"), *ONE_BY_ONE)
        process = self.started(batch)
        process.kill()
        process.wait()
        text = batch.sagorder("status", batch.output).stdout
        self.assertEqual(self.count(text, "in doubt"), 1)
        self.assertIn("outcome is not recorded", text)
        done = self.goes_on(batch, text)
        self.assertEqual(done.returncode, IN_DOUBT, done.stdout)
        self.assert_all_ordered_once(batch)

    def as_json(self, batch):
        return json.loads(self.status(batch, "--json"))

    def test_as_json(self):
        batch = self.doubtful()
        told = self.as_json(batch)
        wanted = {"all": 6, "placed": 2, "rejected": 1, "in_doubt": 1, "under_way": 0}
        self.assertEqual(told["rows"], {**wanted, "invalid": 0, "not_sent": 2})
        self.assertFalse(told["running"])
        self.assertEqual([(each["row"], each["code"]) for each in told["doubts"]], [(2, "closed")])
        self.assertIn("sagorder run ", told["next_command"])
        for name in ("reconcile", "resolve"):
            self.assertTrue(told[name + "_command"].endswith(f"sagorder {name} {batch.output}"))
        done = self.goes_on(batch, f"to go on:\n  {told['next_command']}\n")
        self.assertEqual(done.returncode, IN_DOUBT, done.stdout)
        self.assertEqual(self.as_json(batch)["next_command"], "")

    def test_how_the_last_run_ended(self):
        batch = self.quiet_batch(self.gateway(latency="300ms"), *ONE_BY_ONE)
        self.assert_ended(batch.run("--max-orders", "1"), LIMIT)
        self.assertRegex(self.status(batch), r"last run .* stopped: --max-orders, exit code 5\n")
        last = self.as_json(batch)["last_run"]
        self.assertEqual((last["stop"], last["exit_code"]), ("max_orders", LIMIT))
        self.assertEqual(last["run"], batch.summary()["run_id"])
        process = self.started(batch)
        self.assertRegex(
            batch.sagorder("status", batch.output).stdout, r"last run +since \S+ \(run \w{8}\)\n"
        )
        told = json.loads(batch.sagorder("status", "--json", batch.output).stdout)
        self.assertTrue(told["running"])
        self.assertEqual(told["next_command"], "", "it would only meet the other run")
        process.kill()
        process.wait()
        # Not by self.status: SQLite writes the index of a log that was left behind.
        text = batch.sagorder("status", batch.output).stdout
        self.assertIn("how it ended is not recorded", text)
        told = json.loads(batch.sagorder("status", "--json", batch.output).stdout)
        self.assertIsNone(told["last_run"]["ended_at"])
        self.assert_ended(batch.run(), IN_DOUBT)
        self.assertRegex(self.status(batch), r"last run .* it came to its end, exit code 3\n")

    def test_a_run_with_nothing_to_send_is_none(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run(), ALL_PLACED)
        last = self.as_json(batch)["last_run"]
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assertEqual(self.as_json(batch)["last_run"], last)

    def test_of_a_finished_batch(self):
        batch = self.quiet_batch(self.gateway())
        batch.run()
        self.assertIn("nothing is left to send", self.status(batch))

    def test_of_no_batch(self):
        batch = self.batch(Nowhere(), rows=1)
        self.assert_ended(batch.sagorder("status", batch.output), USAGE, "no such ledger")
        self.assert_no_files(batch)

    def test_of_the_orders_file_by_mistake(self):
        batch = self.quiet_batch(self.gateway())
        batch.run()
        self.assert_ended(batch.sagorder("status", batch.input), USAGE, "is an input", "results")


class Misnamed(CommandTest):
    """A command that wants a results file says what it was given instead."""

    def test_results_whose_ledger_is_gone(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run(), ALL_PLACED)
        batch.ledger.rename(batch.folder / "elsewhere")
        for command in ("status", "report", "rows --status rejected"):
            with self.subTest(command=command):
                words = command.split()
                more = ("-o", "page.html") if words[0] == "report" else ()
                done = batch.sagorder(words[0], batch.output, *words[1:], *more)
                self.assert_ended(
                    done, USAGE, f"{batch.ledger}: the ledger of {batch.output} is missing", "-wal"
                )

    def test_an_input_that_was_ordered(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.sagorder("status", batch.input), USAGE, "there is no such ledger")
        self.assert_ended(batch.run(), ALL_PLACED)
        done = batch.sagorder("status", batch.input)
        self.assert_ended(done, USAGE, "is an input, ordered with results in", str(batch.output))

    def test_a_ledger(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run(), ALL_PLACED)
        done = batch.sagorder("status", "results.csv.ledger")
        self.assert_ended(done, USAGE, "is a ledger", "give its results:  results.csv\n")

    def test_results_as_an_input(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run(), ALL_PLACED)
        for command in (
            ("check", batch.output),
            ("run", batch.output, "--output", "again.csv", "--yes"),
        ):
            with self.subTest(command=command[0]):
                done = batch.sagorder(*command)
                self.assert_ended(done, INPUT, "is a results file of sagorder", "1 error")
                self.assertNotIn("rename", done.stderr)
                self.assertNotIn("--carry", done.stderr)
        self.assert_all_ordered_once(batch)


class Resolve(CommandTest):
    """`resolve` takes a person's evidence for a row in doubt, and for no other row."""

    def doubtful(self, fault="close-after@2", **named):
        batch = self.quiet_batch(self.gateway(faults=fault), *ONE_BY_ONE, **named)
        self.assert_ended(batch.run(), IN_DOUBT)
        self.assertEqual(batch.result(2)["Status"], "in_doubt")
        return batch

    def resolve(self, batch, *evidence, row=2):
        return batch.sagorder("resolve", batch.output, "--row", row, *evidence)

    def evidence(self, batch):
        """What the vendor's console would show of the order of row 2."""
        (line,) = [line for line in batch.gateway.executed() if line["user_count"] == in_fives(2)]
        return f"{line['order_id']},{line['sag_id']}"

    def test_placed(self):
        for output in ("results.csv", "results.jsonl"):
            with self.subTest(output=output):
                batch = self.doubtful(output=output)
                others = [line for line in batch.results() if line["Row"] != "2"]
                evidence = self.evidence(batch)
                done = self.resolve(batch, "--placed", evidence, "--because", "ticket 77")
                self.assert_ended(done, ALL_PLACED, "row 2 is placed", "in doubt now: 0")
                line = batch.result(2)
                self.assertEqual(f"{line['OrderId']},{line['SmartAGId']}", evidence)
                self.assertEqual((line["Status"], line["UserCount"]), ("placed", "10"))
                left = [line for line in batch.results() if line["Row"] != "2"]
                self.assertEqual(left, others)
                self.assertEqual(batch.ledger_rows()[2], "placed")
                self.assertEqual(batch.violations(), [])
                self.assert_ended(batch.run(), ALL_PLACED)
                self.assert_all_ordered_once(batch)

    def test_the_row_is_shown(self):
        batch = self.doubtful()
        done = self.resolve(batch, "--placed", self.evidence(batch))
        self.assert_ended(done, ALL_PLACED)
        shown = re.escape("row 2: RegionId cn-shanghai, Period 1, UserCount 10; attempt begun 20")
        self.assertRegex(done.stdout, shown + r"\d\d-")

    def test_an_order_of_another_batch(self):
        batch = self.doubtful()
        other = self.quiet_batch(batch.gateway)
        other.env["XDG_STATE_HOME"] = batch.env["XDG_STATE_HOME"]
        other.write_orders(2, columns={"UserCount": 300})
        self.assert_ended(other.run(), ALL_PLACED)
        taken = other.result(2)["OrderId"]
        before = batch.output.read_bytes()
        done = self.resolve(batch, "--placed", taken)
        self.assert_ended(done, USAGE, "row 2's of another batch already", str(other.output))
        self.assertEqual(batch.output.read_bytes(), before)
        self.assertEqual(batch.ledger_rows()[2], "in_doubt")
        other.ledger.rename(other.folder / "moved")
        done = self.resolve(batch, "--placed", taken)
        self.assert_ended(done, ALL_PLACED, "1 other batches were not compared")

    def test_a_terminal_is_asked(self):
        for answer, flags, code in (
            ("no", (), USAGE),
            ("yes", (), ALL_PLACED),
            (None, ("--yes",), ALL_PLACED),
        ):
            with self.subTest(answer=answer):
                batch = self.doubtful()
                number = self.evidence(batch).split(",")[0]
                command = [batch.program, "resolve", str(batch.output), "--row", "2", *flags]
                ended, shown = run_at_terminal(
                    [*command, "--placed", number], cwd=batch.folder, env=batch.env, answer=answer
                )
                self.assertEqual(ended, code, shown)
                self.assertIn("UserCount 10", shown)
                self.assertEqual("Type 'yes'" in shown, not flags, shown)
                wanted = "placed" if code == ALL_PLACED else "in_doubt"
                self.assertEqual(batch.ledger_rows()[2], wanted)

    def test_an_interrupt_at_the_question(self):
        batch = self.doubtful()
        number = self.evidence(batch).split(",")[0]
        command = [batch.program, "resolve", str(batch.output), "--row", "2", "--placed", number]
        code, shown = run_at_terminal(
            ["setsid", "--ctty", "--wait", *command],
            cwd=batch.folder,
            env=batch.env,
            answer="\x03",
        )
        self.assertEqual(code, USAGE, shown)
        self.assertIn("not confirmed; nothing was recorded", shown)
        self.assertEqual(batch.ledger_rows()[2], "in_doubt")

    def test_not_placed(self):
        """Pending again, and ordered by the next run: then, and once."""
        batch = self.doubtful("close-before@2")
        done = self.resolve(batch, "--not-placed", "--because", "no such order in the console")
        self.assert_ended(done, ALL_PLACED, "row 2", "pending again", "to go on")
        self.assertIn(shlex.join(["sagorder", *batch.command()[1:]]), done.stdout)
        self.assertIsNone(batch.result(2))
        self.assertEqual(batch.ledger_rows()[2], "pending")
        self.assertEqual(batch.ledger_records()[-1].message, "no such order in the console")
        self.assertEqual(self.ordered_rows(batch), [1, 3, 4, 5, 6])
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assertEqual(batch.result(2)["Attempts"], "2")
        self.assert_all_ordered_once(batch)
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_a_row_that_is_not_in_doubt(self):
        batch = self.doubtful("close-after@2,code:QuotaExceeded@3")
        before = files_of(batch)
        for row, state in ((1, "placed"), (3, "rejected"), (7, "6 rows")):
            with self.subTest(row=row):
                done = self.resolve(batch, "--placed", "1234", row=row)
                self.assert_ended(done, USAGE, f"row {row}", state)
        self.assertEqual(files_of(batch).keys(), before.keys())
        self.assertEqual(files_of(batch)[batch.output], before[batch.output])
        self.assertEqual(batch.violations(), [])

    def test_twice(self):
        batch = self.doubtful()
        self.assert_ended(self.resolve(batch, "--placed", self.evidence(batch)), ALL_PLACED)
        self.assert_ended(self.resolve(batch, "--not-placed", "--because", "no"), USAGE, "placed")
        self.assertEqual(batch.violations(), [])

    def test_second_thoughts(self):
        """What was said stays in the ledger; what to do about a slip is told."""
        batch = self.doubtful("close-before@2")
        words = ("--not-placed", "--because", "no such order")
        self.assert_ended(self.resolve(batch, *words), ALL_PLACED)
        records = batch.ledger_records()
        done = self.resolve(batch, "--placed", "4711")
        self.assert_ended(done, USAGE, "as not placed (no such order)", "the next run orders it")
        # Followed: the others are ordered without the row, and the batch is left alone.
        proposed = re.search(r"(rows .* -o rest\.csv)$", done.stderr.strip())[1]
        self.assert_ended(batch.sagorder(*shlex.split(proposed)), ALL_PLACED, "1 row")
        self.assertEqual(len(batch.ledger_records()), len(records))
        placed = self.doubtful()
        right = self.evidence(placed)
        self.assert_ended(self.resolve(placed, "--placed", "4711"), ALL_PLACED)
        done = self.resolve(placed, "--placed", right)
        self.assert_ended(done, USAGE, "as placed as 4711; that is final", "never ordered again")
        self.assert_ended(placed.run(), ALL_PLACED)
        self.assertEqual(self.ordered_rows(placed), list(range(1, placed.rows + 1)))

    def test_the_same_words_again(self):
        """Nothing more is recorded, and a line that could not be written the first time is."""
        for words in (("--placed",), ("--not-placed", "--because", "looked")):
            with self.subTest(words=words):
                batch = self.doubtful("close-after@2" if len(words) == 1 else "close-before@2")
                said = (*words, self.evidence(batch)) if len(words) == 1 else words
                stale = batch.output.read_bytes()
                self.assert_ended(self.resolve(batch, *said), ALL_PLACED)
                right = batch.output.read_bytes()
                records = batch.ledger_records()
                batch.output.write_bytes(stale)
                done = self.resolve(batch, *said)
                self.assert_ended(done, ALL_PLACED, "row 2 is already resolved")
                self.assertEqual(len(batch.ledger_records()), len(records))
                self.assertEqual(batch.output.read_bytes(), right)
                self.assertNotEqual(right, stale)
                self.assertEqual(batch.violations(finished=False), [])
                self.assert_ended(batch.run(), ALL_PLACED)
                self.assert_all_ordered_once(batch)
                other = ("--not-placed", "--because", "other words")
                self.assert_ended(self.resolve(batch, *other), USAGE)

    def test_the_same_words_of_a_later_attempt(self):
        """Of the first attempt they were true; the second may have been placed."""
        batch = self.doubtful("close-before@2,close-after@7")
        words = ("--not-placed", "--because", "no such order")
        self.assert_ended(self.resolve(batch, *words), ALL_PLACED)
        self.assert_ended(batch.run(), IN_DOUBT)
        self.assertEqual(batch.result(2)["Attempts"], "2")
        done = self.resolve(batch, *words)
        self.assert_ended(done, USAGE, "attempt 1", "attempt 2")
        self.assert_ended(self.resolve(batch, "--placed", self.evidence(batch)), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_pending_row(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--max-orders", "1"), LIMIT)
        done = self.resolve(batch, "--not-placed", "--because", "no", row=5)
        self.assert_ended(done, USAGE, "row 5 is pending")

    def test_evidence_that_is_none(self):
        batch = self.doubtful()
        for evidence, words in (
            ((), ("--placed", "--not-placed")),
            (("--placed", "1", "--not-placed", "--because", "x"), ("either",)),
            (("--not-placed",), ("--because", "how do you know")),
            (("--not-placed", "--because", "  "), ("--because",)),
            (("--not-placed", "--because", "x" * 501), ("--because", "500")),
            (("--placed", ""), ("--placed", "ORDERID")),
            (("--placed", "12 34"), ("--placed", "ORDERID")),
            (("--placed", "1;rm"), ("--placed",)),
            (("--placed", "1,"), ("--placed", "SAGID")),
        ):
            with self.subTest(evidence=evidence):
                self.assert_ended(self.resolve(batch, *evidence), USAGE, *words)
        self.assertEqual(batch.ledger_rows()[2], "in_doubt")

    def test_an_order_that_is_another_rows(self):
        """An OrderId that already stands at another row is a slip of the hand."""
        batch = self.doubtful()
        done = self.resolve(batch, "--placed", batch.result(1)["OrderId"])
        self.assert_ended(done, USAGE, "row 1")
        self.assertEqual(batch.ledger_rows()[2], "in_doubt")

    def test_while_a_run_is_going_on(self):
        batch = self.quiet_batch(
            self.gateway(latency="250ms", faults="close-after@1"), *ONE_BY_ONE
        )
        process = batch.start()
        self.addCleanup(end, process)
        deadline = time.monotonic() + 20
        while batch.result(1) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        done = self.resolve(batch, "--not-placed", "--because", "x", row=1)
        self.assertIsNone(process.poll())
        self.assert_ended(done, BUSY, "another")
        self.assertEqual(process.wait(timeout=30), IN_DOUBT)

    def test_what_a_kill_left_open(self):
        """A row under way when the run was killed has no line; it can be resolved all the same, and
        the next run brings the results up to date."""
        batch = self.quiet_batch(self.gateway(latency="300ms"), *ONE_BY_ONE)
        process = self.started(batch)
        process.kill()
        process.wait()
        line = batch.gateway.executed()[0]
        row = line["user_count"] // 5
        done = self.resolve(batch, "--placed", f"{line['order_id']},{line['sag_id']}", row=row)
        self.assert_ended(done, ALL_PLACED)
        self.assertEqual(batch.ledger_rows()[row], "placed")
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_a_lost_results_file(self):
        batch = self.doubtful()
        evidence = self.evidence(batch)
        batch.output.unlink()
        self.assert_ended(self.resolve(batch, "--placed", evidence), ALL_PLACED)
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_cells_that_are_hard_to_write(self):
        """The rewritten line repeats the row's own cells as the first one did."""
        hard = {1: "=1+1", 2: '=HYPERLINK("x"),\n"y"', 3: "é ", 4: "'", 5: "-5", 6: ""}
        for output in ("results.csv", "results.jsonl"):
            with self.subTest(output=output):
                batch = self.batch(
                    self.gateway(faults="close-after@2"), *ONE_BY_ONE, output=output
                )
                note = {"UserCount": in_fives, "Note": hard.get}
                batch.write_orders(ROWS, columns=note)
                batch.options += ["--carry", "Note"]
                self.assert_ended(batch.run(), IN_DOUBT)
                before = batch.result(2)["Note"]
                self.assert_ended(self.resolve(batch, "--placed", self.evidence(batch)), ALL_PLACED)
                self.assertEqual(batch.result(2)["Note"], before)
                self.assertEqual(batch.violations(), [])

    def test_killed_at_any_moment(self):
        """Either nothing happened or the row is resolved; no file is ever broken, and the next run
        makes the results agree and orders what is pending, once."""
        chance = random.Random(20260101)
        batch = self.quiet_batch(self.gateway(faults="close-before"), *ONE_BY_ONE, rows=30)
        self.assert_ended(batch.run("--max-doubts", "25"), IN_DOUBT)
        begin = time.monotonic()
        self.assertTrue(self.killed_resolve(batch, 24, 30))
        usual = time.monotonic() - begin
        finished = 0
        for row in range(1, 24):
            finished += self.killed_resolve(batch, row, chance.uniform(0, 1.5 * usual))
        self.assertLess(finished, 23, "it was never killed in time")
        batch.gateway.stop()
        batch.gateway.options = replaced(batch.gateway.options, faults="throttle=0")
        batch.gateway.start()
        self.assert_ended(batch.run(), IN_DOUBT)
        doubts = self.rows_in(batch, "in_doubt")
        self.assertIn(25, doubts)
        wanted = [row for row in range(1, 31) if row not in doubts]
        self.assertEqual(self.ordered_rows(batch), wanted)
        self.assertEqual(batch.violations(), [])

    def rows_in(self, batch, state):
        return [row for row, at in batch.ledger_rows().items() if at == state]

    def killed_resolve(self, batch, row, seconds):
        """@return whether it came to its end before it was killed"""
        process = subprocess.Popen(
            [
                *(str(SAGORDER), "resolve", str(batch.output), "--row", str(row)),
                *("--not-placed", "--because", "looked"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=batch.env,
        )
        try:
            return process.wait(timeout=seconds) == 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        state = batch.ledger_rows()[row]
        self.assertIn(state, ("in_doubt", "pending"))
        rows = [line["Row"] for line in batch.results()]
        self.assertEqual(len(rows), len(set(rows)), rows)
        return False
