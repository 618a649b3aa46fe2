"""Settings in files and variables, as a user lays them: what counts, and what is refused."""

import json
import pathlib
import re

from command_cases import CommandTest, Nowhere
from harness import ALL_PLACED, LIMIT, REPOSITORY, USAGE

# Where a script or a program of the house asks for a variable of its own.
ASKED = re.compile(r"""(?:getenv\(|environ(?:\.get\(|\[)|\$\{?)["']?(SAGORDER_[A-Z_]+)""")


class Config(CommandTest):
    def nowhere(self):
        batch = self.quiet_batch(Nowhere())
        batch.project = batch.folder / "sagorder.toml"
        batch.user = batch.folder / "home/.config/sagorder/config.toml"
        batch.user.parent.mkdir(parents=True)
        return batch

    def shown(self, batch, *flags, env=None):
        """Name to what `config show --json` says of it."""
        done = batch.sagorder("config", "show", "--json", *flags, env=env)
        self.assert_ended(done, ALL_PLACED)
        return {each["name"]: each for each in json.loads(done.stdout)["settings"]}

    def test_layers(self):
        batch = self.nowhere()
        batch.user.write_text("max-orders = 5\nconnections = 2\n")
        batch.project.write_text('\nmax-orders = 6\nrate = "7/s"\n')
        shown = self.shown(batch, "--threads", "2", env={"SAGORDER_RATE": "8/s"})
        names = ("max-orders", "connections", "rate", "threads", "max-seats")
        self.assertEqual(
            {
                name: tuple(shown[name][what] for what in ("value", "from", "where"))
                for name in names
            },
            {
                "max-orders": (6, "project", "sagorder.toml:2:14"),
                "connections": (2, "user", f"{batch.user}:2:15"),
                "rate": ("8/s", "variable", "SAGORDER_RATE"),
                "threads": (2, "flag", "--threads"),
                "max-seats": (None, "default", None),
            },
        )
        self.assertEqual(
            shown["max-orders"]["overrides"],
            [{"from": "user", "where": f"{batch.user}:1:14", "value": "5"}],
        )

    def test_what_is_wrong_is_an_error_for_every_command(self):
        batch = self.nowhere()
        commands = (
            *(["status", "r.csv"], ["report", "r.csv", "-o", "r.html"]),
            *(["rows", "r.csv", "--status", "rejected"], ["reconcile", "r.csv"]),
            ["resolve", "r.csv", "--row", "1", "--placed", "1"],
            *(["check", "o.csv"], ["run", "o.csv", "--output", "r.csv", "--rate", "5"]),
        )
        for text, words in (
            ("rat = 1\n", "sagorder.toml:1:1: unknown setting: rat"),
            ('[run]\nrate = "fast"\n', "sagorder.toml:2:8: --rate fast: must be"),
        ):
            batch.project.write_text(text)
            for command in commands:
                with self.subTest(command=command, text=text):
                    self.assert_ended(batch.sagorder(*command), USAGE, words)
        batch.project.unlink()
        for command in commands:
            done = batch.sagorder(*command, env={"SAGORDER_RATE": "fast"})
            self.assert_ended(done, USAGE, "SAGORDER_RATE: --rate fast: must be")
            if command[0] in ("status", "rows", "check"):  # the others want --signature with it
                right = batch.sagorder(*command, env={"SAGORDER_HTTP_METHOD": "get"})
                self.assertNotIn("SAGORDER_HTTP_METHOD", right.stderr)

    def test_all_that_is_wrong_at_once(self):
        batch = self.nowhere()
        batch.project.write_text('rate = "fast"\nburst = 0\nproxy = "x"\nregion = ["x/y"]\n')
        done = batch.sagorder("status", "r.csv")
        for place in ("1:8: --rate fast", "2:9: --burst 0", "3:9: --proxy x", "4:10: --region x/y"):
            self.assertIn(f"sagorder.toml:{place}", done.stderr)

    def test_a_run_takes_them_and_says_so(self):
        batch = self.quiet_batch(self.gateway())
        (batch.folder / "sagorder.toml").write_text("max-orders = 2\n[run]\nmax-doubts = 7\n")
        self.assert_ended(
            batch.run(), LIMIT, "settings from sagorder.toml (max-orders, max-doubts)"
        )
        self.assertEqual(self.ordered_rows(batch), [1, 2])
        done = batch.run("--max-orders", "3")
        self.assert_ended(
            done, LIMIT, "max-orders of sagorder.toml:1:14 is overridden by --max-orders"
        )
        self.assertEqual(self.ordered_rows(batch), [1, 2, 3, 4, 5])
        done = batch.run("--no-config")
        self.assert_ended(done, ALL_PLACED)
        self.assertNotIn("settings from", done.stderr)
        self.assert_all_ordered_once(batch)

    def test_the_form_of_the_log_too(self):
        batch = self.quiet_batch(self.gateway())
        (batch.folder / "sagorder.toml").write_text('log-format = "json"\n')
        done = batch.run()
        self.assert_ended(done, ALL_PLACED)
        for line in done.stderr.splitlines():
            self.assertIn("message", json.loads(line))
        done = batch.sagorder("run", "nowhere.csv", "--output", "other.csv", "--yes")
        self.assertEqual(json.loads(done.stderr.splitlines()[-1])["level"], "error", done.stderr)

    def test_nothing_is_agreed_to_in_advance(self):
        batch = self.nowhere()
        batch.project.write_text("yes = true\n")
        self.assert_ended(batch.run(), USAGE, "sagorder.toml:1:1", "yes cannot be set", "--yes")
        batch.project.unlink()
        self.assert_ended(batch.run(env={"SAGORDER_AGAIN": "true"}), USAGE, "SAGORDER_AGAIN")
        self.assert_no_files(batch)

    def test_mistakes_are_told_where_they_stand(self):
        batch = self.nowhere()
        for text, words in (
            ("max-order = 5\n", ("sagorder.toml:1:1", "did you mean max-orders?")),
            ("\nrate = 10\n", ("sagorder.toml:2:8", "an integer", '"10/s"')),
            ("max-orders = 0\n", ("sagorder.toml:1:14", "--max-orders 0: must be")),
            ("access-key-secret = 'abc123'\n", ("sagorder.toml:1:1", "secrets are never")),
        ):
            batch.project.write_text(text)
            done = batch.run()
            self.assert_ended(done, USAGE, *words)
            self.assertNotIn("abc123", done.stderr)
        batch.project.unlink()
        done = batch.run(env={"SAGORDER_MAX_ORDRES": "5"})
        self.assert_ended(done, USAGE, "did you mean SAGORDER_MAX_ORDERS?")
        self.assert_no_files(batch)

    def test_a_file_that_others_may_write(self):
        batch = self.nowhere()
        batch.project.write_text("strict = true\n")
        batch.project.chmod(0o664)
        self.assert_ended(batch.run(), USAGE, "others may write it", "chmod go-w sagorder.toml")
        self.assert_ended(batch.sagorder("check", batch.input, "--no-config"), ALL_PLACED)

    def test_the_example_is_a_file_that_is_taken(self):
        """As it is, and with every setting in force: it shows the defaults, and changes none."""
        batch = self.nowhere()
        for command in ("run", "check", "doctor", "reconcile"):
            before = self.shown(batch, "--for", command)
            done = batch.sagorder("config", "example", "--for", command)
            self.assert_ended(done, ALL_PLACED)
            for text in (done.stdout, re.sub(r"(?m)^#(?=[a-z])", "", done.stdout)):
                batch.project.write_text(text)
                shown = self.shown(batch, "--for", command)
                self.assertEqual(shown.keys(), before.keys())
                for name, each in shown.items():
                    if before[name]["value"] is not None:
                        self.assertEqual(each["value"], before[name]["value"], name)
            self.assertNotIn("default", {each["from"] for each in shown.values()})
            batch.project.unlink()

    def test_the_house_s_own_variables_are_no_settings(self):
        """Whoever has built and tested in this shell can run the program in it."""
        files = [
            path
            for room in ("tests", "bench", "samples", "io")
            for path in pathlib.Path(REPOSITORY, room).rglob("*")
            if "__pycache__" not in path.parts
        ]
        asked = set()
        for path in files:
            if path.is_file() and "corpus" not in path.parts:
                asked |= set(ASKED.findall(path.read_text(encoding="utf-8", errors="replace")))
        self.assertLessEqual({"SAGORDER_BUILD", "SAGORDER_SEED", "SAGORDER_KILL_AT"}, asked)
        asked.remove("SAGORDER_KILL_AT")  # the program with kill points alone may know of it
        batch = self.nowhere()
        self.assertEqual(self.shown(batch, env=dict.fromkeys(asked, "1")), self.shown(batch))
