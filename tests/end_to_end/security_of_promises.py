"""The tests that SECURITY.md names exist, so that a promise does not outlive its test."""

import re
import unittest

from harness import REPOSITORY

TESTS = REPOSITORY / "tests"


def named():
    """The test names of the page's table."""
    lines = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8").split("\n")
    rows = [line.split("|") for line in lines if line.startswith("| ") and "`" in line]
    return [name for row in rows for name in re.findall(r"`(\w+\.\w+)`", row[2])]


def exists(name):
    first, second = name.split(".")
    module = TESTS / "end_to_end" / f"{first}.py"
    if module.exists():
        return f"\nclass {second}(" in module.read_text(encoding="utf-8")
    wanted = re.compile(rf"^TEST(_F|_P)?\({first}, {second}\)", re.MULTILINE)
    sources = [*TESTS.glob("io/*.cpp"), *TESTS.glob("engine/*.cpp")]
    return any(wanted.search(source.read_text(encoding="utf-8")) for source in sources)


class Promises(unittest.TestCase):
    def test_each_has_its_tests(self):
        names = named()
        self.assertGreater(len(names), 25)
        self.assertEqual([name for name in names if not exists(name)], [])
