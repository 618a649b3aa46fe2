"""The pages for users do what they say: their commands, read from the page, print what it shows."""

import unittest

import pages
from database import Server
from harness import REPOSITORY, is_sanitized

SAMPLES = REPOSITORY / "samples"


class Pages(unittest.TestCase):
    def assert_true_page(self, text, least, path=None):
        """All that a page shows, in one shell. `least`: how many commands it has at least, or the
        reader has lost some."""
        steps = pages.steps_of(text)
        with pages.temporary() as folder:
            # What users install, where it can be installed.
            path = path or (pages.built() if is_sanitized() else pages.installed(folder))
            printed = pages.Session(path, folder).run(steps)
        shown = 0
        for step, text in zip(steps, printed):
            if step.expected is None:
                self.assertEqual(text, "", step.command)
                continue
            shown += 1
            if not pages.agrees(text, step):
                self.fail(
                    f"$ {step.command}\n--- the page says\n"
                    f"{pages.masked(step.expected, step.numbers_differ)}\n--- it prints\n"
                    f"{pages.masked(text, step.numbers_differ)}"
                )
        self.assertGreaterEqual(shown, least)

    def test_the_first_hour(self):
        self.assert_true_page((SAMPLES / "first_hour.md").read_text(encoding="utf-8"), 18)

    def test_the_onboarding(self):
        page = (SAMPLES / "onboarding" / "README.md").read_text(encoding="utf-8")
        self.assert_true_page(page, 8)

    def test_the_tour(self):
        """Of the README, up to the run that is killed: which rows that strikes is chance."""
        text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
        tour = text.partition("\n## A tour\n")[2]
        self.assert_true_page(tour.partition("**The same command again resumes.**")[0], 5)


    def test_several_hosts(self):
        """Of the README, on the tour's gateway and a server of the test's own."""
        text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
        tour = text.partition("\n## A tour\n")[2].partition("The file has one order a line.")[0]
        page = text.partition("\n### Several hosts\n")[2].partition("\n## ")[0]
        with Server() as server:
            uri = server.new_database()
            page = page.replace("postgresql://db.example/orders", f"'{uri}'")
            self.assert_true_page(tour + page.replace("$ledger", '"$ledger"'), 5)


class Reader(unittest.TestCase):
    """The reader of pages sees what is wrong with one."""

    def step(self, block, comment=""):
        (step,) = pages.steps_of(f"{comment}```\n{block}```\n")
        return step

    def test_commands_and_what_they_print(self):
        steps = pages.steps_of("a\n```\nexport A=1\n```\n```\n$ b \\\n    c\nd\n$ e\n```\n")
        self.assertEqual(
            [(step.command, step.expected) for step in steps],
            [("export A=1\n", None), ("b \\\n    c", "d\n"), ("e", "")],
        )
        here = self.step("$ cat > f <<'END'\n  a\nEND\nb\n")
        self.assertEqual((here.command, here.expected), ("cat > f <<'END'\n  a\nEND", "b\n"))
        later = self.step("$ a &\n  b; wait $!\nc\n")
        self.assertEqual((later.command, later.expected), ("a &\n  b; wait $!", "c\n"))

    def test_what_differs_is_seen(self):
        step = self.step("$ a\nplaced 3 at 2026-11-23T07:51:31.298Z in 0.1 s\n...\nend\n")
        self.assertTrue(
            pages.agrees("placed 3 at 2027-01-01T00:00:00Z in 12.5 s\nx\ny\nend\n", step)
        )
        self.assertFalse(pages.agrees("placed 4 at 2027-01-01T00:00:00Z in 12.5 s\nx\nend\n", step))
        self.assertFalse(pages.agrees("placed 3 at 2027-01-01T00:00:00Z in 12.5 s\nx\n", step))
        self.assertFalse(pages.agrees("", step))
        within = self.step("$ a\nexpires ... end\n")
        self.assertTrue(pages.agrees("expires 2027 end\n", within))
        self.assertFalse(pages.agrees("expires 2027\nend\n", within))

    def test_numbers_that_differ_are_said_to(self):
        block = "$ a\n  placed   3\n"
        self.assertFalse(pages.agrees("  placed  12\n", self.step(block)))
        commented = self.step(block, "<!-- numbers differ -->\n")
        self.assertTrue(pages.agrees("  placed  12\n", commented))
        self.assertFalse(pages.agrees("  rejected  12\n", commented))

    def test_what_is_no_part_of_it_is_passed_over(self):
        step = self.step("$ a\ninfo  b\n")
        printed = "2026-11-23 07:51:30Z  info  b\n11 of 60 rows: placed 10, 34.2/s\n"
        self.assertTrue(pages.agrees(printed, step))

    def test_a_wrong_page_is_refused(self):
        page = "```\n$ echo right\nright\n$ false; echo $?\n1\n```\n"
        Pages.assert_true_page(self, page, 2, path=pages.built())
        for wrong in (page.replace("\nright", "\nwrong"), page.replace("\n1\n", "\n0\n")):
            with self.assertRaises(AssertionError):
                Pages.assert_true_page(self, wrong, 2, path=pages.built())
        with self.assertRaises(AssertionError):
            Pages.assert_true_page(self, page, 3, path=pages.built())


if __name__ == "__main__":
    unittest.main()
