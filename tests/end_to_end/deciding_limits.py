"""What a run may spend, and when: the limits on what it buys, the canary, the deadline."""

import datetime
import time

from cases import end, said, wait_until
from command_cases import ONE_BY_ONE, ROWS, CommandTest
from harness import ALL_PLACED, IN_DOUBT, LIMIT, USAGE


def from_now(seconds):
    """RFC 3339, in a zone that is not ours."""
    zone = datetime.timezone(datetime.timedelta(hours=8))
    at = datetime.datetime.now(zone) + datetime.timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds")


class Limits(CommandTest):
    """Each limit is one of a run: the same command again may buy as much again."""

    def test_seat_months(self):
        batch = self.quiet_batch(self.gateway(), "--set", "ResourceGroupId=", *ONE_BY_ONE)
        batch.write_orders(ROWS, columns={"UserCount": 10}, period=12)
        done = batch.run("--max-seat-months", "250")
        self.assert_ended(done, LIMIT, "--max-seat-months: ", "for 120 seat-months, and 10 of 250")
        self.assertEqual(len(batch.gateway.executed()), 2)
        self.assertEqual(batch.summary()["stop"], "max_seat_months")
        self.assertEqual(batch.summary()["run"]["seat_months_placed"], 240)
        self.assert_ended(batch.run("--max-seat-months", "480"), ALL_PLACED)
        self.assertEqual(len(batch.gateway.executed()), ROWS)

    def test_numbers_that_are_none(self):
        batch = self.quiet_batch(self.gateway())
        for option in ("--max-seat-months", "--canary"):
            for value in ("0", "-1", "1.5", "many"):
                with self.subTest(option=option, value=value):
                    done = batch.run(option, value)
                    self.assert_ended(done, USAGE, option, "whole number from 1 to")
        self.assert_nothing_reached(batch.gateway, connections=0)


class Canary(CommandTest):
    """The first orders go alone; the rest only if they were all placed."""

    def test_placed(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--canary", "2"), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_rejected(self):
        batch = self.quiet_batch(self.gateway(faults="code:QuotaExceeded@2"), *ONE_BY_ONE)
        done = batch.run("--canary", "3")
        self.assert_ended(done, LIMIT, "canary: of the batch's orders so far 1 are placed, 1 rejec")
        self.assertEqual(self.ordered_rows(batch), [1])
        self.assertEqual(batch.summary()["stop"], "canary")
        going_on = batch.summary()["next_command"]
        self.assertNotIn("--canary", going_on)
        self.assertIn(going_on, done.stderr)
        # The same command again stays stopped; the command that was proposed goes on.
        again = batch.run("--canary", "3")
        self.assert_ended(again, LIMIT, "canary: of the batch's orders so far 1 are placed, 1 rej")
        self.assertEqual(self.ordered_rows(batch), [1])
        self.assertEqual(batch.run().returncode, 1, said(done))
        self.assertEqual(self.ordered_rows(batch), [1, 3, 4, 5, 6])

    def test_in_doubt(self):
        batch = self.quiet_batch(self.gateway(faults="close-after@1"), *ONE_BY_ONE)
        done = batch.run("--canary", "2")
        self.assert_ended(done, IN_DOUBT, "canary: of the batch's orders so far 0 are placed")
        self.assertIn("--canary", batch.summary()["next_command"])
        self.assertEqual(self.ordered_rows(batch), [1])
        self.assert_ended(batch.run("--canary", "2"), IN_DOUBT, "canary")
        self.assertEqual(self.ordered_rows(batch), [1])
        placed_as = batch.gateway.executed()[0]["order_id"]
        batch.sagorder("resolve", batch.output, "--row", "1", "--placed", placed_as)
        self.assert_ended(batch.run("--canary", "2"), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_killed(self):
        """What the killed run had on the wire is in doubt, and the canary has not passed."""
        batch = self.quiet_batch(self.gateway(latency="400ms"), *ONE_BY_ONE)
        process = batch.start("--canary", "2")
        self.assertTrue(wait_until(lambda: len(batch.gateway.executed()) == 1))
        end(process)
        self.assert_ended(batch.run("--canary", "2"), IN_DOUBT, "canary")
        self.assertEqual(self.ordered_rows(batch), [1])

    def test_held_by_a_row_that_is_not_placed_whatever_the_others(self):
        for fault, count, code in (
            ("close-after", "0 rejected and 1 in doubt", IN_DOUBT),
            ("code:QuotaExceeded", "1 rejected and 0 in doubt", LIMIT),
        ):
            with self.subTest(fault=fault):
                batch = self.quiet_batch(self.gateway(faults=f"{fault}@2"), *ONE_BY_ONE, rows=12)
                batch.run("--max-orders", "9")
                sent = self.ordered_rows(batch)
                self.assertGreater(len(sent), 5)
                done = batch.run("--canary", "5")
                self.assert_ended(done, code, f"nothing is sent, with {count} (--canary)", "canary")
                self.assertEqual(batch.summary()["stop"], "canary")
                self.assertEqual(self.ordered_rows(batch), sent)

    def test_passed_by_an_earlier_run(self):
        batch = self.quiet_batch(self.gateway(faults="code:QuotaExceeded@4"), *ONE_BY_ONE)
        self.assert_ended(batch.run("--canary", "3", "--max-orders", "3"), LIMIT, "stopped: --max-orders: ")
        self.assertEqual(batch.run("--canary", "3").returncode, 1)
        self.assertEqual(self.ordered_rows(batch), [1, 2, 3, 5, 6])


class NotAfter(CommandTest):
    """Nothing is sent from a time on; what is on its way then is waited for."""

    def test_a_run_ends_in_time_and_goes_on_later(self):
        batch = self.quiet_batch(self.gateway(latency="50ms"), rows=40, rate="10/s")
        begun = time.time()
        done = batch.run("--not-after", from_now(1.5))
        self.assert_ended(done, LIMIT, "--not-after: the time for sending is over")
        sent = self.ordered_rows(batch)
        self.assertTrue(2 <= len(sent) < 20, sent)
        self.assertEqual(batch.statuses(), {"placed": len(sent)})
        for order in batch.gateway.executed():
            at = datetime.datetime.fromisoformat(order["at"].replace("Z", "+00:00"))
            self.assertLess(at.timestamp() - begun, 2.5, order)
        self.assertEqual(batch.summary()["stop"], "not_after")
        batch.options = ["--rate", "unlimited"]
        self.assert_ended(batch.run("--not-after", "1h"), ALL_PLACED)
        self.assert_all_ordered_once(batch)

    def test_past(self):
        batch = self.quiet_batch(self.gateway())
        done = batch.run("--not-after", "2026-01-02T03:04:05+08:00")
        self.assert_ended(done, LIMIT, "--not-after 2026-01-01T19:04:05.000Z is past")
        self.assert_no_files(batch)
        self.assert_nothing_reached(batch.gateway, connections=0)
        self.assert_ended(batch.run(), ALL_PLACED)
        # A batch with nothing left to send does not mind.
        self.assert_ended(batch.run("--not-after", "2026-01-02T03:04:05Z"), ALL_PLACED)

    def test_without_a_rate_too(self):
        batch = self.quiet_batch(self.gateway(latency="100ms"), *ONE_BY_ONE, rows=40)
        self.assert_ended(batch.run("--not-after", "700ms"), LIMIT, "--not-after: ")
        self.assertTrue(1 <= len(self.ordered_rows(batch)) < 20)
        self.assertEqual(batch.violations(finished=False), [])

    def test_times_that_are_none(self):
        batch = self.quiet_batch(self.gateway())
        for value in ("18:00", "2026-11-23", "2026-11-23T18:00:00", "0s", "soon", "367d"):
            with self.subTest(value=value):
                done = batch.run("--not-after", value)
                self.assert_ended(done, USAGE, "--not-after", "a time with its zone")
        self.assert_nothing_reached(batch.gateway, connections=0)
