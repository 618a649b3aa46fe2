"""What the campaign of kills tries: every point as often as asked, in scenes that there are."""

import argparse
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "end_to_end")]

import kill  # noqa: E402  pylint: disable=wrong-import-position


class PlanTest(unittest.TestCase):
    def cases(self, passes, batches):
        campaign = kill.Kill()
        campaign.options = argparse.Namespace(passes=passes, batches=batches)
        cases = []
        while (case := campaign.case(len(cases), len(cases))) is not None:
            cases.append(case)
        return cases

    def test_every_point_is_tried_as_often_as_asked(self):
        for passes, batches in ((1, 0), (3, 7), (2, 500), (0, 4)):
            with self.subTest(passes=passes, batches=batches):
                cases = self.cases(passes, batches)
                tried = [case.split(":", 1)[1].rsplit(":", 1)[0] for case in cases if "at:" in case]
                self.assertEqual(sorted(tried), sorted(kill.POINTS * passes))
                self.assertEqual(sum(case.startswith("random:") for case in cases), batches)
                self.assertEqual(len(set(cases)), len(cases))
                self.assertTrue(all(kill.Kill().knows(case) for case in cases))

    def test_points_are_found_in_the_sources(self):
        for name in ("commit:durable", "append:piece", "resolve:committed", "request:written"):
            self.assertIn(name, kill.POINTS)

    def test_scenes(self):
        """Each point that is named here is one in the sources; each scene is one there is."""
        self.assertLessEqual({*kill.SCENES, *kill.ONCE}, set(kill.POINTS))
        for name in kill.POINTS:
            for scene in kill.scenes_of(name):
                self.assertTrue(callable(getattr(kill.Scene, scene)), scene)


if __name__ == "__main__":
    unittest.main()
