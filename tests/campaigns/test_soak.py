"""What the campaign `soak` takes for growth."""

import pathlib
import random
import sys
import unittest

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


if __name__ == "__main__":
    unittest.main()
