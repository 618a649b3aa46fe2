"""`run` before its first order: that it speaks at once. Nothing here is timed: whoever waits for a
word goes on when it has come.
"""

import http.server
import subprocess
import threading

from cases import end, replaced, run_at_terminal, wait_until, without
from command_cases import NO_KEYS, CommandTest, Nowhere
from harness import ALL_PLACED, CREDENTIALS, TIME_SCALE

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
