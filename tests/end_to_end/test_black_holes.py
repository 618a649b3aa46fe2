"""Hosts whose connections swallow everything, without an answer and without a reset: they stop
within their lease, say so, and go on by themselves; no row is sent twice, and nobody waits for them.
"""

import time
import unittest

from black_hole import ANSWERS, BOTH, WayToDatabase
from database import Server
from harness import ALL_PLACED, TIME_SCALE, Gateway
from host_processes import AWAY, LEASE_SECONDS, LIFE_SECONDS, SAYS_SECONDS, SLOW_SECONDS, Hosts


def setUpModule():
    BlackHolesTest.server = unittest.enterModuleContext(Server())


class BlackHolesTest(unittest.TestCase):
    server = None

    def hosts(self, count, *, rows, rate):
        gateway = self.enterContext(Gateway(latency="2ms-20ms"))
        return self.enterContext(Hosts(self.server, gateway, count, rows=rows, rate=rate))

    def behind(self, way, hosts):
        """One more host, by that way."""
        host = hosts.join(way.uri(hosts.uri))
        hosts.hosts.append(host)
        return host

    def assert_each_once(self, hosts, rows):
        self.assertEqual(sorted(hosts.executed_rows()), list(range(1, rows + 1)), hosts.said())
        self.assertEqual(hosts.violations(), [])


class DatabaseTest(BlackHolesTest):
    def swallow(self, directions):
        """All three hosts', for long enough that they say so. @return the hosts"""
        hosts = self.hosts(0, rows=600, rate="200/s")
        way = self.enterContext(WayToDatabase(self.server))
        for _ in range(3):
            self.behind(way, hosts)
        hosts.start_all()
        hosts.wait_for_orders(100)
        begin = time.time()
        way.swallow(directions)
        time.sleep((SAYS_SECONDS + SLOW_SECONDS) * TIME_SCALE)
        silent_from = begin + (LEASE_SECONDS + SLOW_SECONDS) * TIME_SCALE
        self.assertEqual(hosts.executed_between(silent_from, time.time()), set())
        self.assertLess(len(hosts.executed_rows()), 600, "nothing was left to be sent")
        for host in hosts:
            self.assertEqual(host.said().count(AWAY), 1, hosts.said())
        self.way = way
        return hosts

    def assert_they_go_on(self, hosts):
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        self.assert_each_once(hosts, 600)
        for host in hosts:
            self.assertIn("the shared ledger answers again", host.said())

    def test_nothing_passes_for_a_while(self):
        """What was asked arrives late, also of connections that were given up meanwhile."""
        hosts = self.swallow(BOTH)
        self.way.go_on()
        self.assert_they_go_on(hosts)

    def test_requests_pass_and_no_answer_does_and_then_it_ends(self):
        """What was committed is durable, and nobody was told."""
        hosts = self.swallow((ANSWERS,))
        self.way.end()
        self.assert_they_go_on(hosts)
        self.assertIn("a commit was not answered, and is looked up", hosts.said())


class OthersTest(BlackHolesTest):
    def test_nobody_waits_for_a_host_that_is_cut_off_within_a_transaction(self):
        """Its connection falls silent while it holds the batch's row, which each lease locks. The
        server hears of no end: it has to end such a session by itself."""
        hosts = self.hosts(2, rows=1600, rate="200/s")
        hosts.start_all()
        hosts.wait_for_orders(100)
        way = self.enterContext(WayToDatabase(self.server))
        way.swallow_behind(b"FOR NO KEY UPDATE")
        late = self.behind(way, hosts)
        late.begin()
        deadline = time.monotonic() + 10 * TIME_SCALE
        while not way.swallows:
            self.assertLess(time.monotonic(), deadline, late.said())
            time.sleep(0.01)
        time.sleep((LIFE_SECONDS + SLOW_SECONDS) * TIME_SCALE)
        before = len(hosts.executed_rows())
        time.sleep(1)
        self.assertGreater(len(hosts.executed_rows()), before, hosts.said())
        late.process.kill()
        late.process.wait()
        way.end()
        self.assertEqual(hosts.wait()[:2], [ALL_PLACED] * 2, hosts.said())
        self.assert_each_once(hosts, 1600)


if __name__ == "__main__":
    unittest.main()
