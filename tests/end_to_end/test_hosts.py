"""Three processes on one batch, through one database: every row is ordered once, whatever becomes of
hosts, connections and the server.

Chances come from one seed, printed at the start; SAGORDER_SEED=N repeats it.
"""

import random
import signal
import time
import unittest

from database import Server
from harness import ALL_PLACED, IN_DOUBT, INPUT, LIMIT, TIME_SCALE, USAGE
from harness import Gateway, is_sanitized, random_seed
from host_processes import LIFE_SECONDS, Hosts
from test_database import wait_for_words

SEED = random_seed()
STATED_ROWS = 40_000


def setUpModule():
    print(f"seed {SEED}")
    HostsTest.server = unittest.enterModuleContext(
        Server("shared_preload_libraries = 'pg_stat_statements'")
    )


class HostsTest(unittest.TestCase):
    server = None

    def hosts(self, *options, count=3, gateway=None, **more):
        gateway = gateway or self.enterContext(Gateway(latency="2ms-20ms"))
        return self.enterContext(Hosts(self.server, gateway, count, *options, **more))

    def assert_each_once(self, hosts, rows):
        executed = hosts.executed_rows()
        self.assertEqual(len(executed), len(set(executed)), f"seed {SEED}")
        self.assertEqual(set(executed), set(range(1, rows + 1)), hosts.said())


class SharingTest(HostsTest):
    def test_three_hosts_order_each_row_once(self):
        hosts = self.hosts(rows=600, rate="400/s")
        hosts.start_all()
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        self.assert_each_once(hosts, 600)
        self.assertEqual(hosts.violations(), [])
        self.assertEqual(hosts.states(), {"placed": 600})
        self.assertEqual(sorted(int(line["Row"]) for line in hosts.lines()), list(range(1, 601)))
        self.assertTrue(all(host.results() for host in hosts), "each had its part")
        again = hosts[0].run()
        self.assertEqual(again.returncode, ALL_PLACED, again.stderr)
        self.assertEqual(len(hosts.executed_rows()), 600)


class DeathTest(HostsTest):
    def test_killed(self):
        """Its untouched rows are done by the others; what it had under way is in doubt, and named."""
        gateway = self.enterContext(Gateway(latency="50ms-150ms"))
        hosts = self.hosts(rows=400, rate="150/s", gateway=gateway)
        hosts.start_all()
        hosts.wait_for_orders(60)
        dead = hosts[0].process
        dead.kill()
        self.assertEqual(dead.wait(), -signal.SIGKILL)
        codes = hosts.wait()[1:]
        self.assertEqual(hosts.violations(torn=True), [], f"seed {SEED}")
        executed = hosts.executed_rows()
        self.assertEqual(len(executed), len(set(executed)))
        states = hosts.states()
        open_rows = states.pop("intended", 0)
        self.assertGreater(open_rows, 0, "it was killed with nothing under way")
        self.assertEqual(states, {"placed": 400 - open_rows})
        self.assertEqual(codes, [IN_DOUBT] * 2, hosts.said())
        for host in list(hosts)[1:]:
            self.assertIn(f"process {dead.pid}", host.said())
            self.assertIn("last heard of", host.said())
        again = hosts[0].run()
        self.assertEqual(again.returncode, IN_DOUBT, again.stderr)
        self.assertEqual(hosts.executed_rows(), executed, "a finished batch sends nothing")
        self.assertEqual(hosts.violations(), [], "the lines that it lacked are there")

    def test_stopped_beyond_its_life_and_woken(self):
        """The others take its ranges over; on waking it sends nothing that another has tried."""
        hosts = self.hosts(rows=500, rate="100/s")
        hosts.start_all()
        hosts.wait_for_orders(40)
        hosts[0].process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)  # what had left is answered
        before = len(hosts[0].gateway.executed())
        hosts.wait_for_orders(before + 20)
        time.sleep(LIFE_SECONDS * 0.5 * TIME_SCALE)
        hosts[0].process.send_signal(signal.SIGCONT)
        codes = hosts.wait()
        self.assertEqual(codes, [ALL_PLACED] * 3, hosts.said())
        self.assert_each_once(hosts, 500)
        self.assertEqual(hosts.violations(), [])

    def test_interrupted(self):
        """It leaves at once what it had not begun; the others need not wait for its life's end."""
        hosts = self.hosts(rows=300, rate="100/s")
        hosts.start_all()
        hosts.wait_for_orders(30)
        hosts[0].process.send_signal(signal.SIGINT)
        codes = hosts.wait()
        self.assertEqual(codes, [LIMIT, ALL_PLACED, ALL_PLACED], hosts.said())
        self.assert_each_once(hosts, 300)
        self.assertEqual(hosts.violations(), [])


class DatabaseTest(HostsTest):
    def test_the_server_crashes_and_comes_back(self):
        hosts = self.hosts(rows=500, rate="200/s")
        hosts.start_all()
        hosts.wait_for_orders(100)
        self.server.crash()
        time.sleep(1)  # beyond the lease
        silent = len(hosts.executed_rows())
        time.sleep(0.5)
        self.assertEqual(len(hosts.executed_rows()), silent, "no lease, no send")
        self.server.start()
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        self.assert_each_once(hosts, 500)
        self.assertEqual(hosts.violations(), [])
        for host in hosts:
            self.assertEqual(host.said().count("does not answer"), 1, host.said())
            self.assertIn("answers again", host.said())

    def test_a_host_that_waits_for_rows_says_that_the_server_stands_still(self):
        gateway = self.enterContext(Gateway(latency="5s"))
        hosts = self.hosts(rows=20, count=2, rate="unlimited", gateway=gateway)
        hosts[0].begin()
        hosts.wait_for_orders(1)
        hosts[1].begin()  # there is one range
        time.sleep(1)
        self.addCleanup(self.server.thaw)
        self.server.freeze()
        wait_for_words(hosts[1], "does not answer", seconds=5)  # to fail takes longer
        self.server.thaw()
        wait_for_words(hosts[1], "answers again")
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 2, hosts.said())
        self.assert_each_once(hosts, 20)
        self.assertEqual(hosts[1].said().count("does not answer"), 1, hosts[1].said())
        self.assertEqual(hosts[1].said().count("answers again"), 1, hosts[1].said())

    def test_connections_are_cut(self):
        """Of single hosts, in the middle of commits: each is looked up before anything is sent."""
        chance = random.Random(SEED)
        hosts = self.hosts(rows=600, rate="300/s")
        hosts.start_all()
        for _ in range(8):
            # A slow machine may have placed them all before the last cut.
            hosts.wait_for_orders(min(600, len(hosts.executed_rows()) + chance.randint(5, 40)))
            self.server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                "'sagorder' ORDER BY random() LIMIT 2"
            )
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        self.assert_each_once(hosts, 600)
        self.assertEqual(hosts.violations(), [], f"seed {SEED}")


class CostTest(HostsTest):
    @unittest.skipIf(is_sanitized(), "leases go by time, of which a slow program takes more")
    def test_statements_are_shared_by_many_orders(self):
        """Counted by the server, with everything that a host says from its start to its end. (Where
        orders come singly there is nothing to share: then each is in two commits.)"""
        gateway = self.enterContext(Gateway())
        hosts = self.hosts("--connections", "64", rows=STATED_ROWS, gateway=gateway)
        self.server.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        hosts.start_all()
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        name = hosts.uri.split("/")[3].split("?")[0]
        stated = self.server.sql(
            "SELECT sum(calls) FROM pg_stat_statements JOIN pg_database ON oid = dbid "
            f"WHERE datname = '{name}'"
        )
        self.assertGreater(int(stated[0][0]), 0)
        self.assertLess(int(stated[0][0]), STATED_ROWS / 10)


class RateTest(HostsTest):
    def test_one_rate_for_all(self):
        """In no second more than the burst and the rate's worth, whoever sent them."""
        gateway = self.enterContext(Gateway())
        hosts = self.hosts("--burst", "60", rows=300, rate="100/s", gateway=gateway)
        begin = time.monotonic()
        hosts.start_all()
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        self.assertGreaterEqual(time.monotonic() - begin, (300 - 60) / 100)
        self.assertEqual(hosts.violations(), [])
        self.assertLessEqual(gateway.counts()["requests_per_second_max"], 160)

    def test_hosts_agree_on_it(self):
        hosts = self.hosts(rows=200, rate="40/s")
        hosts[0].begin()
        hosts.wait_for_orders(10)
        hosts.rate = "50/s"
        other = hosts.join().run()
        self.assertEqual(other.returncode, USAGE, other.stderr)
        self.assertIn("the same --rate and --burst", other.stderr)
        elsewhere = hosts[1].run("--set", "ResourceGroupId=rg-1")
        self.assertEqual(elsewhere.returncode, INPUT, elsewhere.stderr)
        self.assertIn("--set is", elsewhere.stderr)
        self.assertEqual(hosts.wait(), [ALL_PLACED], hosts.said())
        self.assert_each_once(hosts, 200)

    def test_a_burst_that_is_too_small_is_refused(self):
        hosts = self.hosts("--burst", "3", count=1, rows=10, rate="100/s")
        done = hosts[0].run()
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertIn("6 would do", done.stderr)
        enough = self.hosts("--burst", "6", count=1, rows=10, rate="100/s")
        self.assertEqual(enough[0].run().returncode, ALL_PLACED)


class CanaryTest(HostsTest):
    def test_a_canary_is_the_batchs(self):
        """The rest goes, from any host, once the first were placed."""
        gateway = self.enterContext(Gateway(latency="200ms"))
        hosts = self.hosts("--canary", "4", rows=100, rate="200/s", gateway=gateway)
        hosts.start_all()
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        self.assertEqual(set(hosts.executed_rows()[:4]), {1, 2, 3, 4})
        self.assert_each_once(hosts, 100)

    def test_a_canary_that_fails_holds_all(self):
        gateway = self.enterContext(Gateway(faults="code:InvalidParameter@3"))
        hosts = self.hosts("--canary", "4", rows=100, rate="200/s", gateway=gateway)
        hosts.start_all()
        self.assertEqual(hosts.wait(), [LIMIT] * 3, hosts.said())
        self.assertLessEqual(set(hosts.executed_rows()), {1, 2, 3, 4})
        # The fourth was under way, or was not sent any more.
        self.assertIn(len(hosts.executed_rows()), (2, 3))

    def test_hosts_that_begin_together_heed_what_earlier_runs_did_not_place(self):
        """Each may find another one at work, which is about to refuse as well."""
        gateway = self.enterContext(Gateway(faults="code:InvalidParameter@6"))
        options = ("--canary", "3", "--max-orders", "10")
        hosts = self.hosts(*options, rows=60, rate="200/s", gateway=gateway, count=1)
        hosts.start_all()
        self.assertEqual(hosts.wait(), [LIMIT], hosts.said())
        before = len(hosts.executed_rows())
        self.assertGreater(before, 6)
        hosts.options = ("--canary", "3")
        for _ in range(3):
            together = [hosts.join() for _ in range(3)]
            for host in together:
                host.begin()
            codes = [host.process.wait() for host in together]
            said = "".join(host.said() for host in together)
            self.assertEqual(codes, [LIMIT] * 3, said)
            self.assertEqual(len(hosts.executed_rows()), before, said)
            self.assertEqual(said.count("1 rejected and 0 in doubt of what earlier runs sent"), 3)

    def test_the_host_that_has_a_canary_stops_when_it_fails(self):
        """What was under way comes in; of the first orders no other is sent."""
        gateway = self.enterContext(Gateway(faults="code:InvalidParameter@1", latency="20ms"))
        hosts = self.hosts("--canary", "40", rows=100, rate="20/s", gateway=gateway)
        hosts.start_all()
        self.assertEqual(hosts.wait(), [LIMIT] * 3, hosts.said())
        self.assertLess(gateway.counts()["requests"], 10)
        for host in hosts:
            self.assertIn("of the first 40 orders of the batch one is rejected", host.said())


if __name__ == "__main__":
    unittest.main()
