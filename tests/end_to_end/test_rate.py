"""How fast: the rate and burst that were asked for, and the gateway's quota."""

import math
import time
import unittest

from fault_cases import FaultsTest
from harness import ALL_PLACED
from impostor import Listener, Stall


class RateTest(FaultsTest):
    """The rate that was asked for is kept, and lowered where the gateway asks for it."""

    def test_quota_is_met_by_slowing_down(self):
        for hint in ("none", "retry-after", "limit"):
            with self.subTest(hint=hint):
                batch = self.batch(
                    "", rows=120, gateway_options=("--quota-hint", hint), gateway={"quota": "50/s"}
                )
                done = self.finish(batch)
                self.assertEqual(done.returncode, ALL_PLACED)
                self.assertEqual(batch.statuses(), {"placed": 120})
                counts = batch.gateway.counts()
                throttled = counts["refused"].get("Throttling.User", 0)
                self.assertGreater(throttled, 0)
                self.assertLess(throttled, 120, "the rate was not lowered")

    def test_rate_is_kept(self):
        """At most burst + rate in any second, and a little for what a busy machine bunches up."""
        batch = self.batch("", rows=250, rate="100/s")
        begin = time.monotonic()
        self.assertEqual(self.finish(batch).returncode, ALL_PLACED)
        self.assertGreaterEqual(time.monotonic() - begin, 248 / 100)  # two at once at first
        self.expect_at_most(batch, 102)

    def test_burst_is_kept(self):
        batch = self.batch("", "--burst", "40", rows=120, rate="50/s")
        self.assertEqual(self.finish(batch).returncode, ALL_PLACED)
        self.expect_at_most(batch, 90)

    def test_handshakes_that_end_together(self):
        """A token is worth something when the bytes leave: what had to connect, and could not for
        a while, does not leave in a bunch."""
        for threads in (1, 2):
            with self.subTest(threads=threads):
                batch = self.batch(
                    "connection-close=1.0", "--threads", threads, rows=120, rate="20/s", gateway={}
                )
                stall = Stall(batch.gateway.port, begin=1.5, end=2.3)
                with Listener(stall.serve) as relay:
                    batch.gateway.port = relay.port
                    done = batch.run()
                self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
                self.assertEqual(batch.violations(), [])
                self.assertGreater(stall.stalled, 2)
                self.expect_at_most(batch, 21)

    def expect_at_most(self, batch, count):
        most = batch.gateway.counts()["requests_per_second_max"]
        self.assertLessEqual(most, math.ceil(count * 1.15))
        self.assertGreaterEqual(most, count * 0.5, "far slower than asked for")


if __name__ == "__main__":
    unittest.main()
