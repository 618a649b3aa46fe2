"""`run`: what it reports, the forms that it reads and writes, and a batch that is finished."""

import csv
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time

from cases import end, replaced, run_at_terminal, said, wait_until, without
from command_cases import NO_KEYS, ONE_BY_ONE, ROWS, CommandTest, Nowhere, in_fives
from harness import ALL_PLACED, CREDENTIALS, INPUT, IN_DOUBT, LIMIT, SOME_REJECTED
from harness import GATEWAY, USAGE


class Reports(CommandTest):
    """What a run tells while it runs and at its end, to people and to scripts."""

    def test_summary(self):
        faults = "close-after@2,code:QuotaExceeded@3"
        batch = self.quiet_batch(self.gateway(faults=faults), *ONE_BY_ONE)
        self.assert_ended(batch.run("--max-orders", "3"), IN_DOUBT)
        summary = batch.summary()
        self.assertEqual(summary["exit_code"], IN_DOUBT)
        self.assertEqual(summary["stop"], "max_orders")
        self.assertEqual(
            summary["batch"],
            {"rows": 6, "placed": 2, "rejected": 1, "in_doubt": 1, "not_known": 0, "invalid": 0,
             "not_sent": 2},
        )
        run = summary["run"]
        self.assertEqual((run["placed"], run["rejected"], run["in_doubt"]), (2, 1, 1))
        self.assertEqual((run["requests"], run["seats_placed"]), (4, 25))
        self.assertEqual(summary["results"], str(batch.output))
        self.assertEqual(summary["ledger"], str(batch.ledger))
        self.assertIn("sagorder run", summary["next_command"])
        self.assertGreater(summary["network"]["bytes_written"], 0)
        self.assert_ended(batch.run(), IN_DOUBT)
        self.assertEqual(batch.summary()["stop"], "none")
        self.assertEqual(batch.summary()["run"]["placed"], 2)
        self.assertEqual(batch.summary()["batch"]["placed"], 4)

    def test_text_at_the_end(self):
        batch = self.quiet_batch(self.gateway(faults="close-after@2"), *ONE_BY_ONE)
        done = batch.run()
        self.assert_ended(done, IN_DOUBT, str(batch.output), str(batch.ledger))
        self.assertRegex(done.stderr, r"\bplaced +5\b")
        self.assertRegex(done.stderr, r"\bin doubt +1\b")
        self.assertIn(f"sagorder status {batch.output}", done.stderr)
        self.assertEqual(done.stdout, "")

    def slow(self, *options):
        return self.quiet_batch(self.gateway(latency="60ms"), *ONE_BY_ONE, *options)

    def with_progress(self, mode, batch=None):
        batch = batch or self.slow()
        done = batch.sagorder(*replaced(batch.command(), progress=mode)[1:])
        self.assert_ended(done, ALL_PLACED)
        return done.stderr

    def test_progress_json(self):
        lines = self.with_progress("json").splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        self.assertGreaterEqual(len(events), 2)
        for event in events:
            self.assertEqual((event["event"], event["total"]), ("progress", ROWS))
        self.assertEqual((events[-1]["placed"], events[-1]["done"]), (ROWS, ROWS))
        done = [event["done"] for event in events]
        self.assertEqual(done, sorted(done))

    def test_progress_plain(self):
        text = self.with_progress("plain")
        self.assertRegex(text, r"(?m)^6 of 6 rows: placed 6, rejected 0, in doubt 0")
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\r", text)

    def test_progress_of_a_batch_that_is_gone_on_with(self):
        """Rows are counted of the batch; what this run bought is said to be its own."""
        batch = self.slow()
        self.assert_ended(batch.run("--max-orders", "2"), LIMIT)
        text = self.with_progress("plain", batch)
        self.assertRegex(text, r"(?m)^2 of 6 rows: placed 2, .*; this run: 0 rows, 0 seats; ")
        self.assertRegex(text, r"(?m)^6 of 6 rows: placed 6, .*; this run: 4 rows, 90 seats; ")

    def test_progress_none(self):
        text = self.with_progress("none")
        self.assertNotIn(" rows: ", text)
        self.assertRegex(text, r"placed +6")

    def test_progress_that_nobody_chose(self):
        """Into a file or a pipe nothing is drawn."""
        text = self.with_progress("auto")
        self.assertIn(" rows: ", text)
        self.assertNotIn("\x1b", text)

    def at_terminal(self, mode, columns=120, **env):
        batch = self.slow()
        code, shown = run_at_terminal(
            replaced(batch.command(), progress=mode),
            columns=columns,
            cwd=batch.folder,
            env={**batch.env, "TERM": "xterm", **env},
        )
        self.assertEqual(code, ALL_PLACED, shown)
        self.assert_all_ordered_once(batch)
        return shown

    def test_progress_bar(self):
        for mode in ("bar", "auto"):
            with self.subTest(mode=mode):
                shown = self.at_terminal(mode)
                self.assertIn("\r\x1b[K", shown)
                self.assertRegex(shown, r"\[#*\.+\] \d/6")
                self.assertNotIn("of 6 rows", shown)
                after_bar = shown.rpartition("\x1b[K")[2]
                self.assertRegex(after_bar, r"\A\s*placed +6")

    def test_progress_bar_never_wraps(self):
        """A line that fills the terminal could not be redrawn."""
        for columns in (80, 40, 10):
            with self.subTest(columns=columns):
                shown = self.at_terminal("bar", columns=columns)
                drawn = [part.split("\r")[0] for part in shown.split("\r\x1b[K")[1:-1]]
                self.assertGreaterEqual(len(drawn), 2)
                for line in drawn:
                    self.assertLess(len(line), columns)

    def test_progress_bar_of_a_terminal_that_becomes_narrow(self):
        """The width is asked at each redraw, so that the next line fits."""
        batch = self.slow()
        narrow = []

        def resize(shown):
            if narrow or shown.count(b"\r\x1b[K") < 2:
                return None
            narrow.append(len(shown))
            return 30

        code, shown = run_at_terminal(
            replaced(batch.command(), progress="bar"),
            columns=150,
            resize=resize,
            cwd=batch.folder,
            env={**batch.env, "TERM": "xterm"},
        )
        self.assertEqual(code, ALL_PLACED, shown)
        before = [part.split("\r")[0] for part in shown[: narrow[0]].split("\r\x1b[K")[1:]]
        after = [part.split("\r")[0] for part in shown[narrow[0] :].split("\r\x1b[K")[2:-1]]
        self.assertGreater(len(before[0]), 30)
        self.assertGreaterEqual(len(after), 1)
        for line in after:
            self.assertLess(len(line), 30)

    def test_progress_where_nothing_can_be_redrawn(self):
        for env in ({"TERM": "dumb"}, {"NO_COLOR": "1"}):
            with self.subTest(env=env):
                shown = self.at_terminal("bar", **env)
                self.assertNotIn("\x1b", shown)
                self.assertIn("6 of 6 rows", shown)

    def test_quiet(self):
        """Warnings and errors only: of a run without either, nothing at all."""
        batch = self.quiet_batch(self.gateway())
        done = batch.run("--quiet")
        self.assert_ended(done, ALL_PLACED)
        self.assertEqual(done.stdout + done.stderr, "")
        self.assert_all_ordered_once(batch)

    def test_quiet_still_tells_why_it_stopped(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--quiet", "--max-orders", "1"), LIMIT, "--max-orders 1")

    def lines_of(self, text):
        """The lines of a log in JSON: each is one, whatever it tells."""
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            self.assertRegex(line["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
            self.assertIn(line["level"], ("info", "warning", "error"))
            self.assertTrue(line["message"])
        return lines

    def test_log_as_json(self):
        """No line of text is left: neither progress nor summary, whatever --progress says."""
        for mode in ("auto", "bar", "plain", "json", "none"):
            with self.subTest(progress=mode):
                batch = self.quiet_batch(self.gateway())
                command = replaced(batch.command(), progress=mode)
                done = batch.sagorder(*command[1:], "--log-format", "json")
                self.assert_ended(done, ALL_PLACED)
                lines = self.lines_of(done.stderr)
                self.assertEqual({line["run"] for line in lines}, {batch.summary()["run_id"]})
                events = [line["event"] for line in lines if "event" in line]
                progress = 0 if mode == "none" else 2
                self.assertEqual(events, ["progress"] * progress + ["summary"])
                self.assertEqual(lines[-1]["summary"]["batch"]["placed"], ROWS)
                if progress:
                    self.assertEqual(lines[-2]["progress"]["done"], ROWS)

    def test_log_as_json_of_what_is_refused(self):
        batch = self.quiet_batch(self.gateway(), columns={"Period": lambda row: 13 + row})
        lines = self.lines_of(batch.run("--log-format", "json").stderr)
        places = [(line["file"], line["line"], line["row"]) for line in lines if "row" in line]
        self.assertEqual(places, [(str(batch.input), row + 1, row) for row in range(1, ROWS + 1)])
        self.assertEqual(lines[-1]["exit_code"], INPUT)
        self.assertIn("--skip-invalid", lines[-1]["advice"])
        for wrong in (("--log-format=json", "--rate", "x"), ("--frobnicate", "--log-format", "json")):
            refused = batch.run(*wrong)
            self.assertEqual(refused.returncode, USAGE)
            self.assertEqual(self.lines_of(refused.stderr)[-1]["exit_code"], USAGE)

    def test_log_as_json_that_asks(self):
        for answer, code in (("yes", ALL_PLACED), ("no", USAGE)):
            with self.subTest(answer=answer):
                batch = self.quiet_batch(self.gateway())
                command = without(batch.command("--log-format", "json"), "--yes")
                ended, shown = run_at_terminal(
                    command,
                    cwd=batch.folder,
                    env=batch.env,
                    answer=answer,
                    prompt=b'to place them: "}\r\n',
                )
                self.assertEqual(ended, code)
                lines = self.lines_of("\n".join(x for x in shown.splitlines() if x != answer))
                self.assertIn("question", [line.get("event") for line in lines])

    def test_an_interrupt_at_the_question(self):
        """Nothing was asked for, so nothing was sent; it says so."""
        batch = self.quiet_batch(self.gateway())
        code, shown = run_at_terminal(
            ["setsid", "--ctty", "--wait", *without(batch.command(), "--yes")],
            cwd=batch.folder,
            env=batch.env,
            answer="\x03",
        )
        self.assertEqual(code, USAGE, shown)
        self.assertIn("not confirmed; nothing was sent", shown)
        self.assert_nothing_reached(batch.gateway)

    def test_an_interrupt_while_nothing_is_under_way(self):
        batch = self.quiet_batch(self.gateway(), rate="1/h")
        process = self.started(batch)
        while not batch.output.exists() or len(batch.output.read_text().splitlines()) < 2:
            time.sleep(0.05)
        process.send_signal(signal.SIGUSR1)
        self.assertTrue(wait_until(lambda: "; nothing is under way" in batch.log.read_text()))
        process.terminate()
        self.assertEqual(process.wait(timeout=30), LIMIT)
        text = batch.log.read_text()
        self.assertIn("interrupted: nothing more is sent, and nothing is under way", text)
        self.assertNotIn("waiting for 0", text)

    def test_log_for_the_journal(self):
        """As a service: the priority before each line, and no time, for the journal has one."""
        batch = self.quiet_batch(self.gateway())
        with open(batch.log, "wb") as log:
            stream = os.fstat(log.fileno())
            env = {**batch.env, "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}
            for options in ((), ("--log-format", "json"), ("--rate", "x")):
                subprocess.run(
                    batch.command(*options), stderr=log, env=env, cwd=batch.folder, check=False
                )
        lines = batch.log.read_text().splitlines()
        self.assertRegex(lines[0], r"\A<6>info  credentials from the environment, AccessKeyId testid  run=\w{8}\Z")
        self.assertTrue(any(line.startswith('<6>{"time":') for line in lines), lines)
        self.assertRegex(lines[-2], r"\A<3>sagorder: error: --rate")
        self.assertNotIn("<6>", batch.run().stderr, "a stream that the journal does not read")

    def test_every_line_for_the_journal_has_priority_and_run(self):
        """Log, progress, rows that were not placed, summary and advice."""
        faults = "close-after@2,code:QuotaExceeded@3"
        batch = self.quiet_batch(self.gateway(faults=faults), *ONE_BY_ONE)
        command = replaced(batch.command("--max-orders", "4"), progress="plain")
        with open(batch.log, "wb") as log:
            stream = os.fstat(log.fileno())
            env = {**batch.env, "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}
            subprocess.run(command, stderr=log, env=env, cwd=batch.folder, check=False)
        lines = batch.log.read_text().splitlines()
        run = batch.summary()["run_id"]
        for line in lines:
            self.assertRegex(line, rf"\A<[346]>.* run={run}\Z")
        text = "\n".join(lines)
        self.assertRegex(text, r"<4>warning  a row is in doubt  row=2 code=\w+ why=")
        self.assertRegex(text, r"<4>warning  a row was rejected  row=3 code=QuotaExceeded why=")
        self.assertRegex(text, r"(?m)^<6>\d of 6 rows: ")
        self.assertRegex(text, rf"(?m)^<4>  placed +3  # run={run}$")
        self.assertRegex(text, rf"(?m)^<4>  \S*sagorder status .*  # run={run}$")

    def test_every_line_in_a_file_names_the_run(self):
        batch = self.quiet_batch(self.gateway(), columns={"Period": lambda row: 13 + row})
        lines = batch.run().stderr.splitlines()
        for row, line in enumerate(lines[:-2], 1):
            self.assertRegex(line, rf"orders.csv:{row + 1}:\d+: error: .*  row={row} run=\w{{8}}\Z")
        self.assertRegex(lines[-2], r"\Asagorder: error: .*  run=\w{8}\Z")
        self.assertRegex(lines[-1], r"\A  mend the rows.*  # run=\w{8}\Z")

    def test_log_of_a_warning_as_json(self):
        batch = self.quiet_batch(self.gateway(latency="300ms"), *ONE_BY_ONE)
        process = self.started(batch)
        process.kill()
        process.wait()
        done = batch.run("--quiet", "--log-format", "json")
        lines = self.lines_of(done.stderr)
        self.assertEqual([line["level"] for line in lines], ["warning", "warning"])
        self.assertIn("they are in doubt", lines[0]["message"])
        self.assertIn(lines[1]["row"], range(1, ROWS + 1))
        self.assertEqual(lines[1]["code"], "Interrupted")


class Listening(CommandTest):
    def test_a_gateway_on_a_port_that_is_used(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = subprocess.run(
                [str(GATEWAY), "--listen", f"127.0.0.1:{port}", "--pki", "pki"],
                cwd=self.batch(Nowhere()).folder,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot listen on 127.0.0.1 port {port}: Address already in", done.stderr)
        self.assertIn("choose another port", done.stderr)
        self.assertNotIn("asio", done.stderr)


class Input(CommandTest):
    """Forms of the input that a spreadsheet or a script hands over."""

    def piped(self, batch, *extra, command=None):
        with open(batch.input, "rb") as stdin:
            arguments = command or batch.command(*extra)
            arguments = ["-" if each == str(batch.input) else each for each in arguments]
            return batch.sagorder(*arguments[1:], stdin=stdin)

    def test_standard_input(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(self.piped(batch, "--max-orders", "2"), LIMIT)
        self.assert_ended(self.piped(batch), ALL_PLACED)
        self.assert_all_ordered_once(batch)
        self.assert_ended(self.piped(batch), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_standard_input_is_no_answer(self):
        batch = self.quiet_batch(self.gateway())
        done = self.piped(batch, command=without(batch.command(), "--yes"))
        self.assert_ended(done, USAGE, "--yes")
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_standard_input_that_is_empty(self):
        batch = self.batch(self.gateway())
        batch.input.write_bytes(b"")
        self.assert_ended(self.piped(batch), INPUT, "empty")

    def test_standard_input_that_is_closed(self):
        batch = self.quiet_batch(self.gateway())
        command = ["-" if each == str(batch.input) else each for each in batch.command()]
        done = batch.sagorder(*command[1:], preexec_fn=lambda: os.close(0))
        self.assertIn(done.returncode, (INPUT, USAGE), said(done))
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_files_that_begin_with_a_dash(self):
        """Behind `--` they are files; what is proposed later names them so that they stay files."""
        batch = self.quiet_batch(self.gateway(faults="close-after@2"), *ONE_BY_ONE)
        batch.input = batch.input.rename(batch.folder / "-x.csv")
        batch.output, batch.ledger = batch.folder / "-r.csv", batch.folder / "-r.csv.ledger"
        command = without(batch.command(), str(batch.input), str(batch.output), "--output")
        done = batch.sagorder(*command[1:], "--output=-r.csv", "--max-orders", "3", "--", "-x.csv")
        self.assert_ended(done, IN_DOUBT, "sagorder status ./-r.csv  #", " -- -x.csv  #")
        proposed = re.findall(r"(?m)^  \S*sagorder (.*)  # run=\w{8}$", done.stderr)
        self.assertEqual(len(proposed), 2, done.stderr)
        self.assert_ended(batch.sagorder(*shlex.split(proposed[0])), ALL_PLACED, "in doubt")
        done = batch.sagorder(*shlex.split(proposed[1].replace(" --max-orders 3", "")))
        self.assert_ended(done, IN_DOUBT)
        self.assert_all_ordered_once(batch)
        self.assert_ended(batch.sagorder("check", "--", "-x.csv"), ALL_PLACED)

    def test_fifo(self):
        """Not read as a file: it could not be read a second time. `-` is there for pipes."""
        batch = self.quiet_batch(self.gateway())
        batch.input.unlink()
        os.mkfifo(batch.input)
        self.assert_ended(batch.run(timeout=10), INPUT, "orders.csv", "pipe")
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_set(self):
        batch = self.batch(
            self.gateway(), "--set", "Period=12", "--set", "RegionId=cn-hangzhou", rows=0
        )
        batch.input.write_text("UserCount\n5\n10\n")
        batch.rows = 2
        self.assert_ended(batch.run(), ALL_PLACED)
        executed = {(line["region_id"], line["period"]) for line in batch.gateway.executed()}
        self.assertEqual(executed, {("cn-hangzhou", 12)})
        self.assertEqual(batch.result(2)["Period"], "12")
        wanted = {"Period": "12", "RegionId": "cn-hangzhou"}
        self.assertEqual(batch.violations(set_columns=wanted), [])

    def test_set_of_a_column_that_is_there(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--set", "Period=12"), INPUT, "Period", "--set")
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_set_to_a_bad_value(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--set", "DataPlan=6"), INPUT, "DataPlan", "--set")

    def test_carry(self):
        notes = {"Note": lambda row: f'row "{row}", é\nnext'}
        batch = self.quiet_batch(self.gateway(), "--carry", "Note", columns=notes)
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assertEqual(batch.result(3)["Note"], 'row "3", é\nnext')
        self.assert_all_ordered_once(batch)

    def test_a_column_that_is_not_carried(self):
        batch = self.quiet_batch(self.gateway(), columns={"UserCuont": 1})
        done = batch.run()
        self.assert_ended(done, INPUT, "UserCuont", "did you mean UserCount?", "--carry")
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_from_a_spreadsheet(self):
        """A byte order mark, CRLF, quotes, line breaks inside of them, columns in another order."""
        batch = self.batch(self.gateway(), "--carry", "Note")
        batch.input.write_bytes(
            b"\xef\xbb\xbf\"Note\",UserCount,RegionId,AutoPay,Period\r\n"
            b'"two\r\nlines, and ""quotes""",5,cn-shanghai,TRUE,1\r\n'
            b",10,\"cn-hangzhou\",false,12\r\n"
            b"last,15,cn-shanghai,False,2"
        )
        batch.rows = 3
        self.assert_ended(batch.run(), ALL_PLACED)
        executed = {
            line["user_count"]: (line["region_id"], line["period"], line["auto_pay"])
            for line in batch.gateway.executed()
        }
        wanted = {5: ("cn-shanghai", 1, True), 10: ("cn-hangzhou", 12, False)}
        self.assertEqual(executed, {**wanted, 15: ("cn-shanghai", 2, False)})
        self.assertEqual(batch.violations(), [])
        self.assertEqual(batch.result(1)["Note"], 'two\r\nlines, and "quotes"')

    def test_input_by_another_path(self):
        """The batch is known by its content, not by how the file is named."""
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--max-orders", "2"), LIMIT)
        command = batch.command()
        command[2] = batch.input.name
        self.assert_ended(batch.sagorder(*command[1:]), ALL_PLACED)
        self.assert_all_ordered_once(batch)


class Results(CommandTest):
    """The forms of the results."""

    FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=cmd|"/c calc"!A1', "＝1", "plain")

    def carried(self, output):
        batch = self.batch(self.gateway(), "--carry", "Note", "--carry", "=head", output=output)
        notes = {"Note": lambda row: self.FORMULAS[row - 1], "=head": "x"}
        batch.write_orders(len(self.FORMULAS), columns={"UserCount": in_fives, **notes})
        self.assert_ended(batch.run(), ALL_PLACED)
        return batch

    def test_formulas_are_defused(self):
        batch = self.carried("results.csv")
        with open(batch.output, newline="", encoding="utf-8") as file:
            header, *lines = csv.reader(file)
        self.assertEqual(header[-1], "'=head")
        notes = {int(line[0]): line[-2] for line in lines}
        for row, formula in enumerate(self.FORMULAS, start=1):
            wanted = formula if formula == "plain" else "'" + formula
            self.assertEqual(notes[row], wanted)
        self.assertEqual(self.ordered_rows(batch), list(range(1, len(self.FORMULAS) + 1)))

    def test_json_lines(self):
        batch = self.carried("results.jsonl")
        lines = [json.loads(line) for line in batch.output.read_text("utf-8").splitlines()]
        self.assertEqual({line["Row"]: line["Note"] for line in lines}[1], "=1+1")
        for line in lines:
            self.assertEqual(line["Status"], "placed")
            self.assertIsInstance(line["OrderId"], str)
            self.assertIsInstance(line["Attempts"], int)
            self.assertEqual(line["HttpStatus"], 200)
        self.assertEqual(batch.violations(), [])

    def test_order_ids_keep_their_digits(self):
        """A number in the answer is text in the results, whatever its length."""
        for shape in ("number", "string"):
            with self.subTest(shape=shape):
                batch = self.quiet_batch(self.gateway("--order-id", shape))
                self.assert_ended(batch.run(), ALL_PLACED)
                self.assert_all_ordered_once(batch)

    def test_xml_of_the_older_signature(self):
        batch = self.quiet_batch(self.gateway(), "--signature", "hmac-sha1", "--http-method", "get")
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_identical_rows(self):
        """Each is an order of its own."""
        batch = self.batch(self.gateway())
        batch.write_orders(12, columns={"UserCount": 5})
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assertEqual(len(batch.gateway.executed()), 12)
        self.assertEqual(batch.violations(), [])

    def test_relative_paths(self):
        batch = self.quiet_batch(self.gateway())
        command = batch.command()
        command[2] = "orders.csv"
        command = replaced(command, output="results.csv", summary="summary.json")
        self.assert_ended(batch.sagorder(*command[1:]), ALL_PLACED)
        self.assert_all_ordered_once(batch)


class Finished(CommandTest):
    """A finished batch, given again: the same exit code, no connection, no credentials needed."""

    def assert_at_rest(self, code, faults=""):
        gateway = self.gateway(faults=faults)
        batch = self.quiet_batch(gateway, *ONE_BY_ONE)
        self.assert_ended(batch.run(), code)
        content = batch.output.read_bytes()
        executed = len(gateway.executed())
        gateway.stop()
        gateway.start()
        self.assert_ended(batch.run(), code)
        self.assert_nothing_reached(gateway, connections=0)
        for name in NO_KEYS:
            del batch.env[name]
        self.assert_ended(batch.run(), code)
        self.assert_ended(batch.sagorder(*without(batch.command(), "--yes")[1:]), code)
        self.assert_nothing_reached(gateway, connections=0)
        gateway.stop()
        self.assert_ended(batch.run(), code)
        self.assertEqual(batch.output.read_bytes(), content)
        self.assertEqual(len(gateway.executed()), executed)
        self.assertEqual(batch.violations(), [])

    def test_all_placed(self):
        self.assert_at_rest(ALL_PLACED)

    def test_some_rejected(self):
        self.assert_at_rest(SOME_REJECTED, "code:QuotaExceeded@2")

    def test_some_in_doubt(self):
        self.assert_at_rest(IN_DOUBT, "close-after@2,code:QuotaExceeded@4")

    def test_credentials_are_asked_for_while_something_is_left(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--max-orders", "2"), LIMIT)
        for name in NO_KEYS:
            del batch.env[name]
        self.assert_ended(batch.run(), CREDENTIALS, "no access key")
