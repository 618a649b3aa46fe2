"""A ledger in PostgreSQL whose server dies and whose standby takes its place.

What the server tells to be durable is kept if it waits for its standby; without, the last commits
may be gone. Then nobody goes on before somebody has looked.
"""

import unittest

from database import Server
from harness import ALL_PLACED, IN_DOUBT, INPUT, UNWRITABLE, Batch, Gateway, random_seed
from standby import Standby
from test_database import DatabaseBatch, wait_for_orders

SEED = random_seed()


def setUpModule():
    print(f"seed {SEED}")


class FailoverTest(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server())
        self.standby = self.enterContext(Standby(self.server))

    def batch(self, **more):
        gateway = self.enterContext(Gateway(latency="2ms-20ms"))
        batch = self.enterContext(
            DatabaseBatch(self.server, gateway, "--max-doubts", "1000", **more))
        place = batch.options.index(batch.uri)
        batch.uri = batch.options[place] = self.standby.uri_of_both(batch.uri)
        return batch

    def test_a_standby_that_nobody_waits_for_is_warned_of(self):
        batch = self.batch(rows=3)
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        self.assertIn("warning: standbys follow", batch.look("status").stdout)
        self.standby.be_waited_for()
        status = batch.look("status")
        self.assertEqual(status.returncode, ALL_PLACED, status.stderr)
        self.assertNotIn("warning", status.stdout)

    def test_nothing_is_forgotten_where_commits_wait_for_the_standby(self):
        self.standby.be_waited_for()
        batch = self.batch(rows=300, rate="300/s")
        process = batch.start()
        wait_for_orders(batch, 80, process)
        self.server.crash()
        self.standby.promote()
        batch.gateway.executed()
        if process.wait(60) == UNWRITABLE:
            batch.run_until_finished()
        self.assertEqual(batch.violations(), [])
        self.assertIn(batch.run().returncode, (ALL_PLACED, IN_DOUBT))
        self.assertEqual(len(set(batch.executed_rows())), len(batch.executed_rows()))

    def test_a_host_whose_own_commits_are_missing_stops(self):
        """The standby took over without the last commits. Who remembers them sends nothing more,
        neither the run nor the same command again."""
        batch = self.batch(rows=400, rate="200/s")
        process = batch.start()
        wait_for_orders(batch, 60, process)
        self.standby.hears_nothing()
        wait_for_orders(batch, len(batch.executed_rows()) + 60, process)
        self.server.crash()
        self.standby.promote()
        self.assertEqual(process.wait(60), UNWRITABLE, batch.log.read_text())
        executed = batch.executed_rows()
        self.assertEqual(len(set(executed)), len(executed))
        kept = self.server.sql("SELECT count(*) FROM sagorder.attempt", batch.uri)
        self.assertLess(int(kept[0][0]), len(executed))
        # Nothing is sent by whoever comes next, from anywhere; and not again, until somebody says
        # so. The results of this host know of more than that.
        elsewhere = self.enterContext(Batch(batch.gateway, *batch.options[2:]))
        elsewhere.input.write_bytes(batch.input.read_bytes())
        for host in (batch, elsewhere, elsewhere):
            again = host.run()
            self.assertEqual(again.returncode, INPUT, again.stderr)
            self.assertIn("to a standby that no commit had waited for", again.stderr)
        again = batch.run("--again")
        self.assertEqual(again.returncode, UNWRITABLE, again.stderr)
        self.assertIn("lost records", again.stderr)
        self.assertEqual(batch.executed_rows(), executed)


if __name__ == "__main__":
    unittest.main()
