"""The commands that a run and `status` propose truly go on, also where a plan fixes the options."""

import json
import re
import sqlite3
import subprocess
import time

from command_cases import ONE_BY_ONE
from deciding_plan import HALF, PlanTest
from harness import ALL_PLACED, INPUT, LIMIT, SAGORDER, SOME_REJECTED


class Advice(PlanTest):
    """Each proposal is pasted into a shell, as it was printed."""

    def paste(self, batch, *commands):
        """The exit code of the last one; those before it must succeed."""
        env = {**batch.env, "PATH": f"{SAGORDER.parent}:{batch.env['PATH']}"}
        for number, command in enumerate(commands, 1):
            self.assertTrue(command, commands)
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                cwd=batch.folder,
                env=env,
                check=False,
            )
            if number < len(commands):
                self.assertEqual(done.returncode, ALL_PLACED, done.stdout)
        return done.returncode

    def status(self, batch):
        told = batch.sagorder("status", batch.output)
        self.assert_ended(told, ALL_PLACED)
        as_json = json.loads(batch.sagorder("status", "--json", batch.output).stdout)
        for name in ("plan_command", "next_command"):
            self.assertIn(as_json[name], told.stdout)
        return told.stdout, as_json["plan_command"], as_json["next_command"]

    def proposed(self, batch, done):
        summary = batch.summary()
        for name in ("plan_command", "next_command"):
            self.assertIn(summary[name], done.stderr)
        return summary["plan_command"], summary["next_command"]

    def lose_canary(self, batch, *extra):
        """Its second row is rejected."""
        done = self.keep(batch, *extra) if hasattr(batch, "plan") else batch.run(*extra)
        self.assert_ended(done, LIMIT, "canary: of the batch's orders so far 1 are placed, 1 rej")
        return done

    def refusing_gateway(self):
        return self.gateway(faults="code:QuotaExceeded@2")

    def test_status_after_a_canary_that_was_rejected(self):
        batch = self.quiet_batch(self.refusing_gateway(), *ONE_BY_ONE)
        self.lose_canary(batch, "--canary=3")
        text, new_plan, command = self.status(batch)
        self.assertIn("rows were rejected, so the canary holds the rest", text)
        self.assertEqual(new_plan, "")
        page = batch.folder / "report.html"
        self.assert_ended(batch.sagorder("report", batch.output, "-o", page), ALL_PLACED)
        self.assertNotIn("--canary", page.read_text())
        self.assertEqual(self.paste(batch, command), SOME_REJECTED)
        self.assertEqual(self.ordered_rows(batch), [1, 3, 4, 5, 6])

    def test_status_while_the_canary_waits_for_a_doubt(self):
        batch = self.quiet_batch(self.gateway(faults="close-after@1"), *ONE_BY_ONE)
        batch.run("--canary", "2")
        text, _, command = self.status(batch)
        self.assertIn("the canary waits for the rows in doubt: settle them\n", text)
        placed_as = batch.gateway.executed()[0]["order_id"]
        told = batch.sagorder("resolve", batch.output, "--row", "1", "--placed", placed_as)
        self.assertNotIn("waits", told.stdout)
        self.assertIn(command, told.stdout)
        self.assertEqual(self.paste(batch, command), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_a_canary_that_has_passed(self):
        batch = self.quiet_batch(self.gateway(), *ONE_BY_ONE)
        done = batch.run("--canary", "3", "--max-orders", "3")
        self.assert_ended(done, LIMIT, "; the first 3 alone, until they are placed (--canary)")
        done = batch.run("--canary", "3")
        self.assert_ended(done, ALL_PLACED, "; the first 3 are placed (--canary)")
        self.assertNotIn("alone", done.stderr)

    def test_a_planned_canary_that_was_rejected(self):
        gateway = self.refusing_gateway()
        batch = self.planned("--canary", "3", "--max-seats", "900", gateway=gateway)
        batch.options = [*batch.options, *ONE_BY_ONE]
        done = self.lose_canary(batch, "--canary", "3", "--max-seats", "900")
        self.assertIn("all the same, by a new plan:", done.stderr)
        commands = self.proposed(batch, done)
        text, *later = self.status(batch)
        self.assertIn("first, make a new plan:\n", text)
        self.assertEqual(tuple(later), commands)
        self.assertEqual(self.paste(batch, *commands), SOME_REJECTED)
        self.assertEqual(self.ordered_rows(batch), [1, 3, 4, 5, 6])

    def test_a_limit_that_the_plan_holds(self):
        batch = self.planned(*HALF)
        done = self.keep(batch, *HALF)
        self.assert_ended(done, LIMIT, "buys as much again, by the same plan:  run=")
        self.assertEqual(batch.summary()["plan_command"], "")
        self.assertEqual(self.paste(batch, batch.summary()["next_command"]), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_a_limit_that_nothing_fits_in(self):
        batch = self.planned("--max-seats", "4")
        done = self.keep(batch, "--max-seats", "4")
        self.assert_ended(done, LIMIT, "fit in --max-seats; without it, by a new plan:")
        self.assertEqual(self.paste(batch, *self.proposed(batch, done)), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_without_a_plan_the_option_alone(self):
        batch = self.quiet_batch(self.gateway())
        done = batch.run(*HALF)
        self.assert_ended(done, LIMIT, "as much again, and without --max-orders the rest:  run=")
        self.assertEqual(self.paste(batch, self.proposed(batch, done)[1]), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_a_limit_that_nothing_fits_in_is_left_out(self):
        batch = self.quiet_batch(self.gateway())
        done = batch.run("--max-seats", "4")
        words = "The next row does not fit in --max-seats; without it:  run="
        self.assert_ended(done, LIMIT, words)
        command = self.proposed(batch, done)[1]
        self.assertNotIn("--max-seats", command)
        self.assertEqual(self.paste(batch, command), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_a_limit_of_a_file_is_raised_there(self):
        batch = self.quiet_batch(self.gateway())
        (batch.folder / "sagorder.toml").write_text("max-seats = 4\n")
        self.assert_ended(batch.run(), LIMIT, "raise it at sagorder.toml:1:13, then the same")

    def test_only_limits_differ_from_the_plan(self):
        batch = self.planned("--max-orders", "100", "--max-seats", "900")
        done = self.keep(batch, "--max-orders", "2", "--max-doubts", "5")
        self.assert_ended(done, INPUT, "3 differences", "give what was planned:  ")
        (command,) = re.findall(r"give what was planned:  (.*)", done.stderr)
        self.assertEqual(self.paste(batch, command), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_a_plan_that_expired_meanwhile(self):
        batch = self.planned(*HALF, "--plan-expires", "3s")
        self.assert_ended(self.keep(batch, *HALF), LIMIT)
        self.assertEqual(self.status(batch)[1], "")
        time.sleep(3)
        text, *commands = self.status(batch)
        self.assertIn("the plan has expired, or is not there\nfirst, make a new plan:\n", text)
        done = self.keep(batch, *HALF)
        self.assert_ended(done, INPUT, "expired at", "make a new plan first:  ", commands[0])
        self.assertEqual(self.paste(batch, *commands), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_a_plan_that_expires_under_way(self):
        gateway = self.gateway(latency="900ms")
        batch = self.planned(*HALF, "--plan-expires", "2s", gateway=gateway)
        batch.options = [*batch.options, *ONE_BY_ONE]
        done = self.keep(batch, *HALF)
        self.assert_ended(done, LIMIT, "The plan has expired, so make a new one first. ")
        self.assertEqual(self.paste(batch, *self.proposed(batch, done)), ALL_PLACED)

    def test_a_new_plan_has_all_that_the_old_one_had(self):
        """Settings of a file and of variables too, which `check` would read otherwise."""
        batch = self.quiet_batch(self.gateway(), "--strict", "--carry", "Note", columns={"Note": "x"})
        batch.plan = batch.folder / "the plan.json"
        (batch.folder / "sagorder.toml").write_text(
            "[run]\nmax-doubts = 4\nset = ['DataPlan=5']\n[check]\nmax-seat-months = 7\n"
        )
        batch.env["SAGORDER_MAX_FAILURES"] = "7%"
        limits = ("--max-orders", "1", "--max-seats", "900")
        other = ("--canary", "1", "--delimiter", "comma", "--encoding", "UTF-8")
        self.assert_ended(self.make(batch, "--carry", "Note"), ALL_PLACED)
        refused = self.keep(batch, *limits, *other)
        self.assert_ended(refused, INPUT, "is not for this run")
        new_plan = re.search(r"make a new plan first:  (.*)", refused.stderr).group(1)
        self.assertEqual(self.paste(batch, new_plan), ALL_PLACED)
        self.assert_ended(self.keep(batch, *limits, *other), LIMIT, "stopped: --max-orders: ")

    def test_an_older_ledger_names_its_last_command(self):
        batch = self.quiet_batch(self.refusing_gateway(), *ONE_BY_ONE)
        self.lose_canary(batch, "--canary", "3")
        self.forget_how_to_go_on(batch)
        self.assertIn("--canary 3", self.status(batch)[2])

    def forget_how_to_go_on(self, batch):
        with sqlite3.connect(batch.ledger) as ledger:
            ledger.execute("DELETE FROM meta WHERE name = 'going_on'")
        ledger.close()
