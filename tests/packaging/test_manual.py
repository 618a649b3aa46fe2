"""The man pages as they are installed: whole, and without a warning of three readers."""

import gzip
import re
import unittest

from built import PAGES, SAGORDER, run

MAN = PAGES / "man" / "man1"


class Manual(unittest.TestCase):
    def test_a_page_for_each_command_and_one_for_each_program(self):
        commands = re.findall(r"^  (\w+)  ", run(SAGORDER, "--help").stdout, re.MULTILINE)
        self.assertIn("run", commands)
        expected = {f"sagorder-{command}.1" for command in commands}
        expected |= {"sagorder.1", "sagorder-gateway.1"}
        self.assertEqual({page.name for page in MAN.iterdir()}, expected)

    def test_no_reader_warns(self):
        for page in sorted(MAN.iterdir()):
            with self.subTest(page.name):
                linted = run("mandoc", "-T", "lint", "-W", "warning", page)
                self.assertEqual((linted.stdout, linted.returncode), ("", 0))
                typeset = run("groff", "-man", "-ww", "-Tutf8", "-z", page)
                self.assertEqual((typeset.stderr, typeset.returncode), ("", 0))
                shown = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
                self.assertEqual((shown.stderr, shown.returncode), ("", 0))

    def test_what_a_reader_sees(self):
        text = run("mandoc", "-T", "ascii", MAN / "sagorder-run.1").stdout
        text = re.sub(".\b", "", text)
        self.assertIn("sagorder run ORDERS --output RESULTS [option ...]", text)
        self.assertRegex(text, r"--log-format text\|json\n\s+default: text")
        self.assertRegex(text, r"130\s+second interrupt")
        whole = re.sub(".\b", "", run("mandoc", "-T", "ascii", MAN / "sagorder.1").stdout)
        for section in ("COMMANDS", "EXAMPLES", "ENVIRONMENT", "FILES", "SIGNALS", "EXIT STATUS"):
            self.assertRegex(whole, rf"(?m)^{section}$")
        # A tag is one line of the source, or its end is taken for the text.
        self.assertRegex(whole, r"config\.toml,\s+sagorder\.toml\n {14}Settings")

    def test_packed_pages_are_the_same(self):
        for page in MAN.iterdir():
            packed = (PAGES / "gz" / "man1" / (page.name + ".gz")).read_bytes()
            self.assertEqual(gzip.decompress(packed), page.read_bytes())
            self.assertEqual(packed[4:8], b"\0\0\0\0", "a time would make each build another")


if __name__ == "__main__":
    unittest.main()
