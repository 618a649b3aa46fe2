"""The kill points are in the program that is built for them, and in no other: not a name, not a
symbol, not a byte."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "end_to_end")]

from harness import SAGORDER  # noqa: E402  pylint: disable=wrong-import-position
from kill import POINTS, PROGRAM_WITH_POINTS  # noqa: E402  pylint: disable=wrong-import-position

TRACES = ("SAGORDER_KILL", "kill_point", "piece_of", *POINTS)


def traces_in(program):
    """Which of the traces stand anywhere in its bytes: strings, symbols (which are not stripped in
    the build), debugging information."""
    found = pathlib.Path(program).read_bytes()
    return [trace for trace in TRACES if trace.encode() in found]


class KillPointsTest(unittest.TestCase):
    def test_the_program_tells_of_none(self):
        self.assertEqual(traces_in(SAGORDER), [])
        self.assertIn(b"sagorder", SAGORDER.read_bytes(), "the search finds nothing at all")

    def test_the_program_for_tests_has_them_all(self):
        missing = {"piece_of"}  # computed while compiling
        self.assertEqual(set(TRACES) - set(traces_in(PROGRAM_WITH_POINTS)) - missing, set())


if __name__ == "__main__":
    unittest.main()
