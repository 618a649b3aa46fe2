"""Three processes on one batch, with limits that are those of all together: --max-orders, --max-seats,
plans. Whatever becomes of hosts and of the server, no limit is exceeded, and what was not spent is
spent by whoever is left.

Chances come from one seed, printed at the start; SAGORDER_SEED=N repeats it.
"""

import signal
import time
import unittest

from database import Server
from harness import ALL_PLACED, IN_DOUBT, INPUT, LIMIT, Gateway, random_seed
from host_processes import LIFE_SECONDS, Hosts

SEED = random_seed()


def setUpModule():
    print(f"seed {SEED}")
    HostsTest.server = unittest.enterModuleContext(Server())


class HostsTest(unittest.TestCase):
    server = None

    def hosts(self, *options, count=3, gateway=None, **more):
        gateway = gateway or self.enterContext(Gateway(latency="2ms-20ms", seed=SEED))
        return self.enterContext(Hosts(self.server, gateway, count, *options, **more))

    def held(self, hosts):
        """Orders that the hosts of the run hold of its limit, by the database."""
        ((count,),) = self.server.sql("SELECT orders FROM sagorder.run", hosts.uri)
        return int(count)

    def assert_within(self, hosts, most, *, exactly=False):
        """@return the rows by their states; no order was forgotten, none was made twice"""
        self.assertEqual(hosts.violations(torn=True), [], f"seed {SEED}")
        states = hosts.states()
        bought = states.get("placed", 0) + states.get("in_doubt", 0) + states.get("intended", 0)
        self.assertLessEqual(bought, most, f"seed {SEED}: {hosts.said()}")
        if exactly:
            self.assertEqual(bought, most, f"seed {SEED}: {hosts.said()}")
        return states


class LimitsTest(HostsTest):
    def test_each_run_places_as_many_as_allowed(self):
        """The same commands again may place as many again."""
        hosts = self.hosts("--max-orders", "60", rows=150, rate="400/s")
        for most in (60, 120):
            hosts.start_all()
            self.assertEqual(hosts.wait(), [LIMIT] * 3, hosts.said())
            self.assert_within(hosts, most, exactly=True)
            for host in hosts:
                self.assertIn("of 60 for all hosts none is left", host.said())
        hosts.start_all()
        self.assertEqual(hosts.wait(), [ALL_PLACED] * 3, hosts.said())
        self.assert_within(hosts, 150, exactly=True)

    def test_seats_of_all_hosts_together(self):
        hosts = self.hosts("--max-seats", "900", "--max-seat-months", "10000", rows=60, rate="300/s")
        hosts.start_all()
        self.assertEqual(hosts.wait(), [LIMIT] * 3, hosts.said())
        self.assert_within(hosts, 60)
        seats = sum(hosts.executed_rows())  # a row's number is how many it orders
        self.assertLessEqual(seats, 900, hosts.said())
        self.assertGreater(seats, 900 - 60, "no host stops while its next row has room")

    def test_what_is_rejected_is_not_spent(self):
        gateway = self.enterContext(
            Gateway(latency="2ms-20ms", faults="code:InvalidParameter=0.4", seed=SEED)
        )
        hosts = self.hosts("--max-orders", "60", rows=300, rate="300/s", gateway=gateway)
        hosts.start_all()
        self.assertEqual(hosts.wait(), [LIMIT] * 3, hosts.said())
        states = self.assert_within(hosts, 60, exactly=True)
        self.assertGreater(states["rejected"], 10)

    def test_an_interrupted_host_gives_back_what_it_has_not_spent(self):
        hosts = self.hosts("--max-orders", "120", rows=300, rate="100/s")
        hosts.start_all()
        hosts.wait_for_orders(20)
        hosts[0].process.send_signal(signal.SIGINT)
        self.assertEqual(hosts.wait(), [LIMIT] * 3, hosts.said())
        self.assertIn("interrupted", hosts[0].said())
        self.assert_within(hosts, 120, exactly=True)

    def test_hosts_have_to_give_the_same(self):
        hosts = self.hosts("--max-orders", "60", rows=200, rate="40/s", count=1)
        hosts[0].begin()
        hosts.wait_for_orders(5)
        for options, word in (
            (("--max-orders", "61"), "limits of what is bought: '--max-orders 61' here"),
            (("--max-orders", "60", "--max-seats", "9"), "'--max-orders 60 --max-seats 9'"),
            (("--max-orders", "60", "--canary", "3"), "--canary: '3' here"),
        ):
            with self.subTest(options=options):
                hosts.options = options
                other = hosts.join().run()
                self.assertEqual(other.returncode, LIMIT, other.stderr)
                self.assertIn(word, other.stderr)
        self.assertEqual(hosts.wait(), [LIMIT], hosts.said())
        self.assert_within(hosts, 60, exactly=True)


class DeathTest(HostsTest):
    def assert_stopped(self, codes, hosts):
        """By the limit; what another host had under way as it fell silent is in doubt."""
        self.assertTrue(set(codes) <= {IN_DOUBT, LIMIT}, f"{codes} {hosts.said()}")

    def test_killed(self):
        """What the dead host held stays held; the others are not kept waiting for it."""
        gateway = self.enterContext(Gateway(latency="50ms-150ms"))
        hosts = self.hosts("--max-orders", "60", rows=200, rate="100/s", gateway=gateway)
        hosts.start_all()
        hosts.wait_for_orders(25)
        hosts[0].process.kill()
        codes = hosts.wait()[1:]
        self.assert_stopped(codes, hosts)
        self.assertIn("none is left", hosts[1].said())
        states = self.assert_within(hosts, 60)
        self.assertEqual(self.held(hosts), 60)
        tried = states["placed"] + states.get("intended", 0)
        self.assertGreaterEqual(tried, 25, hosts.said())
        again = hosts[0].run()  # a run of its own, which may place as many again
        self.assertEqual(again.returncode, IN_DOUBT if "intended" in states else LIMIT, again.stderr)
        self.assert_within(hosts, states["placed"] + states.get("intended", 0) + 60, exactly=True)

    def test_stopped_beyond_its_life_and_woken(self):
        """First within the run that it was of, then in a new one, of which it is none."""
        hosts = self.hosts("--max-orders", "60", rows=300, rate="100/s")
        hosts.start_all()
        hosts.wait_for_orders(20)
        sleeper = hosts[0].process
        sleeper.send_signal(signal.SIGSTOP)
        dead_at = time.monotonic() + LIFE_SECONDS * 1.2
        self.assert_stopped([host.process.wait(60) for host in list(hosts)[1:]], hosts)
        self.assert_within(hosts, 60)
        time.sleep(max(0, dead_at - time.monotonic()))
        other = hosts[1].begin()
        hosts.wait_for_orders(len(hosts.executed_rows()) + 10)
        sleeper.send_signal(signal.SIGCONT)
        self.assert_stopped([sleeper.wait(60), other.wait(60)], hosts)
        self.assertIn("began a new run of the batch", hosts[0].said())
        self.assert_within(hosts, 120)

    def test_the_server_crashes_and_connections_are_cut(self):
        """An ask that nobody answered may have been granted: nothing is lost by it, nor exceeded."""
        hosts = self.hosts("--max-orders", "200", rows=400, rate="200/s")
        hosts.start_all()
        for orders in (30, 60, 90):
            hosts.wait_for_orders(orders)
            self.server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                "'sagorder' ORDER BY random() LIMIT 3"
            )
        hosts.wait_for_orders(120)
        self.server.crash()
        self.server.start()
        self.assertEqual(hosts.wait(), [LIMIT] * 3, hosts.said())
        self.assert_within(hosts, 200, exactly=True)


class PlanTest(HostsTest):
    def plan(self, hosts):
        path = hosts.folder / "plan.json"
        done = hosts[0].sagorder(
            *("check", hosts[0].input, "--plan", path, "--rate", hosts.rate),
            *("--max-doubts", "1000000", "--max-failures", "1000000", "--max-orders", "60"),
            *("--endpoint", hosts.gateway.endpoint),
        )
        self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
        return path

    def test_every_host_of_a_batch_may_use_it_and_no_other_batch(self):
        hosts = self.hosts("--max-orders", "60", rows=100, rate="200/s", count=2)
        plan = self.plan(hosts)
        processes = [host.start("--plan", plan) for host in hosts]
        codes = [process.wait(60) for process in processes]
        self.assertEqual(codes, [LIMIT] * 2, hosts.said())
        self.assert_within(hosts, 60, exactly=True)
        self.assertEqual(self.server.sql("SELECT count(*) FROM sagorder.plan", hosts.uri), [["1"]])
        processes = [host.start("--plan", plan) for host in hosts]
        codes = [process.wait(60) for process in processes]
        self.assertEqual(codes, [ALL_PLACED] * 2, "the same batch goes on with it")
        self.server.sql("DELETE FROM sagorder.run", hosts.uri)
        late = hosts.join()
        other = late.run("--plan", plan)
        self.assertEqual(other.returncode, INPUT, other.stderr)
        self.assertEqual(late.summary()["stop"], "refused", "though found out at the last")
        self.assertIn("plan.json: was used before", other.stderr)
        self.assertEqual(len(hosts.executed_rows()), 100)


if __name__ == "__main__":
    unittest.main()
