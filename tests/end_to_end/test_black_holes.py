"""Hosts whose connections swallow everything, without an answer and without a reset: they stop
within their lease, say so, and go on by themselves; no row is sent twice, and nobody waits for
them.
"""

import signal
import time
import unittest

from black_hole import ANSWERS, BOTH, WayToDatabase
from database import Server
from harness import ALL_PLACED, LIMIT, TIME_SCALE, UNWRITABLE, Gateway
from host_processes import AWAY, LEASE_SECONDS, LIFE_SECONDS, SAYS_SECONDS, SLOW_SECONDS, Hosts
from test_database import wait_for_words

ROWS = 600


def setUpModule():
    BlackHolesTest.server = unittest.enterModuleContext(Server())


class BlackHolesTest(unittest.TestCase):
    server = None

    def hosts(self, count, *options, latency="2ms-20ms", **more):
        gateway = self.enterContext(Gateway(latency=latency))
        return self.enterContext(Hosts(self.server, gateway, count, *options, **more))

    def behind(self, way, hosts):
        """One more host, by that way."""
        host = hosts.join(way.uri(hosts.uri))
        hosts.hosts.append(host)
        return host

    def wait_for_a_hole(self, way, hosts):
        deadline = time.monotonic() + 10 * TIME_SCALE
        while not way.swallows:
            self.assertLess(time.monotonic(), deadline, hosts.said())
            time.sleep(0.01)

    def assert_each_once(self, hosts, rows):
        self.assertEqual(sorted(hosts.executed_rows()), list(range(1, rows + 1)), hosts.said())
        self.assertEqual(hosts.violations(), [])


class DatabaseTest(BlackHolesTest):
    def hidden(self, *options, rate="200/s", **more):
        """Three hosts at work, and the one way that they have. @return the hosts"""
        hosts = self.hosts(0, *options, rows=ROWS, rate=rate, **more)
        self.way = self.enterContext(WayToDatabase(self.server))
        for _ in range(3):
            self.behind(self.way, hosts)
        hosts.start_all()
        hosts.wait_for_orders(100)
        return hosts

    def assert_silent(self, hosts, begin):
        """Until they say so."""
        while not all(AWAY in host.said() for host in hosts):
            time.sleep(0.05)
            patience = (SAYS_SECONDS + SLOW_SECONDS) * TIME_SCALE
            self.assertLess(time.time() - begin, patience, hosts.said())
        silent_from = begin + (LEASE_SECONDS + SLOW_SECONDS) * TIME_SCALE
        time.sleep(max(0, silent_from + 1 - time.time()))  # time to be silent in
        self.assertEqual(hosts.executed_between(silent_from, time.time()), set())
        self.assertLess(len(hosts.executed_rows()), ROWS, "nothing was left to be sent")

    def assert_they_go_on(self, hosts):
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        self.assert_each_once(hosts, ROWS)
        for host in hosts:
            self.assertEqual(host.said().count(AWAY), 1, hosts.said())
            self.assertIn("the shared ledger answers again", host.said())

    def test_nothing_passes_for_a_while(self):
        """What was asked arrives late, also of connections that were given up meanwhile."""
        hosts = self.hidden()
        begin = time.time()
        self.way.swallow(BOTH)
        self.assert_silent(hosts, begin)
        self.way.go_on()
        self.assert_they_go_on(hosts)

    def test_requests_pass_and_no_answer_does_and_then_it_ends(self):
        """What was committed is durable, and nobody was told."""
        hosts = self.hidden()
        begin = time.time()
        self.way.swallow((ANSWERS,))
        self.assert_silent(hosts, begin)
        self.way.end()
        self.assert_they_go_on(hosts)
        self.assertIn("a commit was not answered, and is looked up", hosts.said())

    def test_leases_alone_are_not_answered(self):
        """Commits are, so that nothing but the lease keeps a host from sending. Without a rate it
        has no tokens to be used up: only its end ends it."""
        hosts = self.hidden("--connections", "6", rate="unlimited", latency="150ms")
        begin = time.time()
        self.way.swallow_behind(b"\0lease\0", alone=True)
        self.assert_silent(hosts, begin)
        self.way.go_on()
        self.assert_they_go_on(hosts)


class BeginningTest(BlackHolesTest):
    def test_a_connection_that_is_lost_before_the_first_order_is_made_anew(self):
        """Two leases are for the terms of a new account, and the third for orders: none is sent."""
        hosts = self.hosts(0, rows=100, rate="200/s")
        way = self.enterContext(WayToDatabase(self.server))
        way.swallow_behind(b"\0lease\0", alone=True, first=3)
        self.behind(way, hosts).begin()
        self.wait_for_a_hole(way, hosts)
        self.server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
            "'sagorder'"
        )
        self.assertEqual(hosts.executed_rows(), [])
        way.go_on()
        self.assertEqual(hosts.wait(), [ALL_PLACED], hosts.said())
        self.assert_each_once(hosts, 100)

    def test_what_comes_before_the_first_order_is_not_answered(self):
        """A host says so and hears an interrupt; it has drawn its run, and nobody tells it."""
        hosts = self.hosts(0, rows=100, rate="200/s")
        way = self.enterContext(WayToDatabase(self.server))
        way.swallow_behind(b"run@")
        host = self.behind(way, hosts)
        process = host.begin()
        self.wait_for_a_hole(way, hosts)
        wait_for_words(host, AWAY, seconds=SAYS_SECONDS + SLOW_SECONDS)
        process.send_signal(signal.SIGINT)
        wait_for_words(host, "interrupted: nothing more is sent", seconds=SLOW_SECONDS)
        way.go_on()
        self.assertEqual(hosts.wait(), [LIMIT], hosts.said())
        self.assertEqual(hosts.executed_rows(), [])
        self.assertEqual(host.run().returncode, ALL_PLACED, "the same command goes on")
        self.assert_each_once(hosts, 100)


class EndTest(BlackHolesTest):
    """All rows are placed, and the goodbye is not answered."""

    def host_at_its_end(self):
        hosts = self.hosts(0, rows=30, rate="200/s")
        self.way = self.enterContext(WayToDatabase(self.server))
        self.way.swallow_behind(b"sagorder.range SET host = NULL")
        self.behind(self.way, hosts).begin()
        self.wait_for_a_hole(self.way, hosts)
        self.assert_each_once(hosts, 30)
        return hosts

    def assert_ends_with(self, stop, words, hosts):
        self.assertEqual(hosts.wait(), [UNWRITABLE], hosts.said())
        self.assertIn(words, hosts.said())
        summary = hosts[0].summary()
        self.assertEqual((summary["stop"], summary["exit_code"]), (stop, UNWRITABLE))

    def test_an_interrupt_meanwhile_ends_in_order(self):
        """Soon, and with a summary: what is asked from then on fails at once."""
        hosts = self.host_at_its_end()
        hosts[0].process.send_signal(signal.SIGINT)
        words = "what other hosts did could not be read"
        self.assert_ends_with("ledger_failed", words, hosts)

    def test_records_that_are_missing_then_are_told_of(self):
        """As in a server that took over without them, and that is met again and again."""
        hosts = self.host_at_its_end()
        self.server.sql("DELETE FROM sagorder.outcome", hosts.uri)
        self.server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
            "'sagorder'"
        )
        self.way.go_on()
        self.assert_ends_with("records_lost", "records are missing that were durable", hosts)


class OthersTest(BlackHolesTest):
    def test_nobody_waits_for_a_host_that_is_cut_off_within_a_transaction(self):
        """Its connection falls silent while it holds the batch's row, which each lease locks. The
        server hears of no end: it has to end such a session by itself."""
        hosts = self.hosts(2, rows=1600, rate=f"{200 / TIME_SCALE:g}/s")  # at work all the while
        hosts.start_all()
        hosts.wait_for_orders(100)
        way = self.enterContext(WayToDatabase(self.server))
        way.swallow_behind(b"FOR NO KEY UPDATE")
        late = self.behind(way, hosts)
        late.begin()
        self.wait_for_a_hole(way, hosts)
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
