"""A ledger in PostgreSQL whose server dies and whose standby takes its place, or of which an older
copy is restored.

What the server tells to be durable is kept if it waits for its standby; without, the last commits
may be gone, as they are from an older copy. Then nobody goes on before somebody has looked.
"""

import json
import subprocess
import time
import unittest

from database import Server
from harness import (
    ALL_PLACED, IN_DOUBT, INPUT, SAGORDER, UNWRITABLE, Batch, Gateway, random_seed)
from host_processes import Hosts
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
        self.assert_status_proposes_a_look_first(batch.look("status"))
        elsewhere = self.enterContext(Batch(batch.gateway, *batch.options[2:]))
        elsewhere.input.write_bytes(batch.input.read_bytes())
        for host in (batch, elsewhere, elsewhere):
            again = host.run()
            self.assertEqual(again.returncode, INPUT, again.stderr)
            self.assertIn("to a standby that no commit had waited for", again.stderr)
        again = batch.run("--again")
        self.assertEqual(again.returncode, UNWRITABLE, again.stderr)
        self.assertIn("lost records", again.stderr)
        self.assertNotIn("another --output", again.stderr)
        self.assertEqual(batch.executed_rows(), executed)


    def test_a_host_that_misses_nothing_stops_too(self):
        """Others may: the standby had everything of this one, and nobody had waited for it."""
        batch = self.batch(rows=40, rate="2/s")
        process = batch.start()
        wait_for_orders(batch, 2, process)
        time.sleep(0.2)
        self.server.crash()
        self.standby.promote()
        self.assertEqual(process.wait(60), UNWRITABLE, batch.log.read_text())
        self.assertIn("failed over", batch.log.read_text())
        self.assertIn("stopped: records lost", batch.log.read_text())
        kept = self.server.sql("SELECT count(*) FROM sagorder.attempt", batch.uri)
        self.assertEqual(int(kept[0][0]), len(batch.executed_rows()))
        self.assertLess(len(batch.executed_rows()), 40)

    def assert_status_proposes_a_look_first(self, status):
        self.assertEqual(status.returncode, ALL_PLACED, status.stderr)
        self.assertIn("only if there is none: to go on:\n  ", status.stdout)
        self.assertRegex(status.stdout.splitlines()[-1], r"^ .* run --again ")

    def test_status_knows_before_any_run(self):
        """Nobody was at work when the server failed over."""
        batch = self.batch(rows=40, rate="20/s")
        process = batch.start()
        wait_for_orders(batch, 5, process)
        process.terminate()
        process.wait()
        as_it_was = json.loads(batch.look("status", "--json").stdout)
        self.assertIn(" run ", as_it_was["next_command"])
        self.server.crash()
        self.standby.promote()
        told = json.loads(batch.look("status", "--json").stdout)
        self.assertIn("failed over", told["commits_missing"])
        self.assertEqual(told["next_command"], "", "no script goes on with it")
        status = batch.look("status")
        self.assert_status_proposes_a_look_first(status)
        refused = batch.run()
        self.assertEqual(refused.returncode, INPUT, refused.stderr)
        command = status.stdout.splitlines()[-1].strip()
        env = {**batch.env, "PATH": f"{SAGORDER.parent}:{batch.env['PATH']}"}
        gone_on = subprocess.run(
            ["/bin/sh", "-c", command], cwd=batch.folder, env=env, timeout=60,
            capture_output=True, check=False)
        self.assertEqual(gone_on.returncode, ALL_PLACED, gone_on.stderr)
        self.assertEqual(sorted(batch.executed_rows()), list(range(1, 41)))


class RestoredCopyTest(unittest.TestCase):
    def test_no_host_goes_on_with_an_older_copy(self):
        """Restored in the middle of a run, by whatever: neither a host that is at work, nor a later
        run sends anything, until somebody has looked and says so."""
        server = self.enterContext(Server())
        gateway = self.enterContext(Gateway(latency="2ms-20ms"))
        hosts = self.enterContext(Hosts(server, gateway, 2, rows=400, rate="200/s"))
        hosts.start_all()
        hosts.wait_for_orders(60)
        dump = server.dump(hosts.uri)
        hosts.wait_for_orders(len(hosts.executed_rows()) + 60)
        server.restore(hosts.uri, dump)
        self.assertEqual(hosts.wait(), [UNWRITABLE] * 2, hosts.said())
        executed = hosts.executed_rows()
        self.assertEqual(len(set(executed)), len(executed))
        kept = server.sql("SELECT count(*) FROM sagorder.attempt", hosts.uri)
        self.assertLess(int(kept[0][0]), len(executed))
        for host in hosts:
            self.assertIn("stopped: records lost", host.said())
            self.assertIn("sagorder status", host.said())
            for proposed in ("another --output", "the same command goes on", "sagorder run"):
                self.assertNotIn(proposed, host.said())
        for host in (hosts[0], hosts.join(), hosts.join()):
            again = host.run()
            self.assertEqual(again.returncode, INPUT, again.stderr)
            self.assertIn("lacks what was written since", again.stderr)
            self.assertNotIn("another --output", again.stderr)
        self.assertEqual(hosts.executed_rows(), executed)
        knows_more = hosts[0].run("--again")
        self.assertEqual(knows_more.returncode, UNWRITABLE, knows_more.stderr)
        refused = hosts[1].run()
        self.assertEqual(refused.returncode, INPUT, refused.stderr)
        # Whoever says so takes the orders upon himself that the copy does not know.
        elsewhere = hosts.join().run("--again")
        self.assertIn(elsewhere.returncode, (ALL_PLACED, IN_DOUBT), elsewhere.stderr)
        self.assertGreater(len(hosts.executed_rows()), len(executed))

    def test_results_that_know_more_hold_every_host(self):
        """Of a server that was put back as a whole, while nobody was at work."""
        server = self.enterContext(Server())
        gateway = self.enterContext(Gateway())
        batch = self.enterContext(DatabaseBatch(server, gateway, rows=5))
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        for table in ("attempt", "outcome"):
            server.sql(f'DELETE FROM sagorder.{table} WHERE "row" = 5', batch.uri)
        elsewhere = self.enterContext(Batch(gateway, *batch.options[2:]))
        elsewhere.input.write_bytes(batch.input.read_bytes())
        with self.enterContext(Batch(gateway, rows=5)) as another:
            self.assertEqual(another.run().returncode, ALL_PLACED)
            elsewhere.output.write_bytes(another.output.read_bytes())
        slip = elsewhere.run()
        self.assertEqual(slip.returncode, UNWRITABLE, slip.stderr)
        marks = "SELECT value FROM sagorder.fact WHERE name = 'failover'"
        self.assertEqual(server.sql(marks, batch.uri), [], "the file was never this batch's")
        elsewhere.output.unlink()
        knows_more = batch.run()
        self.assertEqual(knows_more.returncode, UNWRITABLE, knows_more.stderr)
        refused = elsewhere.run()
        self.assertEqual(refused.returncode, INPUT, refused.stderr)
        self.assertIn("an older copy took its place", refused.stderr)
        self.assertEqual(sum(each == 5 for each in batch.executed_rows()), 2, "one is another's")


if __name__ == "__main__":
    unittest.main()
