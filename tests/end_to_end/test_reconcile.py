"""`reconcile`: rows in doubt of every kind, settled by what the account's listings say, without one
wrong verdict against what the gateway executed.

Nobody waits for the safe time here: the ledger and the gateway's books are made older instead.
"""

import datetime
import json
import random
import re
import signal
import sqlite3
import unittest

from cases import wait_until
from command_cases import NO_KEYS, ONE_BY_ONE, CommandTest, files_of
from harness import (
    ALL_PLACED,
    BUSY,
    CREDENTIALS,
    IN_DOUBT,
    INPUT,
    LIMIT,
    PATIENT,
    USAGE,
    count_by,
    random_seed,
)
from key_cases import NO_KEY, KeyTest

WORDS = ("--sole-buyer", "--same-account")
HOURS = 3


def key_of(order):
    """What the listings tell orders apart by, and the way of payment: of an executed order."""
    return (order["region_id"], order["user_count"], order["period"], order["auto_pay"])


def key_of_line(line):
    """The same of a line of the results, or of a row of the input."""
    paid = line["AutoPay"] == "true"
    return (line["RegionId"], int(line["UserCount"]), int(line["Period"]), paid)


class ReconcileTest(CommandTest):
    def reconcile(self, batch, *flags, words=WORDS, ca=None):
        options = ["--ca-file", ca or batch.gateway.ca, *words]
        return batch.sagorder("reconcile", batch.output, *options, *flags, timeout=120)

    def verdicts(self, done):
        """Row to its verdict."""
        found = re.findall(
            r"^ +(\d+)  (found|absent|ambiguous|unknown|too early) ", done.stdout, re.MULTILINE
        )
        return {int(row): verdict for row, verdict in found}

    def grow_old(self, batch, hours=HOURS):
        """Everything of the batch, and all that the gateway executed, happened earlier."""
        shift = datetime.timedelta(hours=hours)
        batch.gateway.stop()
        lines = []
        for text in batch.gateway.executed_path.read_text().splitlines():
            order = json.loads(text)
            at = datetime.datetime.strptime(order["at"], "%Y-%m-%dT%H:%M:%S.%fZ") - shift
            earlier = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
            lines.append(text.replace(f'"at":"{order["at"]}"', f'"at":"{earlier}"') + "\n")
        batch.gateway.executed_path.write_text("".join(lines))
        batch.gateway.start()
        ledger = sqlite3.connect(batch.ledger)
        for table in ("intent", "outcome"):
            ledger.execute(f"UPDATE {table} SET at_ms = at_ms - ?", (hours * 3_600_000,))
        ledger.commit()
        ledger.close()

    def doubtful(self, faults, *options, rows=6, columns=None, gateway=(), **named):
        """A batch, run to its end and grown old."""
        batch = self.quiet_batch(
            self.gateway(*gateway, faults=faults), *PATIENT, *options, rows=rows, columns=columns,
            **named,
        )
        batch.run()
        self.grow_old(batch)
        return batch

    def rows_executed(self, batch):
        """Row to the OrderIds that were executed for it, by the nonces of the ledger."""
        nonces = {
            record.nonce: record.row for record in batch.ledger_records() if record.kind == "intent"
        }
        rows = {}
        for order in batch.gateway.executed():
            if order["nonce"] in nonces:  # else another batch's
                rows.setdefault(nonces[order["nonce"]], []).append(order["order_id"])
        return rows

    def assert_right(self, batch, verdicts):
        """No verdict contradicts what was executed; equal rows got each other's orders at worst."""
        executed = self.rows_executed(batch)
        keys = {order["order_id"]: key_of(order) for order in batch.gateway.executed()}
        for row, verdict in verdicts.items():
            if verdict == "found":
                self.assertIn(row, executed, f"row {row} was not executed")
            if verdict == "absent":
                self.assertNotIn(row, executed, f"row {row} was executed")
        placed = [line for line in batch.results() if line["Status"] == "placed"]
        ids = [line["OrderId"] for line in placed]
        self.assertEqual(len(ids), len(set(ids)), "an order twice")
        for line in placed:
            self.assertEqual(keys[line["OrderId"]], key_of_line(line))


class Verdicts(ReconcileTest):
    """One kind of doubt at a time."""

    def settled(self, batch, wanted, *flags, code=ALL_PLACED, words=WORDS):
        """Looks, changes nothing; then applies."""
        before = files_of(batch)
        done = self.reconcile(batch, *flags, words=words)
        self.assertEqual(self.verdicts(done), wanted, done.stdout + done.stderr)
        self.assert_ended(done, code)
        self.assertEqual(files_of(batch), before, "a look changed something")
        self.assert_ended(self.reconcile(batch, "--apply", *flags, words=words), code)
        self.assert_right(batch, wanted)
        return done

    def test_executed_and_lost(self):
        lost = ("close-after", "reset-after", "cut", "500-after", "html", "no-order-id-after")
        for fault in lost:
            with self.subTest(fault=fault):
                batch = self.doubtful(f"{fault}@2", *ONE_BY_ONE)
                done = self.settled(batch, {2: "found"})
                self.assertIn("the ledger does not explain it", done.stdout)
                line = batch.result(2)
                self.assertEqual(line["Status"], "placed")
                self.assertEqual([line["OrderId"]], self.rows_executed(batch)[2])
                self.assertIn("of this ledger", line["Message"])
                self.assertEqual(batch.violations(), [])

    def test_not_executed(self):
        for fault in ("close-before", "503-before", "502-html-before"):
            with self.subTest(fault=fault):
                batch = self.doubtful(f"{fault}@2", *ONE_BY_ONE)
                self.settled(batch, {2: "absent"})
                self.assertIsNone(batch.result(2))
                self.assert_ended(batch.run(), ALL_PLACED)
                self.assert_all_ordered_once(batch)

    def test_paid_orders_and_unpaid_ones(self):
        """An unpaid order has no instance; its terms are read in words that the others confirm."""
        pays = {"AutoPay": lambda row: "true" if row % 2 else "false"}
        batch = self.doubtful("close-after@2-3,close-before@4-5", *ONE_BY_ONE, columns=pays)
        self.settled(batch, {2: "found", 3: "found", 4: "absent", 5: "absent"})
        self.assertEqual(batch.result(2)["SmartAGId"], "")
        self.assertTrue(batch.result(3)["SmartAGId"].startswith("sag-"))

    def test_bytes_that_were_sent_twice(self):
        """There may be two orders of the row: one that is listed does not explain both."""
        batch = self.doubtful("close-after@2-3", *ONE_BY_ONE, "--replay", "same-bytes")
        done = self.settled(batch, {2: "ambiguous"}, code=IN_DOUBT)
        self.assertIn("bytes of a row were sent twice", done.stdout)

    def test_equal_rows_are_judged_by_count(self):
        equal = {"UserCount": 5, "AutoPay": "true"}
        batch = self.doubtful("close-after@2-4", *ONE_BY_ONE, columns=equal)
        self.settled(batch, {2: "found", 3: "found", 4: "found"})
        batch = self.doubtful("close-after@2-3,close-before@4", *ONE_BY_ONE, columns=equal)
        done = self.settled(
            batch, {2: "ambiguous", 3: "ambiguous", 4: "ambiguous"}, code=IN_DOUBT
        )
        self.assertIn("3 rows, 2 orders", done.stdout)

    def test_somebody_else_ordered_the_same(self):
        """Without the buyer's word nothing is found; with another batch's ledger it may be."""
        equal = {"UserCount": 5, "AutoPay": "true"}
        batch = self.quiet_batch(
            self.gateway(faults="close-after@2"), *ONE_BY_ONE, columns=equal, rows=3
        )
        batch.run()
        other = self.quiet_batch(batch.gateway, columns=equal, rows=2)
        other.run()
        self.grow_old(batch)
        self.settled(batch, {2: "ambiguous"}, code=IN_DOUBT)
        self.settled(
            batch, {2: "ambiguous"}, *("--explained-by", other.ledger), words=(), code=IN_DOUBT
        )
        self.settled(batch, {2: "found"}, "--explained-by", other.ledger)

    def test_an_account_that_nothing_shows(self):
        batch = self.doubtful("close-before", rows=1, columns={"AutoPay": "true"})
        done = self.settled(batch, {1: "unknown"}, words=("--sole-buyer",), code=IN_DOUBT)
        self.assertIn("of the account that ordered", done.stdout)
        self.settled(batch, {1: "absent"})

    def test_too_early(self):
        batch = self.quiet_batch(self.gateway(faults="close-after@2"), *ONE_BY_ONE)
        batch.run()
        done = self.settled(batch, {2: "too early"}, code=IN_DOUBT)
        self.assertIn("ask again after", done.stdout)
        self.assertEqual(batch.gateway.counts()["inquiries"], 0, "there is nothing to ask for")

    def test_an_order_that_is_listed_late(self):
        """The delay is within the safe time: what is past it is listed."""
        batch = self.doubtful(
            "close-after@2,close-before@3", *ONE_BY_ONE, gateway=("--listing-delay", "29m")
        )
        self.settled(batch, {2: "found", 3: "absent"})

    def test_a_row_that_was_settled_meanwhile(self):
        batch = self.doubtful("close-after@2,close-after@4", *ONE_BY_ONE)
        order = self.rows_executed(batch)[2][0]
        batch.sagorder("resolve", batch.output, "--row", "2", "--placed", order)
        self.settled(batch, {4: "found"})
        self.assert_ended(self.reconcile(batch), ALL_PLACED, "no row is in doubt")

    def test_both_signatures(self):
        batch = self.doubtful("close-after@2", *ONE_BY_ONE)
        for flags in (("--signature", "hmac-sha1"),
                      ("--signature", "hmac-sha1", "--http-method", "get")):
            self.assertEqual(self.verdicts(self.reconcile(batch, *flags)), {2: "found"})

    def test_json_lines(self):
        batch = self.doubtful("close-after@2", *ONE_BY_ONE, output="results.jsonl")
        self.settled(batch, {2: "found"})


class Listings(ReconcileTest):
    """Listings that fail, change, or are not what they should be."""

    def listed(self, faults, rows=6, **named):
        batch = self.quiet_batch(
            self.gateway("--query-faults", faults, faults="close-after@2"), *ONE_BY_ONE, rows=rows,
            **named,
        )
        batch.run()
        self.grow_old(batch)
        return batch

    def test_what_passes_is_asked_again(self):
        faults = "503-before@1,throttle@3,close-after@4,cut@6,malformed-json-after@8,html@9"
        batch = self.listed(faults + ",502-html-before@11,reset-after@12")
        self.assertEqual(self.verdicts(self.reconcile(batch)), {2: "found"})

    def test_many_pages(self):
        batch = self.listed("", rows=70)
        done = self.reconcile(batch)
        self.assertEqual(self.verdicts(done), {2: "found"}, done.stdout + done.stderr)
        self.assertIn("70 orders", done.stdout)

    def test_a_listing_that_changes_is_read_again(self):
        batch = self.listed("wrong-total@2", rows=70)
        done = self.reconcile(batch)
        self.assertEqual(self.verdicts(done), {2: "found"}, done.stdout + done.stderr)
        self.assertIn("changed while it was read", done.stderr)

    def test_a_listing_that_is_never_whole(self):
        for faults in ("wrong-total", "short-page"):
            done = self.reconcile(self.listed(faults), "--apply")
            self.assertEqual(self.verdicts(done), {2: "unknown"}, done.stdout)
            self.assert_ended(done, IN_DOUBT, "changed each time")

    def test_a_service_that_stays_away(self):
        done = self.reconcile(self.listed("503-before"), "--apply")
        self.assertEqual(self.verdicts(done), {2: "unknown"})
        self.assert_ended(done, LIMIT, "ServiceUnavailable")

    def test_no_permission(self):
        done = self.reconcile(self.listed("code:NotAuthorized:400"), "--apply")
        self.assert_ended(done, CREDENTIALS, "NotAuthorized")

    def test_a_certificate_that_is_not_trusted(self):
        batch = self.listed("")
        before = batch.gateway.executed()
        done = self.reconcile(batch, "--apply", ca="/etc/ssl/certs/ca-certificates.crt")
        self.assert_ended(done, CREDENTIALS, "certificate")
        self.assertEqual(batch.gateway.executed(), before)

    def test_no_credentials(self):
        batch = self.listed("")
        for name in NO_KEYS:
            del batch.env[name]
        self.assert_ended(self.reconcile(batch), CREDENTIALS, "no access key")

    def test_the_input_is_needed(self):
        batch = self.listed("")
        moved = batch.input.rename(batch.folder / "moved.csv")
        self.assert_ended(self.reconcile(batch), INPUT, "no such file")
        self.assertEqual(self.verdicts(self.reconcile(batch, "--input", moved)), {2: "found"})

    def test_a_run_that_goes_on(self):
        batch = self.quiet_batch(
            self.gateway(latency="50ms"), *ONE_BY_ONE, rows=200
        )
        self.started(batch)
        for flags in ((), ("--apply",)):
            self.assert_ended(self.reconcile(batch, *flags), BUSY)

    def test_usage(self):
        batch = self.listed("")
        self.assert_ended(
            self.reconcile(batch, "--billing-endpoint", "http://x"), USAGE, "--billing-endpoint"
        )
        batch.ledger.unlink()
        self.assert_ended(self.reconcile(batch), USAGE, "the ledger of")


class LongListings(ReconcileTest, KeyTest):
    """Listings that take longer than a key lives: ten calls a second at most."""

    ROWS = 400  # 20 a page

    def listed_with(self, *options):
        """A batch with a doubt, to be listed with keys of the gateway's."""
        gateway = self.key_gateway(*options, faults="close-after@2")
        batch = self.quiet_batch(gateway, *ONE_BY_ONE, rows=self.ROWS)
        batch.run()
        self.grow_old(batch)
        batch.env.update(gateway.uri())
        for name in NO_KEY:
            batch.env.pop(name)
        return batch

    def assert_listed_with_keys(self, done, batch, least):
        self.assertEqual(self.verdicts(done), {2: "found"}, done.stdout + done.stderr)
        self.assertIn(f"{self.ROWS} orders", done.stdout)
        self.assertIn("another key from the credentials URI", done.stderr)
        self.assertGreaterEqual(batch.gateway.counts()["keys_issued"], least)

    def test_a_key_is_renewed_before_it_expires(self):
        batch = self.listed_with("--key-life", "2s")
        done = self.reconcile(batch)
        self.assert_listed_with_keys(done, batch, 2)
        self.assertEqual(batch.gateway.counts()["refused"], {})

    def test_a_key_that_is_called_expired_is_replaced(self):
        batch = self.listed_with("--key-life", "1s", "--key-told", "60s")
        done = self.reconcile(batch)
        self.assert_listed_with_keys(done, batch, 2)
        self.assertEqual(set(batch.gateway.counts()["refused"]), {"InvalidSecurityToken.Expired"})

    def test_no_other_key_is_to_be_had(self):
        batch = self.listed_with("--key-life", "1s", "--key-failures", "2-9")
        done = self.reconcile(batch)
        self.assert_ended(done, CREDENTIALS, "the key was not renewed", "InvalidSecurityToken")


class Everything(ReconcileTest):
    """Doubts of every kind at once, by a seed: lost, not executed, refused after execution, a
    program that was killed; paid and unpaid, equal and unequal."""

    FAULTS = ",".join(
        [
            "close-after=0.06,reset-after=0.04,cut=0.04,500-after=0.04,503-after=0.03,html=0.02",
            "close-before=0.06,503-before=0.05,500-before=0.03,502-html-before=0.03",
            "no-order-id-after=0.02,redirect-after=0.02,throttle=0.05,malformed-json-after=0.02",
            "never-before=0.02,never-after=0.02,reset-before=0.03,html-before=0.02",
            "huge-after=0.02,bad-length-after=0.02,dribble=0.02,502-html-after=0.02",
        ]
    )

    def setUp(self):
        self.seed = random_seed()

    def played(self, chance):
        gateway = self.gateway(
            *("--query-faults", "503-before=0.03,throttle=0.05,close-after=0.03,wrong-total@3"),
            faults=self.FAULTS,
            seed=self.seed,
            latency="1ms-10ms",
        )
        options = ("--max-in-flight", "8", "--request-timeout", "2s")
        batch = self.batch(gateway, *PATIENT, *options, rate="100/s")
        columns = {
            "RegionId": lambda row: chance.choice(["cn-shanghai", "eu-central-1"]),
            "UserCount": lambda row: 5 * chance.randint(1, 12),
            "Period": lambda row: chance.choice([1, 12]),
            "AutoPay": lambda row: chance.choice(["true", "false"]),
        }
        batch.write_orders(90, columns=columns)
        process = batch.start()
        reached = wait_until(lambda: len(gateway.executed()) > 20 + chance.randint(0, 20))
        self.assertTrue(reached, f"seed {self.seed}")
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertIn(batch.run().returncode, (IN_DOUBT, ALL_PLACED))
        return batch

    def test_every_doubt_is_settled_right(self):
        chance = random.Random(self.seed)
        batch = self.played(chance)
        self.grow_old(batch)
        before = {row for row, state in batch.ledger_rows().items() if state == "in_doubt"}
        self.assertGreater(len(before), 5, f"seed {self.seed}")

        done = self.reconcile(batch, "--apply")
        verdicts = self.verdicts(done)
        said = f"seed {self.seed}\n{done.stdout}\n{done.stderr}"
        self.assertEqual(set(verdicts), before, said)
        self.assert_right(batch, verdicts)
        counts = count_by(verdicts.values())
        self.assertGreater(counts.get("found", 0), 0, said)
        self.assertGreater(counts.get("absent", 0), 0, said)
        self.assertEqual(set(counts) - {"found", "absent", "ambiguous"}, set(), said)
        # What is ambiguous is so for a reason: of its equals some were executed and some were not.
        self.assert_ambiguous_for_a_reason(batch, verdicts, said)
        self.assertEqual(done.returncode, IN_DOUBT if "ambiguous" in counts else ALL_PLACED, said)
        self.finish(batch, verdicts)

    def assert_ambiguous_for_a_reason(self, batch, verdicts, said):
        lines = {int(line["Row"]): line for line in batch.results()}
        executed = self.rows_executed(batch)
        unsure = [row for row, verdict in verdicts.items() if verdict == "ambiguous"]
        for row in unsure:
            terms = key_of_line(lines[row])[:3]
            mates = [each for each in unsure if key_of_line(lines[each])[:3] == terms]
            self.assertEqual({each in executed for each in mates}, {True, False}, said)

    def finish(self, batch, verdicts):
        """What was absent is ordered by the same command; nothing is ordered twice."""
        orders_before = len(batch.gateway.executed())
        absent = sum(verdict == "absent" for verdict in verdicts.values())
        batch.gateway.stop()
        batch.gateway.options = [
            "" if option == self.FAULTS else option for option in batch.gateway.options
        ]
        batch.gateway.start()
        batch.run()
        self.assertEqual(len(batch.gateway.executed()) - orders_before, absent, f"seed {self.seed}")
        for row, orders in self.rows_executed(batch).items():
            self.assertEqual(len(orders), 1, f"seed {self.seed}: row {row} was ordered twice")


if __name__ == "__main__":
    unittest.main()
