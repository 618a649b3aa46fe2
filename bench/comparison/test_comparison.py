"""What bench/compare makes of what it measures, and how bench/hosts is called. No server is started
and nothing is timed."""

import os
import pathlib
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree as xml

import plot
import record
import request
import server
from clients import read_wrk
from rounds import figure, play, ratios

HERE = pathlib.Path(__file__).resolve().parent
COMPARE = HERE.parent / "compare"
SHIM = pathlib.Path(os.environ["SAGORDER_BUILD"]) / "bench/libsyncs_taken_out.so"

SHOWN = """\
String to sign
  ACS3-HMAC-SHA256

Request (*** hides secrets)
  POST /?AutoPay=true HTTP/1.1
  host: localhost:1
  x-acs-date: 2026-11-23T03:44:47Z
  authorization: ACS3-HMAC-SHA256 Credential=testid,Signature=***


1 orders, 5 seats
"""

WRK = """\
  Latency Distribution
     50%  250.00us
     75%    1.00ms
     99%    1.03s
  329144 requests in 3.01s, 60.00MB read
"""


class Request(unittest.TestCase):
    def test_is_what_dry_run_shows_with_a_signature_as_long(self):
        self.assertEqual(
            request.bytes_of(SHOWN),
            b"POST /?AutoPay=true HTTP/1.1\r\nhost: localhost:1\r\n"
            b"x-acs-date: 2026-11-23T03:44:47Z\r\n"
            b"authorization: ACS3-HMAC-SHA256 Credential=testid,Signature=" + b"0" * 64
            + b"\r\n\r\n")

    def test_is_the_same_for_wrk(self):
        script = request.wrk_script(request.bytes_of(SHOWN))
        self.assertIn('wrk.method = "POST"\nwrk.path = "/?AutoPay=true"\n', script)
        self.assertIn('wrk.headers["X-Acs-Date"] = "2026-11-23T03:44:47Z"\n', script)
        self.assertEqual(script.count("wrk.headers"), 3)


class Wrk(unittest.TestCase):
    def test_requests_and_latency_in_ms(self):
        self.assertEqual(read_wrk(WRK), (329144, {50: 0.25, 99: 1030.0}))

    def test_bad_answers_end_the_comparison(self):
        for words in ("  Non-2xx or 3xx responses: 5\n", "  Socket errors: connect 0, read 1\n"):
            with self.subTest(words), self.assertRaises(SystemExit):
                read_wrk(WRK + words)


class OrderIds(unittest.TestCase):
    def padded(self, number):
        """As nginx reads the map: the first expression that fits."""
        for line in server.paddings().splitlines():
            expression, value = re.fullmatch(r' *"~(.*)" (.*);', line).groups()
            if re.search(expression, number):
                return value.replace("$connection_requests", number)
        return ""

    def test_every_number_becomes_as_long(self):
        for length in range(1, server.DIGITS + 1):
            for number in ("1" + "0" * (length - 1), "9" * length):
                self.assertEqual(self.padded(number), number.zfill(server.DIGITS))


class Rounds(unittest.TestCase):
    def test_clients_take_turns_within_each_round(self):
        calls = []

        def measure(client, load):
            calls.append(f"{client}{load}")
            return type("Sample", (), {"client": client})

        samples = play(measure, ["a", "b"], [1, 2], 2)
        self.assertEqual(calls, ["a1", "b1", "a2", "b2"] * 2)
        self.assertEqual({key: len(value) for key, value in samples.items()},
                         {(0, "a"): 2, (0, "b"): 2, (1, "a"): 2, (1, "b"): 2})

    def test_a_ratio_is_made_within_its_round(self):
        # The machine was twice as slow in the second round, for both.
        told = ratios([2, 4, 3], [1, 2, 3], float)
        self.assertEqual((told.median, told.least, told.most), (2, 1, 2))

    def test_a_figure_shows_its_spread(self):
        self.assertEqual(f"{figure([3, 1, 2]):.1f}", "2.0 (1.0-3.0)")


class Record(unittest.TestCase):
    def test_a_new_section_stands_at_the_end(self):
        self.assertEqual(record.with_section("# T\n\nx\n", "A", "one\n"),
                         "# T\n\nx\n\n## A\n\none\n")

    def test_a_section_is_replaced_and_no_other(self):
        text = "# T\n\n## A and B\n\nkept\n\n## A\n\nold\n\n### of A\n\n## C\n\nkept\n"
        self.assertEqual(record.with_section(text, "A", "new"),
                         "# T\n\n## A and B\n\nkept\n\n## A\n\nnew\n\n## C\n\nkept\n")
        self.assertTrue(record.with_section(text, "C", "new").endswith("### of A\n\n## C\n\nnew\n"))

    def test_twice_is_once(self):
        once = record.with_section(record.FRAME, "A", "one")
        self.assertEqual(record.with_section(once, "A", "one"), once)


class Plot(unittest.TestCase):
    def points(self, drawn):
        root = xml.fromstring(drawn)
        lines = root.iter("{http://www.w3.org/2000/svg}polyline")
        return [[tuple(map(float, point.split(","))) for point in line.get("points").split()]
                for line in lines]

    def test_lies_within_its_picture_and_more_is_higher(self):
        drawn = plot.chart("a < b", "x", "y",
                           {"one": [(1, 10), (16, 5), (256, 0)], "two": [(4, 8)]})
        (first, second, third), (alone,) = self.points(drawn)
        self.assertLess(first[1], alone[1])
        self.assertLess(alone[1], second[1])
        self.assertEqual(third, (plot.WIDTH - plot.RIGHT, plot.HEIGHT - plot.BOTTOM))
        self.assertAlmostEqual(second[0], (first[0] + third[0]) / 2, delta=0.1)  # logarithmic
        self.assertGreaterEqual(first[1], plot.TOP)

    def test_grids_are_of_round_steps(self):
        self.assertEqual([plot.step_of(most) for most in (4, 9, 23, 60)], [1, 2, 5, 20])


class Commands(unittest.TestCase):
    def ended(self, *arguments):
        return subprocess.run([sys.executable, "-B", COMPARE, *arguments], capture_output=True,
                              text=True, check=False)

    def test_help_names_every_measure(self):
        done = self.ended("--help")
        self.assertEqual(done.returncode, 0)
        for measure in ("connections", "rows", "paced", "table"):
            self.assertIn(measure, done.stdout)

    def test_the_sdk_is_explained(self):
        done = self.ended("--against", "sdk")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--against sdk='PROGRAM {port} {requests} {ca}'", done.stdout)

    def test_wrong_words_are_refused(self):
        for words in (["--against", "name"], ["--rounds", "0"], ["--connections", "1,x"], ["all"]):
            with self.subTest(words):
                self.assertEqual(self.ended(*words).returncode, 2)


class Hosts(unittest.TestCase):
    def ended(self, *arguments):
        return subprocess.run([sys.executable, "-B", HERE.parent / "hosts", *arguments],
                              capture_output=True, text=True, check=False)

    def test_help_names_every_measure(self):
        done = self.ended("--help")
        self.assertEqual(done.returncode, 0)
        for measure in ("closed", "late", "start", "size"):
            self.assertIn(f"bench/hosts {measure} ", done.stdout)

    def test_wrong_words_are_refused(self):
        for words in (["all"], ["--hosts", "2,4"], ["--hosts", "1,0"]):
            with self.subTest(words):
                self.assertEqual(self.ended(*words).returncode, 2)


class Shim(unittest.TestCase):
    SYNC = "import os; os.fsync(os.pipe()[0]); os.fdatasync(os.pipe()[0])"

    def test_takes_syncs_out(self):
        """Of a pipe a sync fails, unless it is taken out."""
        for preload, good in (("", False), (str(SHIM), True)):
            done = subprocess.run([sys.executable, "-c", self.SYNC], capture_output=True,
                                  env=dict(os.environ, LD_PRELOAD=preload), check=False)
            self.assertEqual(done.returncode == 0, good, done.stderr)


if __name__ == "__main__":
    unittest.main()
