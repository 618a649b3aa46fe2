"""What the tests of refusals, of commands and of TLS share: how a run ended and what reached the
gateway, a program at a terminal, and a program that is still running.
"""

import os
import pathlib
import pty
import select
import subprocess
import tempfile
import termios
import time
import unittest

from harness import ALL_PLACED, Batch, Gateway


def said(done):
    """How a run ended and what it said, for messages."""
    return f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"


def wait_until(true, seconds=20):
    """Looks every 5 ms whether `true()`. @return whether it came true in time"""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class ProgramTest(unittest.TestCase):
    """Gateways, batches and directories that go with the test, and what is asserted of runs."""

    def gateway(self, *options, **named):
        return self.enterContext(Gateway(*options, **named))

    def batch(self, gateway, *options, **named):
        return self.enterContext(Batch(gateway, *options, **named))

    def folder(self):
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sagorder-")))

    def started(self, batch, *extra):
        """A run that goes on by itself; it has placed an order when this returns."""
        before = len(batch.gateway.executed())
        process = batch.start(*extra)
        self.addCleanup(end, process)
        reached = wait_until(lambda: len(batch.gateway.executed()) > before)
        self.assertTrue(reached, "the run placed nothing")
        return process

    def assert_ended(self, done, code, *words):
        """The exit code, and that each of `words` stands in what was said, whatever its case."""
        self.assertEqual(done.returncode, code, said(done))
        for word in words:
            self.assertIn(word.lower(), (done.stdout + done.stderr).lower(), said(done))

    def assert_nothing_reached(self, gateway, connections=None):
        """No request came since the gateway was started, which is done again here."""
        counts = gateway.counts()
        self.assertEqual(counts["requests"], 0, counts)
        self.assertEqual(counts["executed"], 0, counts)
        if connections is not None:
            self.assertEqual(counts["connections"], connections, counts)
        gateway.start()

    def assert_places_all(self, batch, *extra, code=ALL_PLACED):
        """The same command, now that nothing is in its way, has every row executed exactly once."""
        done = batch.run(*extra)
        self.assert_ended(done, code)
        self.assert_all_executed_once(batch)

    def assert_all_executed_once(self, batch):
        self.assertEqual(sorted(batch.executed_rows()), list(range(1, batch.rows + 1)))
        self.assertEqual(batch.violations(), [])

    def assert_mended(self, batch, mended, code, *words):
        """A refusal with `code` and `words` before any request; after `mended()` the same command
        places every row. @return the refused run"""
        refused = batch.run()
        self.assert_ended(refused, code, *words)
        self.assert_nothing_reached(batch.gateway)
        mended()
        self.assert_places_all(batch)
        return refused


def end(process):
    """Whatever became of it, it is gone after this."""
    if process.poll() is None:
        process.kill()
    process.wait()


def without(command, *options):
    """A command without these arguments."""
    return [argument for argument in command if argument not in options]


def replaced(command, **options):
    """A command whose options have other values: `progress="json"` changes --progress."""
    command = list(command)
    for name, value in options.items():
        command[command.index("--" + name.replace("_", "-")) + 1] = str(value)
    return command


def run_at_terminal(
    command, *, cwd, env, answer=None, prompt=b": ", columns=100, resize=None, timeout=30
):
    """Runs `command` with a terminal as its three streams. `answer` is typed once what is shown
    ends in `prompt`. `resize(shown)` may give the terminal another width (None: as it is).
    @return (exit code, everything it showed)"""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    try:
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=env
        )
        os.close(theirs)
        shown = b""
        deadline = time.monotonic() + timeout
        while True:
            if time.monotonic() > deadline:
                raise AssertionError(f"still running at the terminal: {shown!r}")
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:  # its last end was closed
                break
            if not piece:
                break
            shown += piece
            wider = resize(shown) if resize else None
            if wider is not None:
                termios.tcsetwinsize(ours, (24, wider))
            if answer is not None and shown.endswith(prompt):
                os.write(ours, answer.encode() + b"\n")
                answer = None
        return process.wait(timeout=timeout), shown.decode("utf-8", "replace")
    finally:
        end(process)
        os.close(ours)
