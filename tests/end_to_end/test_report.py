"""`report`: the page as a browser shows it, and as the command writes it.

The pages are opened by Chromium, wide and as narrow as a phone, light and dark. What is asserted
there: nothing is logged, nothing is asked of the network, charts are drawn, filters filter, and no
text out of the results or the ledger becomes anything but text.
"""

import contextlib
import json
import re
import shlex
import signal
import sqlite3
import stat
import unittest

from browser import Browser
from cases import said, wait_until
from command_cases import ONE_BY_ONE, CommandTest, files_of, in_fives
from harness import ALL_PLACED, IN_DOUBT, PATIENT, UNWRITABLE, USAGE

DESKTOP = (1280, 900)
PHONE = (390, 844)
REGIONS = ["cn-shanghai", "cn-hangzhou", "eu-central-1"]
MARK = "<!DOCTYPE html>\n<!-- a report of sagorder -->\n"

# In every text that a results file, an input or a ledger can bring to the page.
HOSTILE = [
    "</script><script>document.title = 'taken'</script>",
    "<img src=x onerror=\"document.title = 'taken'\">",
    "<!--<script>",
    "{{script}} \"quoted\" 'single' `ticks` ${title}",
    "bell\x07 escape\x1b[31m tab\t",
    "\u202eturned\u202c \u2066\u061c \u0627\u0644\u0644\u0647 \u05d0\u05d1",
    "line\u2028separator\u2029",
    "long " + 3000 * "w",
    "=HYPERLINK(\"https://203.0.113.1/\")",
]


def data_of(page):
    """What the page was made of."""
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(block[1])


class ReportTest(CommandTest):
    """A batch, and the page of it."""

    def report(self, batch, *flags, page="report.html"):
        """@return the page's path"""
        done = batch.sagorder("report", batch.output, "-o", page, *flags)
        self.assertEqual((done.returncode, done.stderr), (ALL_PLACED, ""), said(done))
        return batch.folder / page

    def data(self, batch, *flags):
        return data_of(self.report(batch, *flags).read_text(encoding="utf-8"))

    def refused(self, batch, code, *words, page="report.html", **more):
        done = batch.sagorder("report", batch.output, "-o", page, **more)
        self.assert_ended(done, code, *words)

    def mixed(self, rows=40, **named):
        """Rows of several regions: some placed, rejected, in doubt, invalid, and tried again."""
        gateway = self.gateway(
            faults="code:QuotaExceeded@3,code:QuotaExceeded@9,close-after@5,"
            "code:InternalError@7,code:Throttling.User@12"
        )
        batch = self.quiet_batch(
            gateway,
            *(*ONE_BY_ONE, "--skip-invalid", *PATIENT),
            rows=rows,
            columns={
                "RegionId": lambda row: REGIONS[row % 3],
                "Period": lambda row: 13 if row == 20 else 12,
            },
            **{"rate": "200/s", **named},
        )
        return batch


class Page(ReportTest):
    """What the browser makes of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = Browser(*DESKTOP)
        cls.addClassCleanup(cls.browser.__exit__)
        cls.browser.__enter__()

    def opened(self, page, size=DESKTOP, dark=False):
        self.browser.show(*size, dark)
        self.browser.open(page)
        return self.browser

    def assert_quiet(self, browser):
        self.assertEqual(browser.errors(), [])
        self.assertEqual(browser.requests(), [])

    def painted(self, browser, part, colour):
        """How many pixels of a part's canvas have about this colour of the page."""
        return browser.run(
            """const canvas = document.querySelector(`#${arguments[0]} canvas`);
            const {width, height} = canvas;
            const copy = Object.assign(document.createElement('canvas'), {width, height});
            const context = copy.getContext('2d', {willReadFrequently: true});
            context.drawImage(canvas, 0, 0);
            const {data} = context.getImageData(0, 0, width, height);
            const hex = getComputedStyle(document.documentElement)
                .getPropertyValue(arguments[1]).trim().slice(1);
            const [red, green, blue] = [0, 2, 4].map((at) => parseInt(hex.substr(at, 2), 16));
            let count = 0;
            for (let i = 0; i < data.length; i += 4) {
              const off = [data[i] - red, data[i + 1] - green, data[i + 2] - blue];
              count += data[i + 3] > 200 && off.every((each) => Math.abs(each) < 40) ? 1 : 0;
            }
            return count;""",
            part,
            colour,
        )

    def assert_fits(self, browser):
        """A phone makes its window wider for a page that is, so it is not asked."""
        wide = browser.run("return document.documentElement.scrollWidth;")
        self.assertLessEqual(wide, browser.width, "the page is wider than the window")

    def shown_rows(self, browser, part):
        """The first cells of the lines that a table shows."""
        return browser.run(
            """return [...document.querySelectorAll(`#${arguments[0]} > .table tbody tr`)]
            .map((line) => line.firstChild.textContent);""",
            part,
        )

    def test_is_drawn_at_any_width_light_and_dark(self):
        batch = self.mixed()
        batch.run("--max-orders", "15")
        self.assert_ended(batch.run(), IN_DOUBT)
        page = self.report(batch)
        shots = set()
        backs = {}
        for size in (DESKTOP, PHONE):
            for dark in (False, True):
                with self.subTest(size=size, dark=dark):
                    browser = self.opened(page, size, dark)
                    for colour in ("--placed", "--refused", "--limit"):  # what lies on top
                        self.assertGreater(self.painted(browser, "pace", colour), 50, colour)
                    self.assertGreater(self.painted(browser, "latency", "--accent"), 1000)
                    shots.add(browser.screenshot())
                    self.assert_fits(browser)
                    backs[dark] = browser.run(
                        "return getComputedStyle(document.body).backgroundColor;"
                    )
                    self.assert_quiet(browser)
        self.assertEqual(len(shots), 4, "two of the pictures are the same")
        self.assertGreater(min(map(len, shots)), 20_000, "a picture is blank")
        self.assertNotEqual(backs[False], backs[True])

    def test_filters_and_sorting(self):
        batch = self.mixed()
        self.assert_ended(batch.run(), IN_DOUBT)
        browser = self.opened(self.report(batch))
        self.assertEqual(self.shown_rows(browser, "refused"), ["3", "9", "20"])
        type_in = """const input = document.querySelector(`#${arguments[0]} input`);
            input.value = arguments[1];
            input.dispatchEvent(new Event('input'));"""
        browser.run(type_in, "refused", "QUOTA")
        self.assertEqual(self.shown_rows(browser, "refused"), ["3", "9"])
        count = browser.run("return document.querySelector('#refused .count').textContent;")
        self.assertEqual(count, "2 of 3 shown")
        browser.run(type_in, "refused", "no such thing")
        self.assertEqual(self.shown_rows(browser, "refused"), [])
        browser.run(type_in, "refused", "")
        browser.run(
            """const select = document.querySelector('#refused select');
            select.selectedIndex = [...select.options].findIndex((o) => o.text === 'invalid');
            select.dispatchEvent(new Event('change'));"""
        )
        self.assertEqual(self.shown_rows(browser, "refused"), ["20"])
        self.assertEqual(self.shown_rows(browser, "doubts"), ["5", "7"])
        browser.run("document.querySelector('#doubts thead button').click();")
        browser.run("document.querySelector('#doubts thead button').click();")
        self.assertEqual(self.shown_rows(browser, "doubts"), ["7", "5"])
        self.assert_quiet(browser)

    def test_what_to_do_about_a_doubt_can_be_pasted(self):
        batch = self.mixed(output="it's $HOME; é.csv")
        self.assert_ended(batch.run(), IN_DOUBT)
        browser = self.opened(self.report(batch))
        commands = browser.run(
            "return [...document.querySelectorAll('#doubts code')].map((e) => e.textContent);"
        )
        self.assertEqual(len(commands), 5)
        looked = batch.sagorder(*shlex.split(commands[0])[1:])
        self.assertIn("too early", looked.stdout)
        arguments = shlex.split(commands[2].replace("'what shows it'", "'the console'"))
        self.assertEqual(arguments[0], str(batch.program))
        done = batch.sagorder(*arguments[1:])
        self.assert_ended(done, ALL_PLACED)
        self.assertIn("row 5 is not placed", done.stdout)
        browser = self.opened(self.report(batch))
        self.assertEqual(self.shown_rows(browser, "doubts"), ["7"])

    def test_text_equivalents(self):
        batch = self.mixed()
        self.assert_ended(batch.run(), IN_DOUBT)
        browser = self.opened(self.report(batch))
        labels = browser.run(
            "return [...document.querySelectorAll('[role=img]')].map((e) => e.ariaLabel);"
        )
        self.assertEqual(len(labels), 3)
        self.assertRegex(labels[0], "Of all rows: 35 placed, 2 rejected, 2 in doubt, 1 invalid")
        self.assertRegex(labels[1], r"^40 attempts in .* The limit was 200/s")
        self.assertRegex(labels[2], r"^39 answers.* p99 \d+ ms")
        bare = browser.run(
            """const count = (what, wrong) =>
                [...document.querySelectorAll(what)].filter(wrong).length;
            return count('input, select', (each) => each.labels.length === 0)
                + count('.scroll thead th', (each) => each.scope !== 'col')
                + count('.scroll tbody th', (each) => each.scope !== 'row');"""
        )
        self.assertEqual(bare, 0)

    def test_without_an_order_and_while_nothing_is_settled(self):
        batch = self.quiet_batch(self.gateway(latency="20s"), *ONE_BY_ONE)
        process = batch.start()
        self.wait_for_an_intent(batch)
        browser = self.opened(self.report(batch))
        standing = browser.run("return document.getElementById('standing').textContent;")
        self.assertIn("A run is going on.", standing)
        text = browser.run("return document.body.innerText;")
        self.assertIn("No answer has come yet.", text)
        self.assertIn("The results have no line yet.", text)
        self.assert_quiet(browser)
        process.send_signal(signal.SIGKILL)
        process.wait()
        browser = self.opened(self.report(batch))
        self.assertEqual(self.shown_rows(browser, "doubts"), ["1"])
        self.assertIn("sagorder run", browser.run("return document.body.innerText;"))
        self.assert_quiet(browser)

    def wait_for_an_intent(self, batch):
        def begun():
            return batch.ledger.exists() and bool(batch.ledger_records(live=True))

        self.assertTrue(wait_until(begun), "no attempt was begun")

    def test_hostile_texts_stay_texts(self):
        """Straight into ledger and results, past what the program itself would make harmless."""
        batch = self.mixed(rows=40)
        self.assert_ended(batch.run(), IN_DOUBT)
        batch.output.write_text("", encoding="utf-8")
        ledger = sqlite3.connect(batch.ledger)
        with ledger:
            for seq, text in enumerate(HOSTILE):
                ledger.execute(
                    "UPDATE outcome SET code = ?1, message = ?1, evidence = ?1, request_id = ?1, "
                    "kind = 4 WHERE seq IN (SELECT seq FROM outcome WHERE kind = 2 "
                    "ORDER BY row LIMIT 1)",
                    (f"{text} {seq}",),
                )
            everything = " ".join(HOSTILE)
            for name in ("input_path", "endpoint", "command", "created_at", "directory"):
                ledger.execute("UPDATE meta SET value = ? WHERE name = ?", (everything, name))
        ledger.close()
        for size in (DESKTOP, PHONE):
            with self.subTest(size=size):
                browser = self.opened(self.report(batch), size)
                title = browser.run("return document.title;")
                self.assertEqual(title, "results.csv: sagorder report")
                for name, wanted in (("script", 3), ("img", 0), ("style", 1), ("a", 0)):
                    found = browser.run(f"return document.getElementsByTagName('{name}').length;")
                    self.assertEqual(found, wanted, name)
                self.assertEqual(len(self.shown_rows(browser, "doubts")), 2 + len(HOSTILE))
                text = browser.run("return document.body.textContent;")
                self.assertIn(HOSTILE[0], text)
                self.assertIn("\\x1b[31m", text)
                self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\u2028-\u202e\u2066-\u2069]")
                self.assert_fits(browser)
                self.assert_quiet(browser)

    def test_hostile_cells_stay_texts(self):
        batch = self.mixed(rows=20)
        batch.options += ["--carry", "<b>Site</b>"]
        columns = {"<b>Site</b>": lambda row: HOSTILE[row % 4].replace("\x07", "")}
        batch.write_orders(
            20,
            columns={
                "RegionId": lambda row: "cn-shanghai" if row > 8 else HOSTILE[row % 4],
                "UserCount": in_fives,
                "Period": lambda row: 12 if row > 4 else HOSTILE[row % 4],
                **columns,
            },
        )
        self.assert_ended(batch.run(), IN_DOUBT)
        browser = self.opened(self.report(batch))
        text = browser.run("return document.getElementById('refused').textContent;")
        self.assertIn(HOSTILE[1], text)
        self.assertEqual(browser.run("return document.getElementsByTagName('img').length;"), 0)
        self.assert_quiet(browser)

    def test_the_policy_holds(self):
        """What is not named in it neither runs nor loads, were it to get into the page."""
        batch = self.mixed()
        self.assert_ended(batch.run(), IN_DOUBT)
        page = self.report(batch)
        text = page.read_text(encoding="utf-8")
        taken = "<script>document.title = 'taken'</script><img src='https://203.0.113.1/x'>"
        page.write_text(text.replace("<footer>", taken + "<footer>"), encoding="utf-8")
        browser = self.opened(page)
        self.assertIn("sagorder report", browser.run("return document.title;"))
        errors = "\n".join(browser.errors())
        self.assertIn("violates the following Content Security Policy directive", errors)
        self.assertEqual(browser.run("return document.images[0].naturalWidth;"), 0)


class Data(ReportTest):
    """What the page says, by its data."""

    def test_counts(self):
        batch = self.mixed()
        self.assert_ended(batch.run("--max-orders", "20"), IN_DOUBT)
        data = self.data(batch)
        wanted = {"rows": 40, "rejected": 2, "in_doubt": 2, "invalid": 1}
        self.assertEqual({name: data["totals"][name] for name in wanted}, wanted)
        placed = batch.statuses()["placed"]
        self.assertEqual(data["totals"]["placed"], placed)
        self.assertEqual(data["totals"]["not_sent"], 40 - 5 - placed)
        lines = [line for line in batch.results() if line["Status"] == "placed"]
        seats = sum(int(line["UserCount"]) for line in lines)
        self.assertEqual(data["totals"]["seats_placed"], seats)
        self.assertEqual(data["totals"]["seat_months_placed"], 12 * seats)
        self.assertEqual(sum(region["placed"] for region in data["regions"]["rows"]), placed)
        codes = {(code["code"], code["kind"]): code["answers"] for code in data["codes"]["rows"]}
        self.assertEqual(codes[("QuotaExceeded", "rejected")], 2)
        self.assertEqual(codes[("Throttling.User", "not_executed")], 1)
        self.assertEqual(codes[("closed", "in_doubt")], 1)
        self.assertIn("sagorder run", data["go_on"])

    def test_each_run_has_its_limit_and_its_orders(self):
        batch = self.mixed(rate="100/s")
        batch.run("--max-orders", "10")
        batch.options[batch.options.index("100/s")] = "unlimited"
        self.assert_ended(batch.run(), IN_DOUBT)
        batch.run()  # nothing is left: no run
        runs = self.data(batch)["runs"]
        self.assertEqual([run["limit"] for run in runs], ["100/s", "unlimited"])
        self.assertEqual([run["per_second"] for run in runs], [100, None])
        records = batch.ledger_records()
        self.assertEqual(
            sum(run["counts"][0] for run in runs), sum(each.kind == "intent" for each in records)
        )
        with contextlib.closing(sqlite3.connect(batch.ledger)) as ledger:
            kept = ledger.execute("SELECT value FROM meta WHERE name = 'runs'").fetchone()[0]
        self.assertEqual([run["rate"] for run in json.loads(kept)], ["100/s", "unlimited"])
        for run in runs:
            for what, count in enumerate(run["counts"]):
                self.assertEqual(sum(run["buckets"][what]), count)

    def test_a_ledger_of_an_older_program(self):
        batch = self.mixed()
        self.assert_ended(batch.run(), IN_DOUBT)
        ledger = sqlite3.connect(batch.ledger)
        with ledger:
            ledger.execute("DELETE FROM meta WHERE name = 'runs'")
        ledger.close()
        runs = self.data(batch)["runs"]
        self.assertEqual([run["limit"] for run in runs], [None])
        self.assertEqual(runs[0]["counts"][0], 40)

    def test_json_lines_lost_and_damaged_results(self):
        batch = self.mixed(output="results.jsonl")
        self.assert_ended(batch.run(), IN_DOUBT)
        data = self.data(batch)
        self.assertEqual(data["totals"]["lines"], 40)
        self.assertEqual(data["notes"], [])
        with open(batch.output, "a", encoding="utf-8") as results:
            results.write("nonsense\n")
        self.assertIn("is damaged", self.data(batch)["notes"][0])
        batch.output.unlink()
        data = self.data(batch)
        self.assertIn("there is no such results file", data["notes"][0])
        self.assertEqual(data["totals"]["placed"], 35)
        self.assertEqual(data["regions"]["rows"], [])

    def test_no_secret_and_no_key(self):
        batch = self.mixed()
        self.assert_ended(batch.run(), IN_DOUBT)
        page = self.report(batch).read_text(encoding="utf-8")
        for secret in ("testsecret", "testid", "AccessKeyId"):
            self.assertNotIn(secret, page)


class Output(ReportTest):
    """Where the page goes, and where not."""

    def finished(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run(), ALL_PLACED)
        return batch

    def test_is_private_and_replaced_whole(self):
        batch = self.finished()
        page = self.report(batch)
        self.assertEqual(stat.S_IMODE(page.stat().st_mode), 0o600)
        self.assertTrue(page.read_text(encoding="utf-8").startswith(MARK))
        before = page.stat().st_ino
        self.report(batch)
        self.assertNotEqual(page.stat().st_ino, before)
        names = sorted(path.name for path in batch.folder.glob("report*"))
        self.assertEqual(names, ["report.html"])

    def test_changes_nothing_else(self):
        batch = self.finished()
        before = files_of(batch)
        self.report(batch)
        after = files_of(batch)
        after.pop(batch.folder / "report.html")
        self.assertEqual(after, before)

    def test_never_over_what_is_no_report(self):
        batch = self.finished()
        before = files_of(batch)
        for page in (batch.output, batch.ledger, f"{batch.ledger}-wal"):
            self.refused(batch, USAGE, "the same file", page=page)
        self.refused(batch, USAGE, "is no report of sagorder", page=batch.input)
        (batch.folder / "link.html").symlink_to(batch.folder / "elsewhere")
        self.refused(batch, UNWRITABLE, "is a symbolic link", page="link.html")
        (batch.folder / "link.html").unlink()
        self.refused(batch, UNWRITABLE, "there is no directory", page="nowhere/report.html")
        self.refused(batch, USAGE, "standard output", page="-")
        self.assertEqual(files_of(batch), before)

    def test_other_results_and_no_ledger(self):
        batch = self.finished()
        other = self.finished()
        done = batch.sagorder(
            *("report", other.output, "--ledger", batch.ledger, "-o", "report.html")
        )
        self.assert_ended(done, USAGE, "is not the results file of this ledger")
        batch.ledger.unlink()
        self.refused(batch, USAGE, "the ledger of")

    def test_a_full_disk_leaves_the_page_before(self):
        batch = self.finished()
        page = self.report(batch)
        before = page.read_bytes()
        program = shlex.quote(batch.program)
        command = f"ulimit -f 8; exec {program} report results.csv -o report.html"
        process = batch.start_any(["/bin/sh", "-c", command])
        self.assertEqual(process.wait(timeout=60), UNWRITABLE, batch.log.read_text())
        self.assertEqual(page.read_bytes(), before)
        self.assertEqual(len(list(batch.folder.glob("report*"))), 1)

    def test_usage(self):
        batch = self.finished()
        self.assert_ended(batch.sagorder("report", batch.output), USAGE, "--output")
        done = batch.sagorder("reprot", batch.output)
        self.assert_ended(done, USAGE, "did you mean sagorder report?")


if __name__ == "__main__":
    unittest.main()
