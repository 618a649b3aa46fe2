"""What the tests of the commands share: batches whose rows draw no warnings."""

import pathlib

from cases import ProgramTest

ROWS = 6
ONE_BY_ONE = ("--connections", "1", "--max-in-flight", "1")
NO_KEYS = {"ALIBABA_CLOUD_ACCESS_KEY_ID": None, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None}


def in_fives(row):
    """A UserCount that nobody warns of, by which the row is known all the same."""
    return 5 * row


class CommandTest(ProgramTest):
    """A batch whose rows draw no warnings."""

    def quiet_batch(self, gateway, *options, rows=ROWS, columns=None, **named):
        batch = self.batch(gateway, *options, **named)
        batch.write_orders(rows, columns={"UserCount": in_fives, **(columns or {})})
        return batch

    def ordered_rows(self, batch):
        return sorted(seats // 5 for seats in batch.executed_rows())

    def assert_all_ordered_once(self, batch):
        self.assertEqual(self.ordered_rows(batch), list(range(1, batch.rows + 1)))
        self.assertEqual(batch.violations(), [])

    def assert_no_files(self, batch):
        self.assertFalse(batch.output.exists(), "results were made")
        self.assertFalse(batch.ledger.exists(), "a ledger was made")
        self.assertFalse((batch.folder / "state").exists(), "the batch is remembered")


class Nowhere:
    """In a gateway's place for commands that need none."""

    endpoint = "https://127.0.0.1:1"
    ca = pathlib.Path("/nonexistent")
    executed_path = pathlib.Path("/nonexistent")


def files_of(batch):
    """Name to content and time of change of all that lies in the batch's directory."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in batch.folder.rglob("*")
        if path.is_file()
    }
