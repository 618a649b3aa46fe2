"""Where links and crashes would carry what is written.

A symbolic link in the place of a file that the program writes is refused, and what it points to is
not touched. A crash leaves no core: the memory holds a key.
"""

import contextlib
import os
import pathlib
import resource
import signal
import subprocess
import sys

from cases import ProgramTest, end, said, wait_until
from harness import ALL_PLACED, UNWRITABLE

ROWS = 4
ONE_BY_ONE = ("--connections", "1", "--max-in-flight", "1")
PRECIOUS = b"precious\n"


class Links(ProgramTest):
    """Results and ledger themselves: failures_of_files.Output."""

    def linked(self, path, target, *options):
        """A link is in the way: exit 74, nothing sent; without it the same command places all."""
        batch = self.batch(self.gateway(), *options, rows=ROWS)
        elsewhere = self.folder()
        target = elsewhere / target
        if target.name == "file":
            target.write_bytes(PRECIOUS)
        elif target.name == "directory":
            target.mkdir()
        link = batch.folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        before = sorted(elsewhere.rglob("*"))
        self.assert_mended(batch, link.unlink, UNWRITABLE, link.name, "symbolic link")
        self.assertEqual(sorted(elsewhere.rglob("*")), before, "made where the link points")
        if target.name == "file":
            self.assertEqual(target.read_bytes(), PRECIOUS)

    def test_beside_the_ledger(self):
        for end in ("-wal", "-shm", "-journal"):
            for target in ("file", "nothing"):
                with self.subTest(end=end, target=target):
                    self.linked("results.csv.ledger" + end, target)

    def test_of_the_summary(self):
        for target in ("file", "nothing"):
            with self.subTest(target=target):
                self.linked("summary.json", target)

    def test_of_the_state(self):
        for path in ("state/sagorder", "state/sagorder/batches"):
            for target in ("directory", "nothing"):
                with self.subTest(path=path, target=target):
                    self.linked(path, target)

    def test_of_results_that_point_nowhere(self):
        for path in ("results.csv", "results.csv.ledger"):
            with self.subTest(path=path):
                self.linked(path, "nothing")

    def test_of_a_home_is_no_matter(self):
        """The control: the directories above are the user's to arrange."""
        batch = self.batch(self.gateway(), rows=ROWS)
        (batch.folder / "state").symlink_to(self.folder())
        self.assert_places_all(batch)
        self.assertTrue((batch.folder / "state" / "sagorder" / "batches").is_dir())

    def test_of_a_rewrite(self):
        """`resolve` makes the results anew, and not over a link that came meanwhile."""
        batch = self.batch(self.gateway(faults="close-after@2"), *ONE_BY_ONE, rows=ROWS)
        batch.run()
        target = self.folder() / "file"
        batch.output.rename(target)
        batch.output.symlink_to(target)
        before = target.read_bytes()
        done = batch.sagorder("resolve", batch.output, "--row", "2", "--placed", "1")
        self.assert_ended(done, UNWRITABLE, "symbolic link")
        self.assertEqual(target.read_bytes(), before)


# A sanitizer would make an end of its own out of these signals.
UNHANDLED = ":".join(f"handle_{name}=0" for name in ("segv", "abort", "sigbus", "sigill"))


def allow_core():
    """In a child, before it becomes the program: a core as large as it may be."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class Crash(ProgramTest):
    SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT)

    def test_leaves_no_core(self):
        control = self.folder()
        code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
        process = subprocess.Popen([sys.executable, "-c", code], cwd=control, preexec_fn=allow_core)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -signal.SIGSEGV
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
        print(f"core_pattern {pattern!r}; another program dumps core: {os.WCOREDUMP(status)}")
        for number in self.SIGNALS:
            with self.subTest(signal=number.name):
                self.crash(number)

    def crash(self, number):
        batch = self.batch(self.gateway(latency="50ms"), rows=200)
        with open(batch.log, "ab") as log:
            process = subprocess.Popen(
                batch.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=batch.folder,
                env={**batch.env, "ASAN_OPTIONS": UNHANDLED, "TSAN_OPTIONS": UNHANDLED},
                preexec_fn=allow_core,
            )
        self.addCleanup(end, process)
        self.assertTrue(wait_until(lambda: batch.gateway.executed()))
        before = set(batch.folder.rglob("*"))
        process.send_signal(number)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -number
        self.assertTrue(os.WIFSIGNALED(status))
        self.assertEqual(os.WTERMSIG(status), number)
        self.assertFalse(os.WCOREDUMP(status), "a core was dumped")
        made = {path.name for path in set(batch.folder.rglob("*")) - before}
        self.assertEqual({name for name in made if "core" in name}, set())
        # What a crash leaves behind is whole, and the rest can be placed.
        done = batch.run("--max-doubts", "1000")
        self.assertEqual(batch.violations(), [], said(done))


class Modes(ProgramTest):
    """What failures_of_credentials.Secrecy.test_modes does not make: a crash's rest, a rewrite."""

    def test_of_what_resolve_writes_anew(self):
        batch = self.batch(self.gateway(faults="close-after@2"), *ONE_BY_ONE, rows=ROWS)
        batch.run()
        batch.output.chmod(0o644)
        open_mask = {"preexec_fn": lambda: os.umask(0)}
        done = batch.sagorder("resolve", batch.output, "--row", "2", "--placed", "1", **open_mask)
        self.assert_ended(done, ALL_PLACED)
        self.assertEqual(batch.output.stat().st_mode & 0o777, 0o600)

    def test_of_what_a_kill_leaves(self):
        batch = self.batch(self.gateway(latency="30ms"), rows=100)
        process = subprocess.Popen(
            batch.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=batch.folder,
            env=batch.env,
            preexec_fn=lambda: os.umask(0),
        )
        self.addCleanup(end, process)
        self.assertTrue(wait_until(lambda: len(batch.gateway.executed()) > 5))
        process.kill()
        process.wait()
        ours = [*batch.folder.glob("results.csv*"), *batch.folder.glob("state/sagorder/**/*")]
        self.assertGreaterEqual(len(ours), 5, ours)
        for path in ours:
            wanted = 0o700 if path.is_dir() else 0o600
            with contextlib.suppress(FileNotFoundError):
                self.assertEqual(path.stat().st_mode & 0o777, wanted, path)
