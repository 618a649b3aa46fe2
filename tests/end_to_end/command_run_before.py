"""`run` before its first order: that it speaks at once, how it is interrupted, and what a run that
is refused leaves. Nothing here is timed: whoever waits for a word goes on when it has come.
"""

import http.server
import json
import pathlib
import re
import select
import signal
import subprocess
import threading

from cases import end, replaced, run_at_terminal, wait_until, without
from command_cases import NO_KEYS, ONE_BY_ONE, CommandTest, Nowhere
from command_metrics import samples_of
from harness import ALL_PLACED, BUSY, CREDENTIALS, INPUT, INTERRUPTED, LIMIT, TIME_SCALE, USAGE

ASKING = "asking the credentials URI for a key"


class KeyServer:
    """A credentials URI that answers, with a refusal, once `may_answer()`. `asked` is set by its
    first request; `allowed` tells whether the answer was given because it might."""

    def __init__(self, may_answer):
        self.asked = threading.Event()
        self.allowed = None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.set()
                outer.allowed = wait_until(may_answer, 20 * TIME_SCALE)
                self.send_response(403)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *ignored):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *ignored):
        self.server.shutdown()
        self.server.server_close()

    @property
    def environment(self):
        port = self.server.server_address[1]
        return {"ALIBABA_CLOUD_CREDENTIALS_URI": f"http://127.0.0.1:{port}/key"}


class BeforeTest(CommandTest):
    def idle_batch(self):
        """Of a gateway that is not there, without a key of its own."""
        batch = self.quiet_batch(Nowhere())
        for name in NO_KEYS:
            del batch.env[name]
        return batch

    def command(self, batch):
        """`run` without trust anchors of a gateway that is not there."""
        return without(batch.command(), "--ca-file", str(Nowhere.ca))

    def assert_says(self, batch, words):
        self.assertTrue(
            wait_until(lambda: words in batch.log.read_text(), 20 * TIME_SCALE),
            batch.log.read_text(),
        )


class FirstWord(BeforeTest):
    def test_before_a_key_comes(self):
        """The server that is asked sees the word before it answers."""
        doctor = ["doctor", "--region", "cn-shanghai", "--endpoint", Nowhere.endpoint]
        for command in (None, doctor):
            with self.subTest(command=command):
                batch = self.idle_batch()
                with KeyServer(lambda: ASKING in batch.log.read_text()) as server:
                    given = [batch.program, *command] if command else self.command(batch)
                    process = batch.start_any(given, env=server.environment)
                    self.assertEqual(process.wait(timeout=60 * TIME_SCALE), CREDENTIALS)
                self.assertTrue(server.allowed, batch.log.read_text())

    def test_before_standard_input_comes(self):
        """Not a byte of it is given before the word."""
        batch = self.quiet_batch(self.gateway())
        orders = batch.input.read_bytes()
        run = ["-" if each == str(batch.input) else each for each in batch.command()]
        for command in (replaced(run, progress="plain"), [batch.program, "check", "-"]):
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=batch.env,
                cwd=batch.folder,
            )
            self.addCleanup(end, process)
            self.assertTrue(select.select([process.stderr], [], [], 20 * TIME_SCALE)[0])
            self.assertIn(b"reading standard input", process.stderr.readline())
            process.communicate(orders, timeout=60 * TIME_SCALE)
            self.assertEqual(process.returncode, ALL_PLACED)

    def test_of_a_large_file_at_a_terminal(self):
        batch = self.batch(Nowhere())
        row = "cn-shanghai,1,5,false\n"
        batch.input.write_text("RegionId,Period,UserCount,AutoPay\n" + row * 500_000)
        code, shown = run_at_terminal(
            [batch.program, "check", str(batch.input)],
            cwd=batch.folder,
            env={**batch.env, "TERM": "xterm"},
            timeout=60 * TIME_SCALE,
        )
        self.assertEqual(code, ALL_PLACED, shown)
        self.assertRegex(shown, r"\r\x1b\[Kreading \S+/orders.csv: \d+ %")
        after = shown.rpartition("\x1b[K")[2]
        self.assertIn("500000 rows, 0 invalid", after)
        self.assertNotIn("reading", after)


class Interrupted(BeforeTest):
    """Exit code 130, one line, and nothing left that was not there."""

    def assert_interrupted(self, batch, process, how=signal.SIGTERM):
        process.send_signal(how)
        self.assertEqual(process.wait(timeout=30 * TIME_SCALE), INTERRUPTED)
        said = batch.log.read_text().splitlines()[-1]
        self.assertIn("error: interrupted before the first order; nothing was sent", said)

    def test_while_a_key_is_fetched(self):
        for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(how=how):
                batch = self.idle_batch()
                over = threading.Event()
                with KeyServer(over.is_set) as server:
                    process = batch.start_any(self.command(batch), env=server.environment)
                    self.assertTrue(server.asked.wait(20 * TIME_SCALE))
                    process.send_signal(signal.SIGUSR1)
                    self.assert_says(batch, ASKING + "; this run has sent nothing so far")
                    self.assert_interrupted(batch, process, how)
                    over.set()
                self.assertFalse(batch.output.exists(), "empty results")
                self.assertFalse(batch.ledger.exists())
                self.assertEqual(batch.summary()["exit_code"], INTERRUPTED)

    def test_results_that_were_there_stay(self):
        batch = self.idle_batch()
        batch.output.write_text("")
        over = threading.Event()
        with KeyServer(over.is_set) as server:
            process = batch.start_any(self.command(batch), env=server.environment)
            self.assertTrue(server.asked.wait(20 * TIME_SCALE))
            self.assert_interrupted(batch, process)
            over.set()
        self.assertTrue(batch.output.exists())

    def test_while_it_waits_for_another_run(self):
        batch = self.quiet_batch(self.gateway(latency="400ms"), *ONE_BY_ONE, rows=20)
        first = self.started(batch)
        second = batch.start("--wait-lock", "60s")
        self.assert_says(batch, "; waiting for it to end")
        second.send_signal(signal.SIGUSR1)
        self.assert_says(batch, "waiting for another run of this batch to end; this run has sent")
        self.assert_interrupted(batch, second)
        self.assertIsNone(first.poll())
        self.assertTrue(batch.output.exists(), "the other run's")

    def test_while_it_reads_standard_input(self):
        batch = self.quiet_batch(self.gateway())
        command = ["-" if each == str(batch.input) else each for each in batch.command()]
        with open(batch.log, "wb") as log:
            process = subprocess.Popen(
                replaced(command, progress="plain"),
                stdin=subprocess.PIPE,
                stderr=log,
                env=batch.env,
                cwd=batch.folder,
            )
        self.addCleanup(process.stdin.close)
        self.addCleanup(end, process)
        self.assert_says(batch, "reading standard input")
        process.send_signal(signal.SIGUSR1)
        self.assert_says(batch, "reading standard input; this run has sent nothing so far")
        self.assert_interrupted(batch, process)
        self.assert_nothing_reached(batch.gateway, connections=0)

    def test_at_the_question(self):
        """Ctrl-C there is an answer; a SIGTERM is none."""
        batch = self.quiet_batch(self.gateway())
        pid = batch.folder / "pid"
        told = []

        def terminate(shown):
            if not told and shown.endswith(b": "):
                told.append(subprocess.run(["kill", pid.read_text().strip()], check=True))

        command = without(batch.command(), "--yes")
        code, shown = run_at_terminal(
            ["sh", "-c", f'echo $$ > "{pid}"; exec "$@"', "sh", *command],
            cwd=batch.folder,
            env=batch.env,
            resize=terminate,
        )
        self.assertEqual(code, INTERRUPTED, shown)
        self.assertIn("interrupted before the first order", shown)
        self.assertFalse(batch.output.exists(), "empty results")

    def test_what_is_taken_back_is_told_in_words(self):
        gateway = self.gateway(latency="1500ms")
        batch = self.quiet_batch(gateway, "--connections", "1", "--max-in-flight", "4")
        process = batch.start()
        intended = wait_until(lambda: len(batch.ledger_records(live=True)) == 2)
        self.assertTrue(intended, batch.log.read_text())
        process.terminate()
        self.assertEqual(process.wait(timeout=30 * TIME_SCALE), LIMIT)
        self.assertIn("\ntaken back before a byte was sent: 1 ", batch.log.read_text())
        self.assertNotIn("NotSent", batch.log.read_text())
        self.assertEqual(batch.violations(finished=False), [])


class Refused(BeforeTest):
    """Whoever watches a summary or metrics sees that a run was refused."""

    FILES = ("--metrics", "m.prom")

    def begun(self):
        """A batch with a run behind it, whose files are there."""
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--max-orders", "2", *self.FILES), LIMIT)
        return batch

    def assert_told(self, batch, done, code, words):
        self.assert_ended(done, code, words)
        summary = batch.summary()
        self.assertEqual((summary["exit_code"], summary["stop"]), (code, "refused"))
        self.assertIn(words, summary["stop_detail"])
        self.assertEqual(summary["run"]["requests"], 0)
        found = samples_of((batch.folder / "m.prom").read_text())
        self.assertEqual(found["sagorder_run_exit_code"], code)
        self.assertEqual(found["sagorder_run_refused"], 1)
        self.assertEqual(found["sagorder_requests_total"], 0)

    def test_for_each_reason(self):
        batch = self.begun()
        no_key = batch.run(*self.FILES, env={name: "" for name in NO_KEYS})
        self.assert_told(batch, no_key, CREDENTIALS, "no access key")
        self.assertEqual(batch.summary()["run_id"], re.search(r"run=(\w{8})", no_key.stderr)[1])
        self.assert_told(batch, batch.run(*self.FILES, "--rate", "x"), USAGE, "--rate")
        batch.input.write_text(batch.input.read_text() + "cn-shanghai,1,5,false\n")
        self.assert_told(batch, batch.run(*self.FILES), INPUT, "is not what")
        batch.input.unlink()
        self.assert_told(batch, batch.run(*self.FILES), INPUT, "orders.csv")

    def test_a_first_run_that_is_refused(self):
        batch = self.quiet_batch(self.gateway(), columns={"Period": 13})
        self.assert_told(batch, batch.run(*self.FILES), INPUT, "errors; nothing was sent")
        self.assertFalse(batch.output.exists())

    def test_not_beside_a_run_that_is_alive(self):
        batch = self.quiet_batch(self.gateway(latency="400ms"), *ONE_BY_ONE, rows=20)
        self.started(batch, *self.FILES)
        metrics = pathlib.Path(batch.folder, "m.prom")
        for code, extra in ((BUSY, ()), (USAGE, ("--rate", "x")), (USAGE, ("--burst", "0"))):
            self.assert_ended(batch.run(*self.FILES, *extra), code)
            self.assertEqual(samples_of(metrics.read_text())["sagorder_run_over"], 0)
            self.assertFalse(batch.summary_path.exists())

    def test_not_in_the_place_of_another_file(self):
        batch = self.quiet_batch(self.gateway())
        orders = batch.input.read_bytes()
        same = replaced(batch.command(), summary=batch.input)
        for command in (same, batch.command("--metrics", batch.input)):
            self.assert_ended(batch.sagorder(*command[1:]), USAGE, "same file")
            self.assertEqual(batch.input.read_bytes(), orders)
        other = batch.folder / "note.txt"
        other.write_text("mine")
        self.assert_ended(batch.run("--metrics", other), USAGE, "left as it is")
        self.assertEqual(other.read_text(), "mine")
        self.assertEqual(json.loads(batch.summary_path.read_text())["exit_code"], USAGE)

    def test_not_by_a_dry_run(self):
        batch = self.begun()
        before = batch.summary_path.read_bytes()
        batch.input.unlink()
        self.assert_ended(batch.run("--dry-run"), INPUT)
        self.assertEqual(batch.summary_path.read_bytes(), before)
