"""`check`, `run --dry-run` and arguments that cannot be meant: nothing is sent."""

import re
import shutil
import unittest

import harness
from cases import run_at_terminal, said, without
from command_cases import NO_KEYS, CommandTest, Nowhere
from harness import ALL_PLACED, INPUT, REPOSITORY, USAGE

BROKEN = REPOSITORY / "tests" / "data" / "csv" / "broken"
# Broken for the reader of plain CSV alone: what it is given is recognised before.
RECOGNISED = {
    "03-utf16-le.csv": "UTF-16LE",
    "04-utf16-be.csv": "UTF-16BE",
    "23-semicolons.csv": "semicolons between columns",
    "24-tabs.csv": "tabs between columns",
}


class Check(CommandTest):
    """`check` tells what a run would order, and everything that is wrong, and sends nothing."""

    def checked(self, text, *flags, name="orders.csv"):
        batch = self.batch(Nowhere())
        (batch.folder / name).write_bytes(text.encode())
        done = batch.sagorder("check", name, *flags)
        self.assert_no_files(batch)
        return done

    def test_totals(self):
        done = self.checked(
            "RegionId,Period,UserCount,AutoPay\n"
            "cn-shanghai,1,5,true\ncn-hangzhou,12,10,false\ncn-shanghai,2,20,true\n"
        )
        self.assert_ended(done, ALL_PLACED)
        table = [line.split() for line in done.stdout.splitlines()]
        self.assertIn(["cn-hangzhou", "1", "10", "120", "0"], table)
        self.assertIn(["cn-shanghai", "2", "25", "45", "2"], table)
        self.assertIn(["total", "3", "35", "165", "2"], table)
        self.assertIn("3 rows, 0 invalid, 0 errors, 0 warnings; nothing was sent", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_every_complaint_with_its_place(self):
        done = self.checked(
            "RegionId,Period,UserCount\ncn-shanghai,13,5\ncn-shanghai,1,5\ncn-shanghai,x,0\n"
        )
        self.assert_ended(done, INPUT, "3 rows, 2 invalid, 3 errors")
        places = [line.split(": ")[0] for line in done.stderr.splitlines()]
        self.assertEqual(places, ["orders.csv:2:13", "orders.csv:4:13", "orders.csv:4:15"])

    def test_warnings(self):
        text = "RegionId,Period,UserCount\ncn-shanghai,1,7\n"
        self.assert_ended(self.checked(text), ALL_PLACED, "orders.csv:2:15: warning: UserCount")
        self.assert_ended(self.checked(text, "--strict"), INPUT, "2:15: error: UserCount")

    def test_as_a_run_that_leaves_out_invalid_rows(self):
        text = "RegionId,Period,UserCount\ncn-shanghai,13,5\ncn-shanghai,1,5\n"
        done = self.checked(text, "--skip-invalid")
        self.assert_ended(done, ALL_PLACED, "2 rows, 1 invalid, 1 error", "2:13: error: Period")
        self.assert_ended(self.checked("RegionId,Perod\na,1\n", "--skip-invalid"), INPUT, "Perod")

    def test_as_a_run_that_allows_repeated_references(self):
        text = "RegionId,Period,UserCount,Reference\ncn-shanghai,1,5,a\ncn-shanghai,1,5,a\n"
        self.assert_ended(self.checked(text, "--skip-invalid"), INPUT)
        done = self.checked(text, "--allow-repeated-references")
        self.assert_ended(done, ALL_PLACED, "0 errors, 2 warnings", "warning: the Reference")

    def test_options_of_a_run_that_do_not_concern_it(self):
        text = "RegionId,Period,UserCount\ncn-shanghai,1,5\n"
        done = self.checked(text, "--ca-file", "pki/ca.pem")
        self.assert_ended(
            done, USAGE, "--ca-file is an option of run, doctor and reconcile; check sends nothing"
        )
        done = self.checked(text, "--ouput", "x.csv")
        self.assert_ended(done, USAGE, "unknown option of check: --ouput")

    def test_a_name_after_two_dashes(self):
        batch = self.batch(Nowhere())
        (batch.folder / "orders.csv").write_text("RegionId,Period,UserCount\ncn-shanghai,1,5\n")
        self.assert_ended(batch.sagorder("check", "--", "orders.csv"), ALL_PLACED, "1 row,")

    def test_what_is_no_csv_at_all(self):
        for text, words in (
            ("PK\x03\x04rest", "orders.csv:1:1: error: an Excel workbook or a ZIP archive"),
            ("cn-shanghai,1,5\ncn-shanghai,1,5\n", "is the line with the names missing?"),
        ):
            done = self.checked(text)
            self.assert_ended(done, INPUT, words)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_what_is_repeated_is_told_once(self):
        rows = "".join(f"cn-shanghai,1,{seats}\n" for seats in range(6, 1000, 5))
        done = self.checked("RegionId,Period,UserCount\ncn-shanghai,13,5\n" + rows)
        self.assert_ended(done, INPUT, "200 rows, 1 invalid, 1 error, 199 warnings")
        self.assertEqual(
            done.stderr.splitlines(),
            [
                'orders.csv:2:13: error: Period is "13": above 12 months it must be a multiple of '
                "12; write 12 or 24",
                'orders.csv:3:15: warning: UserCount is "6": the vendor\'s console offers multiples '
                "of 5 only (199 times like this: lines 3, 4, 5, 6, 7 and 194 more)",
            ],
        )

    def test_equal_rows(self):
        header = "RegionId,Period,UserCount,Name\n"
        rows = "cn-shanghai,1,5,a\ncn-shanghai,1,5,b\ncn-shanghai,1,5,a\n"
        done = self.checked(header + rows, "--carry", "Name")
        self.assert_ended(done, ALL_PLACED, "3 rows, 0 invalid, 0 errors, 1 warning;")
        self.assertEqual(
            done.stderr,
            "orders.csv: warning: 1 row is equal to an earlier row in every cell, and each is "
            "ordered: line 4 as 2\n",
        )
        done = self.checked(header + rows * 300, "--carry", "Name", "--strict")
        self.assert_ended(done, ALL_PLACED, "898 rows are equal", "lines 4 as 2, 5 as 2, 6 as 3, ")
        self.assertIn("7 as 2, 8 as 2 and 893 more\n", done.stderr)

    def test_empty(self):
        for text in ("", "\n\n"):
            with self.subTest(text=text):
                self.assert_ended(self.checked(text), INPUT, "orders.csv:1:1: error: ", "empty")

    def test_missing(self):
        batch = self.batch(Nowhere(), rows=1)
        self.assert_ended(batch.sagorder("check", "nowhere.csv"), INPUT, "nowhere.csv", "no such")
        batch.write_orders(1)
        for near in ("order.csv", "./Orders.csv", batch.folder / "ordres.csv"):
            done = batch.sagorder("check", near)
            self.assert_ended(done, INPUT, "no such", "orders.csv?", "did you mean")
        self.assert_ended(batch.sagorder("check", "x/y.csv"), INPUT, "or - for standard input")

    def test_standard_input(self):
        batch = self.batch(Nowhere(), rows=3)
        with open(batch.input, "rb") as stdin:
            done = batch.sagorder("check", "-", stdin=stdin)
        self.assert_ended(done, ALL_PLACED, "3 rows", "standard input:2:15: warning")

    def test_credentials_are_not_needed(self):
        batch = self.batch(Nowhere(), rows=3, env=NO_KEYS)
        self.assert_ended(batch.sagorder("check", batch.input), ALL_PLACED, "3 rows, 0 invalid")

    @unittest.skipUnless(BROKEN.is_dir(), "the broken inputs are not there")
    def test_broken_inputs_word_for_word(self):
        """The golden file holds what is said of every broken input; the two that have no record at
        all are `test_empty`'s."""
        golden = {}
        for line in BROKEN.with_suffix(".golden").read_text(encoding="utf-8").splitlines():
            golden.setdefault(line.split(":")[0], []).append(line)
        self.assertGreater(len(golden), 40)
        batch = self.batch(Nowhere())
        for name, lines in sorted(golden.items()):
            with self.subTest(name=name):
                shutil.copyfile(BROKEN / name, batch.folder / name)
                done = batch.sagorder("check", name)
                if name in RECOGNISED:
                    said = f"{name}: recognised: {RECOGNISED[name]}; --encoding and --delimiter"
                    self.assertTrue(done.stderr.startswith(said), done.stderr)
                    self.assertEqual(done.returncode, ALL_PLACED)
                    continue
                told = [line for line in done.stderr.splitlines() if "equal to an earlier" not in line]
                self.assertEqual(told, lines)
                errors = any(": error: " in line for line in lines)
                self.assertEqual(done.returncode, INPUT if errors else ALL_PLACED)


class DryRun(CommandTest):
    """`run --dry-run` shows the first request as it would be signed, and opens no connection."""

    def assert_shows(self, signature, *words):
        gateway = self.gateway()
        batch = self.quiet_batch(gateway, "--signature", signature)
        batch.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = "CanarySecret"
        done = batch.run("--dry-run")
        self.assert_ended(done, ALL_PLACED, "no connection was opened", "127.0.0.1", *words)
        self.assert_nothing_reached(gateway, connections=0)
        self.assert_no_files(batch)
        self.assertNotIn("CanarySecret", said(done))
        self.assertIn("Signature=***", done.stdout)
        self.assertIsNone(re.search(r"[^0]Signature=[^*]", done.stdout))
        return done

    def test_acs3(self):
        done = self.assert_shows("acs3-hmac-sha256", "string to sign", "ACS3-HMAC-SHA256")
        self.assertIn(
            "AutoPay=false&ChargeType=PREPAY&DataPlan=5&Period=1&RegionId=cn-shanghai&UserCount=5",
            done.stdout,
        )
        self.assertIn("x-acs-action:CreateSmartAccessGatewaySoftware", done.stdout)

    def test_hmac_sha1(self):
        self.assert_shows("hmac-sha1", "string to sign", "POST&%2F&AccessKeyId%3Dtestid")

    def test_without_anybody_listening(self):
        batch = self.quiet_batch(Nowhere())
        command = without(batch.command("--dry-run"), "--ca-file", str(Nowhere.ca))
        self.assert_ended(batch.sagorder(*command[1:]), ALL_PLACED, "no connection was opened")

    def test_without_credentials(self):
        batch = self.quiet_batch(self.gateway(), env=NO_KEYS)
        self.assert_ended(batch.run("--dry-run"), ALL_PLACED, "no credentials", "stand-in")

    def test_of_a_bad_input(self):
        batch = self.batch(self.gateway())
        batch.write_orders(2, period=13)
        self.assert_ended(batch.run("--dry-run"), INPUT, "nothing was sent")

    def test_the_batch_can_be_run_afterwards(self):
        batch = self.quiet_batch(self.gateway())
        batch.run("--dry-run")
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_the_host_follows_the_region(self):
        batch = self.quiet_batch(self.gateway())
        at = batch.command().index("--endpoint")
        command = batch.command("--dry-run")
        done = batch.sagorder(*command[1:at], *command[at + 2 :])
        self.assert_ended(done, ALL_PLACED, "smartag.cn-shanghai.aliyuncs.com")


class Usage(CommandTest):
    """Arguments that cannot be meant: exit 2, one sentence that names option, value and range."""

    def refused(self, *arguments):
        batch = self.batch(Nowhere(), rows=1)
        done = batch.sagorder(*arguments)
        self.assertEqual(done.returncode, USAGE, said(done))
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Asagorder: error: ")
        self.assert_no_files(batch)
        return done.stderr

    RUN = ("run", "orders.csv", "--output", "results.csv", "--yes")

    def test_values(self):
        for option, value, *words in (
            ("--rate", "0", "1 to 1000000"),
            ("--rate", "5/0s", "N/s"),
            ("--rate", "fast", "unlimited"),
            ("--burst", "0", "from 1 to"),
            ("--connections", "0", "from 1 to 4096"),
            ("--connections", "4097", "from 1 to 4096"),
            ("--connections", "1e3", "whole number"),
            ("--threads", "65", "from 1 to 64"),
            ("--max-in-flight", "65537", "from 1 to 65536"),
            ("--request-timeout", "60", "unit", "1s to 10m"),
            ("--request-timeout", "11m", "1s to 10m"),
            ("--connect-timeout", "1ms", "100ms to 2m"),
            ("--max-orders", "0", "from 1 to"),
            ("--max-orders", "-1", "from 1 to"),
            ("--max-seats", "many", "from 1 to"),
            ("--max-failures", "101%", "1% to 100%"),
            ("--max-doubts", "0", "from 1 to"),
            ("--max-doubts", "18446744073709551617", "from 1 to"),
            ("--endpoint", "http://127.0.0.1", "https://"),
            ("--endpoint", "https://127.0.0.1/path", "without a path"),
            ("--endpoint", "https://127.0.0.1:99999", "https://HOST:PORT"),
            ("--endpoint", "https://user:pass@host", "https://HOST"),
            ("--signature", "md5", "acs3-hmac-sha256", "hmac-sha1"),
            ("--http-method", "put", "post", "get"),
            ("--http-method", "get", "hmac-sha1"),
            ("--replay", "always", "never", "same-bytes"),
            ("--progress", "some", "auto", "bar", "plain", "json", "none"),
            ("--log-format", "xml", "text", "json"),
            ("--set", "Period", "NAME=VALUE"),
            ("--profile", ""),
        ):
            with self.subTest(option=option, value=value):
                text = self.refused(*self.RUN, f"{option}={value}")
                for word in (option, *words):
                    self.assertIn(word, text)

    def test_unknown_options_and_what_was_meant(self):
        for given, meant in (
            ("--max-order", "--max-orders"),
            ("--connection", "--connections"),
            ("--otuput", "--output"),
            ("--dryrun", "--dry-run"),
            ("--skip-invalids", "--skip-invalid"),
        ):
            with self.subTest(given=given):
                text = self.refused(*self.RUN, given)
                self.assertIn(given, text)
                self.assertRegex(text, rf"did you mean {meant}\?")

    def test_unknown_command(self):
        self.assertIn("did you mean sagorder status?", self.refused("statsu", "results.csv"))
        self.assertIn("run, check, status", self.refused("frobnicate"))

    def test_nothing(self):
        self.assertIn("run, check, status", self.refused())

    def test_missing_arguments(self):
        self.assertIn("--output", self.refused("run", "orders.csv"))
        self.assertIn("ORDERS", self.refused("run", "--output", "results.csv"))
        self.assertIn("--row", self.refused("resolve", "results.csv", "--placed", "1"))
        self.assertIn("--rate", self.refused(*self.RUN, "--rate"))

    def test_too_many_arguments(self):
        self.assertIn("more.csv", self.refused(*self.RUN, "more.csv"))

    def test_twice(self):
        self.assertIn("--rate", self.refused(*self.RUN, "--rate", "1", "--rate", "2"))

    def test_a_secret_is_no_argument(self):
        text = self.refused(*self.RUN, "--access-key-secret=CanarySecret")
        self.assertNotIn("CanarySecret", text)

    def test_files_that_are_the_same(self):
        for option in ("--output", "--ledger", "--summary"):
            with self.subTest(option=option):
                command = ["run", "orders.csv", "--output", "results.csv", option, "./orders.csv"]
                if option == "--output":
                    del command[2:4]
                self.assertIn("same file", self.refused(*command))

    def test_a_value_that_would_drive_the_terminal(self):
        text = self.refused(*self.RUN, "--rate=\x1b[2J\x07")
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\x07", text)

    def test_help(self):
        batch = self.batch(Nowhere())
        done = batch.sagorder("--help")
        self.assert_ended(done, ALL_PLACED, "run", "check", "status", "resolve", "exit codes")
        self.assert_ended(done, ALL_PLACED, "left out as invalid", "first interrupt", "certificate")
        self.assertEqual(done.stderr, "")
        done = batch.sagorder("run", "--help")
        self.assertEqual(done.returncode, ALL_PLACED)
        self.assertEqual(done.stderr, "")
        for option in (
            "output endpoint ca-file signature rate burst connections threads max-in-flight"
            " request-timeout max-orders max-seats max-failures max-doubts replay ledger set carry"
            " strict dry-run yes profile progress quiet log-format summary metrics metrics-listen"
            " skip-invalid again"
        ).split():
            self.assertIn(f"--{option} ", done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)
        for command in ("check", "status", "resolve"):
            self.assert_ended(batch.sagorder(command, "--help"), ALL_PLACED, "usage")

    def test_help_tells_the_commands_own_exit_codes(self):
        wanted = {
            "run": {0, 1, 2, 3, 4, 5, 6, 70, 74, 75, 130},
            "check": {0, 2, 4, 6, 70, 74},
            "status": {0, 2, 70, 74},
            "resolve": {0, 2, 70, 74, 75},
            "results": {0, 2, 4, 70, 74, 75},
            "config": {0, 2, 70},
        }
        for command, codes in wanted.items():
            with self.subTest(command=command):
                self.assertEqual(harness.exit_codes_told(str(harness.SAGORDER), command), codes)

    def test_help_fits_the_terminal(self):
        commands = "run check status resolve report rows doctor reconcile results".split()
        for columns in (40, 80):
            for command in ((), *((command,) for command in commands), ("config",)):
                with self.subTest(columns=columns, command=command):
                    code, shown = run_at_terminal(
                        [str(harness.SAGORDER), *command, "--help"],
                        cwd=REPOSITORY,
                        env=harness.program_environment(self.folder()),
                        columns=columns,
                    )
                    self.assertEqual(code, ALL_PLACED)
                    self.assertIn("Exit codes:", shown)
                    # A name that nobody can break may be longer, and then alone in its line.
                    long = [line for line in shown.splitlines() if len(line) > columns]
                    self.assertEqual([line for line in long if " " in line.strip()], [], shown)

    def test_version(self):
        done = self.batch(Nowhere()).sagorder("--version")
        self.assertEqual(done.returncode, ALL_PLACED)
        library = r"\d+\.\d+\.\d+ \(built with \d+\.\d+\.\d+\)"
        self.assertRegex(
            done.stdout,
            r"\Asagorder \d+\.\d+\.\d+\n(commit [0-9a-f]{12}(, with changes)?\n)?"
            r"build (Release|Debug), (clan)?g\+\+ \d+\.\d+\.\d+.*\n"
            rf"OpenSSL {library}\nSQLite {library}\nBoost \d+\.\d+ \(headers alone\)\n\Z",
        )
        self.assertNotRegex(done.stdout, r"20\d\d-|\d:\d\d|/")  # no date, no time, no path
