"""A plan: what `check --plan` writes is what `run --plan` keeps to, once, and until it expires."""

import json
import re
import shlex
import time

from cases import replaced, said
from command_cases import NO_KEYS, ONE_BY_ONE, CommandTest, Nowhere
from harness import ALL_PLACED, CREDENTIALS, INPUT, LIMIT, USAGE

HALF = ("--max-orders", "3")


class PlanTest(CommandTest):
    """A batch and a plan of it."""

    def planned(self, *limits, gateway=None, **named):
        batch = self.quiet_batch(gateway or self.gateway(), **named)
        batch.plan = batch.folder / "plan.json"
        done = self.make(batch, *limits)
        self.assert_ended(done, ALL_PLACED, "plan.json", "nothing was sent")
        return batch

    def make(self, batch, *limits, **more):
        return batch.sagorder(
            *("check", batch.input, "--plan", batch.plan, "--rate", "unlimited"),
            *("--endpoint", batch.gateway.endpoint, *limits),
            **more,
        )

    def keep(self, batch, *extra, **more):
        return batch.run("--plan", batch.plan, *extra, **more)

    def assert_refused(self, batch, *words, **more):
        done = self.keep(batch, **more)
        self.assert_ended(done, INPUT, "nothing was sent", *words)
        self.assert_nothing_reached(batch.gateway, connections=0)
        return done

    def content(self, batch):
        return json.loads(batch.plan.read_text())


class Plan(PlanTest):
    """What is in a plan, and who may use it."""

    def test_it_says_what_will_be_bought(self):
        batch = self.planned("--max-orders", "5", "--max-failures", "20%", "--canary", "2")
        plan = self.content(batch)
        self.assertEqual(
            plan["totals"], {"orders": 6, "seats": 105, "seat_months": 105, "paid_at_once": 0}
        )
        self.assertEqual(plan["regions"], {"cn-shanghai": plan["totals"]})
        self.assertEqual(
            plan["limits"],
            {
                "rate": "unlimited",
                "max_orders": 5,
                "max_seats": None,
                "max_seat_months": None,
                "max_doubts": 10,
                "max_failures": "20%",
                "canary": 2,
                "replay": "never",
            },
        )
        self.assertEqual(plan["access_key_id"], "testid")
        self.assertRegex(plan["input_sha256"], r"\A[0-9a-f]{64}\Z")
        self.assertRegex(plan["digest"], r"\A[0-9a-f]{64}\Z")
        self.assertIn(plan["endpoint"], batch.gateway.endpoint)
        self.assertNotIn("testsecret", batch.plan.read_text())
        self.assertEqual(batch.plan.stat().st_mode & 0o777, 0o600)
        self.assert_no_files(batch)

    def test_kept_by_a_run_and_by_its_resumes(self):
        batch = self.planned(*HALF)
        self.assert_ended(self.keep(batch, *HALF), LIMIT, "stopped: --max-orders: ")
        self.assertEqual(len(batch.gateway.executed()), 3)
        self.assert_ended(self.keep(batch, *HALF), ALL_PLACED)
        self.assert_all_ordered_once(batch)
        self.assert_ended(self.keep(batch, *HALF), ALL_PLACED)
        self.assertEqual(len(batch.gateway.executed()), batch.rows)

    def test_another_batch_may_not_use_it(self):
        batch = self.planned(*HALF)
        self.assert_ended(self.keep(batch, *HALF), LIMIT)
        other = replaced(
            batch.command("--plan", batch.plan, *HALF, "--again"),
            output=batch.folder / "other.csv",
        )
        done = batch.sagorder(*other[1:])
        self.assert_ended(done, INPUT, "plan.json: was used before", str(batch.ledger))
        self.assertEqual(len(batch.gateway.executed()), 3)
        # A plan of its own lets it begin, knowingly.
        self.assert_ended(self.make(batch, *HALF), ALL_PLACED)
        self.assert_ended(batch.sagorder(*other[1:]), LIMIT)
        self.assertEqual(len(batch.gateway.executed()), 6)

    def test_a_run_that_sent_nothing_has_not_used_it(self):
        batch = self.planned()
        batch.gateway.stop()
        self.assert_ended(self.keep(batch), LIMIT, "unreachable")
        batch.gateway.start()
        other = replaced(batch.command("--plan", batch.plan), output=batch.folder / "other.csv")
        self.assert_ended(batch.sagorder(*other[1:]), ALL_PLACED)

    def test_a_plan_made_in_the_middle_of_a_batch(self):
        batch = self.planned(*HALF)
        self.assert_ended(self.keep(batch, *HALF), LIMIT)
        self.assert_ended(self.make(batch), ALL_PLACED)
        self.assert_ended(self.keep(batch), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_nothing_that_was_planned_may_differ(self):
        batch = self.planned("--max-seats", "200")
        endpoint = batch.gateway.endpoint
        for extra, word in (
            (("--max-seats", "201"), "--max-seats: planned 200, present 201"),
            ((), "--max-seats: planned 200, present none"),
            (("--max-seats", "200", "--max-orders", "1"), "--max-orders: planned none"),
            (("--max-seats", "200", "--max-seat-months", "9"), "--max-seat-months: planned"),
            (("--max-seats", "200", "--max-doubts", "9"), "--max-doubts: planned 10"),
            (("--max-seats", "200", "--max-failures", "9"), 'planned "25", present "9"'),
            (("--max-seats", "200", "--canary", "9"), "--canary: planned none, present 9"),
            (("--max-seats", "200", "--set", "AutoPay=true"), "set.AutoPay: planned none"),
        ):
            with self.subTest(extra=extra):
                if "--set" in extra:
                    text = batch.input.read_text()
                    self.addCleanup(batch.input.write_text, text)
                    batch.input.write_text(re.sub(",[^,\n]*$", "", text, flags=re.MULTILINE))
                done = self.keep(batch, *extra)
                self.assert_ended(done, INPUT, "plan.json: is not for this run", word)
        batch.write_orders(6)
        for command, word in (
            (batch.command(), "totals.seats: planned 105, present 21"),
            (batch.command(), "input_sha256: planned"),
            (replaced(batch.command(), rate="7/s"), '--rate: planned "unlimited"'),
            (replaced(batch.command(), endpoint="https://localhost:1"), "endpoint: planned"),
        ):
            with self.subTest(word=word):
                done = batch.sagorder(*command[1:], "--plan", batch.plan, "--max-seats", "200")
                self.assert_ended(done, INPUT, "plan.json: is not for this run", word)
        other_key = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "another"}
        done = self.keep(batch, "--max-seats", "200", env=other_key)
        self.assert_ended(done, INPUT, 'access_key_id: planned "testid", present "another"')
        self.assertEqual(batch.gateway.endpoint, endpoint)
        self.assert_nothing_reached(batch.gateway, connections=0)
        self.assert_no_files(batch)

    def test_whether_bytes_may_be_sent_twice_is_planned(self):
        batch = self.planned()
        replayed = ("--replay", "same-bytes")
        done = self.keep(batch, *replayed)
        self.assert_ended(done, INPUT, '--replay: planned "never", present "same-bytes"')
        proposed = re.search(r"new plan first:  \S*sagorder (check .*)", done.stderr)[1]
        self.assert_ended(batch.sagorder(*shlex.split(proposed, comments=True)), ALL_PLACED)
        self.assert_ended(self.keep(batch), INPUT, 'planned "same-bytes", present "never"')
        self.assert_nothing_reached(batch.gateway, connections=0)
        self.assert_ended(self.keep(batch, *replayed), ALL_PLACED)

    def test_an_edited_plan(self):
        batch = self.planned("--max-orders", "1")
        text = batch.plan.read_text()
        plan = json.loads(text)
        plan["limits"]["max_orders"] = 6
        batch.plan.write_text(json.dumps(plan, indent=2))
        self.assert_refused(batch, "plan.json: was changed after it was made")
        batch.plan.write_text(json.dumps(json.loads(text)))  # but for white space: the same plan
        self.assert_ended(self.keep(batch, "--max-orders", "1"), LIMIT)

    def test_what_is_no_plan(self):
        batch = self.planned()
        text = batch.plan.read_text()
        for content, word in (
            ("", "is no plan"),
            ("[]", "is no plan"),
            ("{}", "is no plan"),
            (text[:-10], "is no plan"),
            (text.replace('"sagorder_plan": 1', '"sagorder_plan": 2'), "of format 2"),
            ('{"sagorder_plan": 1}', "was changed"),
        ):
            with self.subTest(content=content[:30]):
                batch.plan.write_text(content)
                self.assert_refused(batch, word)
        batch.plan.unlink()
        done = self.keep(batch)
        self.assert_ended(done, INPUT, "plan.json", "no such")

    def test_it_expires(self):
        batch = self.planned("--plan-expires", "700ms")
        made, until = (self.content(batch)[name] for name in ("made_at", "expires_at"))
        self.assertLess(made, until)
        time.sleep(0.8)
        self.assert_refused(batch, "plan.json: expired at " + until)
        self.assert_ended(self.make(batch, "--plan-expires", "2099-01-01T00:00:00Z"), ALL_PLACED)
        self.assertEqual(self.content(batch)["expires_at"], "2099-01-01T00:00:00.000Z")
        self.assert_ended(self.keep(batch), ALL_PLACED)

    def test_a_finished_batch_minds_no_plan(self):
        batch = self.planned("--plan-expires", "2s")
        self.assert_ended(self.keep(batch), ALL_PLACED)
        time.sleep(2.1)
        batch.output.unlink()
        self.assert_ended(self.keep(batch), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_it_lasts_a_day(self):
        plan = self.content(self.planned())
        day = plan["expires_at"][:10]
        self.assertEqual(plan["expires_at"][10:], plan["made_at"][10:])
        self.assertNotEqual(day, plan["made_at"][:10])

    def test_no_plan_is_made_of_errors_or_without_a_key(self):
        batch = self.quiet_batch(Nowhere(), env=NO_KEYS)
        batch.plan = batch.folder / "plan.json"
        self.assert_ended(self.make(batch), CREDENTIALS)
        batch.write_orders(2, period=13)
        self.assert_ended(self.make(batch), INPUT, "not written")
        self.assertFalse(batch.plan.exists())

    def test_arguments(self):
        batch = self.planned()
        before = batch.plan.read_text()
        for extra, word in (
            (("--plan-expires", "2026-01-01T00:00:00Z"), "is past"),
            (("--plan-expires", "soon"), "a time with its zone"),
            (("--rate", "x"), "--rate"),
        ):
            with self.subTest(extra=extra):
                done = self.make(batch, *extra) if extra[0] != "--rate" else batch.sagorder(
                    "check", batch.input, "--plan", batch.plan, *extra
                )
                self.assert_ended(done, USAGE, word)
        done = batch.sagorder("check", batch.input, "--plan-expires", "1h")
        self.assert_ended(done, USAGE, "add --plan FILE")
        done = batch.sagorder("check", batch.input, "--plan", batch.input)
        self.assert_ended(done, USAGE, "same file")
        self.assertEqual(batch.plan.read_text(), before)

    def test_killed_and_resumed(self):
        """Whatever the moment, the batch goes on with its plan and no other gets it."""
        for wait in (0.0, 0.05, 0.1, 0.2):
            with self.subTest(wait=wait):
                batch = self.planned(gateway=self.gateway(latency="30ms"))
                batch.options = [*batch.options, *ONE_BY_ONE]
                process = batch.start("--plan", batch.plan)
                time.sleep(wait)
                process.kill()
                process.wait()
                done = self.keep(batch)
                self.assertIn(done.returncode, (0, 3), said(done))
                self.assertLessEqual(len(batch.gateway.executed()), batch.rows)
                self.assertEqual(batch.violations(), [])
                other = replaced(
                    batch.command("--plan", batch.plan, "--again"),
                    output=batch.folder / "other.csv",
                )
                self.assert_ended(batch.sagorder(*other[1:]), INPUT, "was used before")

    def test_who_used_it_cannot_be_told(self):
        batch = self.planned(*HALF)
        self.assert_ended(self.keep(batch, *HALF), LIMIT)
        (use,) = (batch.folder / "state" / "sagorder" / "plans").iterdir()
        self.assertEqual(use.name, self.content(batch)["digest"] + ".json")
        self.assertEqual(json.loads(use.read_text())["ledger"], str(batch.ledger))
        use.write_text("{")
        done = self.keep(batch, *HALF)
        self.assert_ended(done, 74, "cannot be understood")
        self.assertEqual(len(batch.gateway.executed()), 3)

    def test_a_dry_run_compares_too(self):
        batch = self.planned(*HALF)
        done = self.keep(batch, "--dry-run")
        self.assert_ended(done, INPUT, "--max-orders: planned 3, present none")
        self.assert_ended(self.keep(batch, *HALF, "--dry-run"), ALL_PLACED, "no connection was")
