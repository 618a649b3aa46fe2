"""Completion as a person meets it: an interactive shell on a terminal of its own, and Tab."""

import os
import pathlib
import pty
import select
import shutil
import tempfile
import time
import unittest

from built import PAGES, SAGORDER, run

PATIENCE_S = 20
OPTIONS_CON = {"--config", "--connections", "--connect-timeout"}
COMMANDS = {
    *("run", "check", "status", "resolve", "report", "rows", "reconcile", "doctor", "config"),
    *("results", "help"),
}


class Terminal:
    """A shell on a pseudo terminal; `ask` types and reads up to a mark."""

    def __init__(self, folder, *command):
        self.folder = folder
        self.child, self.end = pty.fork()
        if self.child == 0:
            os.chdir(folder)
            environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": folder, "PS1": "$ "}
            os.execvpe(command[0], command, environment)

    def close(self):
        os.close(self.end)
        os.waitpid(self.child, 0)

    def type(self, text):
        os.write(self.end, text.encode())

    def read_until(self, mark):
        text = ""
        deadline = time.monotonic() + PATIENCE_S
        while mark not in text:
            if not select.select([self.end], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"{mark!r} did not come; there is {text!r}")
            text += os.read(self.end, 65536).decode(errors="replace")
        return text


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sagorder-completion-")
        self.addCleanup(shutil.rmtree, self.folder)
        pathlib.Path(self.folder, "orders.csv").touch()
        pathlib.Path(self.folder, "two words.csv").touch()
        pathlib.Path(self.folder, "archive").mkdir()


class Bash(WithFolder):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self.folder, "bash", "--norc", "--noprofile", "-i")
        self.addCleanup(self.terminal.close)
        # Alt-* inserts every candidate; Ctrl-X Ctrl-P prints the line as it then stands.
        self.terminal.type(
            f". {PAGES}/bash/sagorder\n"
            "bind 'set enable-bracketed-paste off'\n"
            'bind -x \'"\\C-x\\C-p": printf "{{%s}}" "$READLINE_LINE"\'\n'
            "printf 're%s\\n' ady\n"
        )
        self.terminal.read_until("ready")

    def completed(self, line):
        """The words that stand in the place of the last one."""
        self.terminal.type(line + "\x1b*\x18\x10")
        text = self.terminal.read_until("}}").replace("\r", "").replace("\n", "")
        text = text[text.rindex("{{") + 2 :].split("}}")[0]
        self.terminal.type("\x15")  # an empty line for the next one
        kept = line.rpartition(" ")[0]
        self.assertTrue(text.startswith(kept), text)
        return set(text[len(kept) :].split())

    def test_syntax(self):
        checked = run("bash", "-n", PAGES / "bash" / "sagorder")
        self.assertEqual((checked.stderr, checked.returncode), ("", 0))

    def test_options(self):
        self.assertEqual(self.completed("sagorder run --con"), OPTIONS_CON)
        self.assertEqual(self.completed("sagorder run orders.csv --max-d"), {"--max-doubts"})
        self.assertEqual(self.completed("sagorder check --conn"), {"--conn"}, "an option of run")

    def test_commands(self):
        self.assertLessEqual(COMMANDS, self.completed("sagorder "))
        self.assertEqual(self.completed("sagorder chec"), {"check"})
        self.assertLessEqual(COMMANDS, self.completed("sagorder help "))

    def test_values_of_closed_sets(self):
        self.assertEqual(self.completed("sagorder run --replay "), {"never", "same-bytes"})
        self.assertEqual(self.completed("sagorder run --log-format=j"), {"--log-format=json"})
        self.assertEqual(self.completed("sagorder run --rate "), set(), "nothing to offer")

    def test_files(self):
        self.assertEqual(self.completed("sagorder run ord"), {"orders.csv"})
        self.assertEqual(self.completed("sagorder run orders.csv --output arch"), {"archive"})
        self.assertEqual(self.completed("sagorder run tw"), {"two\\", "words.csv"}, "quoted")
        self.assertEqual(self.completed("sagorder status ord"), {"orders.csv"})


class Zsh(WithFolder):
    def offered(self, line):
        terminal = Terminal(self.folder, "zsh", "-f", "-i")
        self.addCleanup(terminal.close)
        terminal.type(
            f"fpath=({PAGES}/zsh $fpath); autoload -Uz compinit; compinit -u -D\n"
            "setopt no_beep; PROMPT=; print re''ady\n"
        )
        terminal.read_until("ready\r\n")
        # What Tab lists stands between the line and the mark, which a widget prints.
        terminal.type("mark() { print -n 'MA''RK' }; zle -N mark; bindkey '^P' mark; print go''on\n")
        terminal.read_until("goon\r\n")
        terminal.type(line + "\t\t\x10")
        return terminal.read_until("MARK")

    def test_syntax(self):
        checked = run("zsh", "-n", PAGES / "zsh" / "_sagorder")
        self.assertEqual((checked.stderr, checked.returncode), ("", 0))

    def test_options(self):
        listed = self.offered("sagorder run --con")
        for option in OPTIONS_CON:
            self.assertIn(option, listed)
        self.assertNotIn("--burst", listed)

    def test_values_and_files(self):
        listed = self.offered("sagorder run --replay=")
        self.assertIn("same-bytes", listed)
        self.assertIn("orders.csv", self.offered("sagorder run ord"))

    def test_commands(self):
        listed = self.offered("sagorder ")
        for command in COMMANDS:
            self.assertIn(command, listed)


class Fish(WithFolder):
    def offered(self, line):
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "TERM": "dumb"}
        done = run(
            *("fish", "--no-config", "-c", f"source {PAGES}/fish/sagorder.fish; complete -C $argv"),
            *("--", line),
            cwd=self.folder,
            env=environment,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return {each.split("\t")[0] for each in done.stdout.splitlines()}

    def test_syntax(self):
        checked = run("fish", "--no-config", "-n", PAGES / "fish" / "sagorder.fish")
        self.assertEqual((checked.stderr, checked.returncode), ("", 0))

    def test_options(self):
        self.assertEqual(self.offered("sagorder run --con"), OPTIONS_CON)

    def test_commands_values_and_files(self):
        self.assertLessEqual(COMMANDS, self.offered("sagorder "))
        self.assertEqual(self.offered("sagorder run --replay "), {"never", "same-bytes"})
        self.assertEqual(self.offered("sagorder run ord"), {"orders.csv"})
        self.assertNotIn("orders.csv", self.offered("sagorder run --rate "))


class Scripts(unittest.TestCase):
    def test_what_is_installed_is_what_the_program_prints(self):
        for shell, name in (("bash", "sagorder"), ("zsh", "_sagorder"), ("fish", "sagorder.fish")):
            printed = run(SAGORDER, "help", "--as", shell).stdout
            self.assertEqual((PAGES / shell / name).read_text(), printed)


if __name__ == "__main__":
    unittest.main()
