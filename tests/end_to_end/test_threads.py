"""Connections on threads of their own: the promises hold, whatever meets whatever when.

Under ThreadSanitizer (tests/campaign sanitizers) these runs are where a race would be seen.
"""

import signal
import unittest

from cases import wait_until
from fault_cases import AT_REQUEST, SEED, FaultsTest
from harness import IN_DOUBT, LIMIT

THREADS = (2, 4)
SLOW = {"never-before", "never-after", "dribble"}


def setUpModule():
    print(f"seed {SEED}")


class Threads(FaultsTest):
    def mixture(self):
        """Every kind of fault but those that wait, and connections that fail."""
        quick = [
            name for name, case in AT_REQUEST.items() if case.attempts == 1 and name not in SLOW
        ]
        odds = {name: 0.01 for name in quick}
        odds.update({"accept-close": 0.05, "handshake": 0.05, "idle-close": 0.02})
        return ",".join(f"{name}={chance}" for name, chance in odds.items())

    def threaded(self, threads, faults, **more):
        options = ("--threads", threads, "--connections", 4 * threads)
        return self.batch(faults, *options, seed=SEED + threads, **more)

    def test_faults(self):
        for threads in THREADS:
            with self.subTest(threads=threads, seed=SEED):
                batch = self.threaded(threads, self.mixture(), rows=300)
                self.finish(batch)
                self.assertGreater(sum(batch.gateway.counts()["faults"].values()), 10)

    def test_interrupted(self):
        """Once: the answers are waited for. Twice: they are given up while they come."""
        for threads in THREADS:
            for times in (1, 2):
                with self.subTest(threads=threads, times=times):
                    self.interrupted(threads, times)

    def interrupted(self, threads, times):
        more = {"gateway": {"latency": "20ms"}}
        batch = self.threaded(threads, "connection-close=0.2", rows=3000, **more)
        process = batch.start()
        self.assertTrue(wait_until(lambda: len(batch.gateway.executed()) > 20))
        for _ in range(times):
            process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
        text = batch.log.read_text()
        self.assertIn(code, (LIMIT, IN_DOUBT, 130), text)
        self.assertNotIn("Sanitizer", text)
        self.assertEqual(batch.violations(finished=False), [], text)
        self.assertLess(len(batch.results()), batch.rows)


if __name__ == "__main__":
    unittest.main()
