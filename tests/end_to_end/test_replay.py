"""The identical bytes sent once more: what --replay same-bytes may do, and what it must not."""

import unittest

from fault_cases import ONE_AT_A_TIME, ROWS, SEED, STRUCK, FaultsTest, doubt, placed
from harness import ALL_PLACED, IN_DOUBT


def setUpModule():
    print(f"seed {SEED}")


class ReplayTest(FaultsTest):
    """--replay same-bytes: an OrderId ends the doubt, and the nonce keeps it from being two."""

    def replayed(self, faults, **more):
        batch = self.batch(faults, *ONE_AT_A_TIME, "--replay", "same-bytes", **more)
        done = self.run_once(batch)
        return batch, done

    def kinds_of(self, batch, row):
        return [record.kind for record in batch.ledger_records() if record.row == row]

    def test_lost_request_is_placed(self):
        for fault in ("close-before", "reset-before", "never-before"):
            with self.subTest(fault=fault):
                batch, done = self.replayed(f"{fault}@{STRUCK}")
                self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
                kinds = self.kinds_of(batch, STRUCK)
                self.assertEqual(kinds, ["intent", "in_doubt", "replay", "placed"])
                self.expect_line(batch, STRUCK, placed())
                self.assertEqual(batch.violations(), [])

    def test_lost_answer_stays_in_doubt(self):
        for fault in ("close-after", "reset-after", "never-after"):
            with self.subTest(fault=fault):
                batch, done = self.replayed(f"{fault}@{STRUCK}")
                self.assertEqual(done.returncode, IN_DOUBT, done.stderr)
                kinds = self.kinds_of(batch, STRUCK)
                self.assertEqual(kinds, ["intent", "in_doubt", "replay", "in_doubt"])
                self.assertEqual(batch.executed_rows().count(STRUCK), 1)
                self.assertEqual(batch.gateway.counts()["duplicate_nonces"], 1)

    def test_only_once(self):
        """The second sending is lost too: in doubt, and not sent a third time."""
        batch, done = self.replayed(f"close-before@{STRUCK}-{STRUCK + 1}")
        self.assertEqual(done.returncode, IN_DOUBT, done.stderr)
        self.expect_line(batch, STRUCK, doubt(False, "closed"))
        self.expect_rest_placed(batch, STRUCK)
        self.assertEqual(batch.gateway.counts()["requests"], ROWS + 1)

    def test_not_after_a_byte_of_an_answer(self):
        for fault in ("cut", "bad-length-after", "500-before", "html"):
            with self.subTest(fault=fault):
                batch, done = self.replayed(f"{fault}@{STRUCK}")
                self.assertEqual(done.returncode, IN_DOUBT, done.stderr)
                self.assertEqual(self.kinds_of(batch, STRUCK), ["intent", "in_doubt"])

    def test_at_random(self):
        batch = self.batch(
            "close-before=0.2,close-after=0.2", "--replay", "same-bytes", rows=60, seed=SEED
        )
        self.finish(batch)
        self.assertIn("replay", {record.kind for record in batch.ledger_records()})


if __name__ == "__main__":
    unittest.main()
