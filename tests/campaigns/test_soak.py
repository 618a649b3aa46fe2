"""What the campaign `soak` takes for growth, and for a run that was stopped."""

import pathlib
import random
import sys
import threading
import time
import unittest
import unittest.mock

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "end_to_end")]

import soak  # noqa: E402  pylint: disable=wrong-import-position


def memory(samples, leak_mib, warm_up_mib=8.0):
    """A program that fills its caches, and then loses so much until its end."""
    chance = random.Random(1)
    warm = samples // 5
    return [
        12.0 + warm_up_mib * min(i / warm, 1) + leak_mib * i / samples + chance.uniform(-0.3, 0.3)
        for i in range(samples)
    ]


class GrowthTest(unittest.TestCase):
    def test_warm_up_and_noise_are_no_growth(self):
        self.assertLess(soak.growth(memory(1000, 0)), 0.2)
        self.assertEqual(soak.complaints_of_samples(memory(1000, 0), [20, 40]), [])

    def test_a_leak_is_growth(self):
        self.assertAlmostEqual(soak.growth(memory(1000, 12)), 12 * 0.8 / 3, delta=0.2)
        (complaint,) = soak.complaints_of_samples(memory(1000, 12), [20])
        self.assertIn("memory grew by 3.", complaint)

    def test_few_samples_say_nothing(self):
        self.assertIsNone(soak.growth(memory(20, 100)))
        self.assertEqual(soak.complaints_of_samples([], []), [])

    def test_descriptors(self):
        most = soak.CONNECTIONS + soak.OTHER_DESCRIPTORS
        self.assertEqual(soak.complaints_of_samples([], [most]), [])
        self.assertEqual(len(soak.complaints_of_samples([], [3, most + 1, 3])), 1)

    def test_faults_are_one_request_in_a_thousand(self):
        odds = soak.faults().replace(soak.OF_CONNECTIONS, "").strip(",").split(",")
        self.assertAlmostEqual(sum(float(each.split("=")[1]) for each in odds), 0.001)


class Stopped(soak.Soak):
    """Is stopped once some orders were executed."""

    def run(self, batch, pause):
        thread = threading.Thread(target=self.stop_later, args=(batch.gateway,))
        thread.start()
        try:
            return super().run(batch, pause)
        finally:
            thread.join()

    def stop_later(self, gateway):
        deadline = time.monotonic() + 30
        while len(gateway.executed()) < 10 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.stop.asked = True


class StopTest(unittest.TestCase):
    def test_a_run_that_is_stopped_is_judged_by_what_it_reached(self):
        """Also with a doubt, which is its exit code then."""
        with unittest.mock.patch("soak.faults", lambda: "close-after@2"):
            trial = Stopped().trial("2:100:1")
        self.assertEqual(trial.violations, [])
        self.assertEqual(trial.counts["orders in doubt"], 1)
        self.assertLess(trial.counts["orders done"], 12_000, "the batch ran to its end")


if __name__ == "__main__":
    unittest.main()
