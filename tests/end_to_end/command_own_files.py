"""What a plan, a summary and metrics may replace: their like, and nothing else."""

from command_cases import CommandTest
from harness import ALL_PLACED, LIMIT, UNWRITABLE, USAGE

ORDERS = "RegionId,Period,UserCount\ncn-shanghai,1,5\n"
LEFT = "it is left as it is"


class OwnFiles(CommandTest):
    """A mistyped name costs no file, least of all another batch's ledger."""

    def commands(self, batch, path):
        """Each option with a command that would write `path`."""
        endpoint = ("--endpoint", batch.gateway.endpoint, "--rate", "unlimited")
        run = [*batch.command()[1:]]
        at = run.index("--summary")
        bare = run[:at] + run[at + 2 :]
        return {
            "--plan": ("check", batch.input, *endpoint, "--plan", path),
            "--summary": (*bare, "--summary", path),
            "--metrics": (*bare, "--metrics", path),
        }

    def others(self, batch):
        """A file of each kind that is recognised, and one that is not: name to what it is."""
        first = self.quiet_batch(batch.gateway)
        self.assert_ended(first.run("--max-orders", "2"), LIMIT)
        ledger = first.ledger.read_bytes()
        files = {
            "other.ledger": (ledger, "a ledger"),
            "other.csv": (first.output.read_bytes(), "the results of a batch"),
            "more.csv": (ORDERS.encode(), "a file of orders"),
            "notes.txt": (b"precious\n", "or remove that one"),
        }
        for name, (content, _) in files.items():
            (batch.folder / name).write_bytes(content)
        return files

    def test_what_stands_there_is_left(self):
        batch = self.quiet_batch(self.gateway())
        for name, (content, words) in self.others(batch).items():
            path = batch.folder / name
            for option, command in self.commands(batch, path).items():
                with self.subTest(name=name, option=option):
                    done = batch.sagorder(*command)
                    self.assert_ended(done, USAGE, f"{option} {path}", LEFT, words)
                    self.assertEqual(path.read_bytes(), content)
        self.assertFalse(batch.ledger.exists())
        self.assertEqual(self.ordered_rows(batch), [1, 2], "those of the first batch")

    def test_each_is_no_other(self):
        batch = self.quiet_batch(self.gateway())
        paths = {name: batch.folder / name.strip("-") for name in self.commands(batch, "")}
        for option, path in paths.items():
            self.assert_ended(batch.sagorder(*self.commands(batch, path)[option]), ALL_PLACED)
        for option in paths:
            for kind, path in paths.items():
                before = path.read_bytes()
                done = batch.sagorder(*self.commands(batch, path)[option])
                with self.subTest(option=option, path=kind):
                    if option == kind:
                        self.assert_ended(done, ALL_PLACED)
                        continue
                    self.assert_ended(done, USAGE, LEFT, f"but a {kind.strip('-')}")
                    self.assertEqual(path.read_bytes(), before)

    def test_an_empty_file_is_replaced(self):
        batch = self.quiet_batch(self.gateway())
        for option in self.commands(batch, ""):
            path = batch.folder / ("empty" + option)
            path.touch()
            with self.subTest(option=option):
                done = batch.sagorder(*self.commands(batch, path)[option])
                self.assert_ended(done, ALL_PLACED)
                self.assertGreater(path.stat().st_size, 0)

    def test_a_directory_that_is_not_there(self):
        batch = self.quiet_batch(self.gateway())
        for option, command in self.commands(batch, "nodir/x").items():
            with self.subTest(option=option):
                done = batch.sagorder(*command)
                self.assert_ended(
                    done, UNWRITABLE, f"{option} nodir/x", "no directory nodir", "nothing was sent"
                )
        self.assertFalse(batch.ledger.exists())
        self.assert_nothing_reached(batch.gateway, connections=0)
