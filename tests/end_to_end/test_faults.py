"""Whatever the gateway does to an answer or a connection, the promises hold, over real TLS.

Each of the gateway's faults is met alone (struck once at a known row, where the outcome is known to
the letter; then at random) and in a mixture. What is certainly not executed is placed in the end,
what may have been is in doubt, and nothing is ordered twice.
"""

import re
import subprocess
import time
import unittest

from fault_cases import AT_REQUEST, ONE_AT_A_TIME, ROWS, SEED, STRUCK, FaultsTest, doubt, placed
from harness import ALL_PLACED, CREDENTIALS, GATEWAY, IN_DOUBT, LIMIT


def setUpModule():
    print(f"seed {SEED}")


# These strike a connection, and are met below in tests of their own.
AT_CONNECTION = {"idle-close", "extra-bytes-late", "accept-close", "handshake", "reuse-close"}
# These strike listings, which no run asks for.
AT_LISTING = {"wrong-total", "short-page"}

def fault_kinds():
    """The kinds that the gateway knows, by its own help."""
    text = subprocess.run([GATEWAY, "--help"], capture_output=True, text=True, timeout=30).stdout
    listed = text.split("a comma list:", 1)[1]
    return re.findall(r"^  ([a-z0-9-]+) ", listed, re.MULTILINE)


def kind_of(fault):
    return fault.split(":")[0]


class SingleFaultTest(FaultsTest):
    """A fault at one known row has one known outcome, and the other rows are placed."""

    def test_every_kind_is_tested(self):
        kinds = set(fault_kinds())
        self.assertGreater(len(kinds), 30)
        met = {kind_of(fault) for fault in AT_REQUEST} | AT_CONNECTION
        self.assertEqual(kinds, met | AT_LISTING)

    def expect_case(self, fault, case):
        batch = self.batch(f"{fault}@{STRUCK}", *ONE_AT_A_TIME)
        done = self.run_once(batch)
        self.assertEqual(done.returncode, case.exit_code, done.stderr)
        self.assertTrue(batch.is_finished())
        self.expect_line(batch, STRUCK, case)
        self.expect_rest_placed(batch, STRUCK)
        self.assertEqual(STRUCK in batch.executed_rows(), case.executed)
        self.assertEqual(len(batch.executed_rows()), ROWS - (not case.executed))
        self.nothing_is_sent_again(batch, case.exit_code)
        self.assertEqual(batch.gateway.counts()["faults"], {fault: 1})

    def test_at_one_row(self):
        for fault, case in AT_REQUEST.items():
            with self.subTest(fault=fault, seed=SEED):
                self.expect_case(fault, case)

    def test_at_one_row_in_xml(self):
        """The old signature's GET, as the operation's page shows it, answered in either form."""
        for fault in ("close-after", "cut", "no-order-id-after", "chunked", "code:QuotaExceeded"):
            with self.subTest(fault=fault, seed=SEED):
                batch = self.batch(
                    f"{fault}@{STRUCK}",
                    *ONE_AT_A_TIME,
                    *("--signature", "hmac-sha1", "--http-method", "get"),
                )
                done = self.run_once(batch)
                self.assertEqual(done.returncode, AT_REQUEST[fault].exit_code, done.stderr)
                self.expect_line(batch, STRUCK, AT_REQUEST[fault])
                self.expect_rest_placed(batch, STRUCK)

    def test_slow_answer_in_time_is_an_answer(self):
        batch = self.batch(
            f"dribble@{STRUCK}", *ONE_AT_A_TIME, gateway_options=("--dribble-gap", "100us")
        )
        self.assertEqual(self.run_once(batch).returncode, ALL_PLACED)
        self.expect_line(batch, STRUCK, placed())

    def test_cut_anywhere(self):
        """The answer is cut at a drawn byte, also between its head and its body."""
        batch = self.batch("cut", rows=40)
        self.assertEqual(self.finish(batch).returncode, IN_DOUBT)
        self.assertEqual(batch.statuses(), {"in_doubt": 40})

    def test_hint_is_waited_for(self):
        for fault in ("throttle-hint", "throttle-limit"):
            with self.subTest(fault=fault):
                batch = self.batch(f"{fault}@1", *ONE_AT_A_TIME, rows=2)
                begin = time.monotonic()
                self.assertEqual(self.run_once(batch).returncode, ALL_PLACED)
                self.assertGreaterEqual(time.monotonic() - begin, 1.5)

    def expect_stop(self, fault, exit_code, state, goes_on_with):
        """The run ends at once; the same command, once the cause is mended, does the rest."""
        batch = self.batch(f"{fault}@{STRUCK}", *ONE_AT_A_TIME)
        done = self.run_once(batch)
        self.assertEqual(done.returncode, exit_code, done.stderr)
        self.assertEqual(batch.executed_rows(), [1, 2])
        self.assertEqual(batch.ledger_rows()[STRUCK], state)
        self.assertEqual(self.finish(batch).returncode, goes_on_with)

    def test_refused_credentials_stop_the_run(self):
        for fault in (
            "code:Forbidden.RAM:403",
            "code:SignatureDoesNotMatch",
            "code:InvalidAccessKeyId.NotFound:404",
            "code:InvalidSecurityToken.Expired",
        ):
            with self.subTest(fault=fault):
                self.expect_stop(fault, CREDENTIALS, "pending", ALL_PLACED)

    def test_payment_stops_the_run_and_leaves_a_doubt(self):
        for fault in ("code:InsufficientBalance", "code:PAY.NOT_ENOUGH_MONEY"):
            with self.subTest(fault=fault):
                self.expect_stop(fault, IN_DOUBT, "in_doubt", IN_DOUBT)


class ConnectionFaultTest(FaultsTest):
    """What strikes a connection instead of a request."""

    def test_connection_closed_when_accepted(self):
        """No byte of a request left: the row is placed, by another connection."""
        batch = self.batch("accept-close@1,accept-close@3,connection-close", *ONE_AT_A_TIME)
        self.assertEqual(self.finish(batch).returncode, ALL_PLACED)
        self.assertEqual(batch.gateway.counts()["faults"]["accept-close"], 2)

    def test_handshake_refused(self):
        batch = self.batch("handshake@1,handshake@3,connection-close", *ONE_AT_A_TIME)
        self.assertEqual(self.finish(batch).returncode, ALL_PLACED)
        self.assertEqual(batch.gateway.counts()["faults"]["handshake"], 2)

    def test_no_connection_at_all(self):
        """Nothing was sent, so nothing is in doubt; the same command goes on when there is one."""
        for fault in ("accept-close", "handshake"):
            with self.subTest(fault=fault):
                batch = self.batch(f"{fault}@1-5", *ONE_AT_A_TIME)
                done = self.run_once(batch)
                self.assertEqual(done.returncode, LIMIT, done.stderr)
                self.assertEqual(batch.results(), [])
                self.assertEqual(self.finish(batch).returncode, ALL_PLACED)

    def test_connection_closed_under_the_next_request(self):
        """A byte of it was accepted, so it may have executed, though this one did not."""
        batch = self.batch("reuse-close@2", *ONE_AT_A_TIME)
        self.assertEqual(self.finish(batch).returncode, IN_DOUBT)
        self.expect_line(batch, 3, doubt(False, "closed", "reset"))
        self.expect_rest_placed(batch, 3)
        self.assertNotIn(3, batch.executed_rows())

    def test_idle_connection_closed_unannounced(self):
        """Found closed before a byte of the next request was offered: nobody is in doubt."""
        batch = self.batch("idle-close", *ONE_AT_A_TIME, rate="20/s")
        self.assertEqual(self.finish(batch).returncode, ALL_PLACED)
        self.assertEqual(batch.gateway.counts()["connections"], ROWS)

    def test_answer_nobody_asked_for_is_nobodys(self):
        """A second, well-formed answer behind the first, which has come by the time the connection
        would be used again, is not taken for the next row's."""
        for fault in ("extra-bytes", "extra-bytes-late"):
            with self.subTest(fault=fault):
                batch = self.batch(fault, *ONE_AT_A_TIME, rate="20/s")
                self.assertEqual(self.finish(batch).returncode, ALL_PLACED)
                self.assertEqual(batch.gateway.counts()["connections"], ROWS)

    def test_silent_gateway_closes_idle_connections(self):
        """The gateway's own idle limit, met between two rows."""
        batch = self.batch(
            "", *ONE_AT_A_TIME, rows=3, rate="2/s", gateway_options=("--idle", "200ms")
        )
        self.assertEqual(self.finish(batch).returncode, ALL_PLACED)
        self.assertEqual(batch.gateway.counts()["connections"], 3)


class RandomFaultTest(FaultsTest):
    """Each kind alone, striking one request in five, with many rows in flight."""

    THROTTLING = {name for name in AT_REQUEST if "hrottl" in name}
    SLOW = {"never-before", "never-after", "dribble"} | THROTTLING

    def expect_kind(self, fault, index):
        rows = 10 if fault in self.SLOW else 40
        batch = self.batch(f"{fault}=0.2", rows=rows, rate="1000/s", seed=SEED + index)
        self.finish(batch)
        cases = {case.status for name, case in AT_REQUEST.items() if name == fault}
        self.assertLessEqual(set(batch.statuses()), {"placed"} | cases)
        struck = batch.gateway.counts()["faults"].get(fault, 0)
        if cases != {"placed"}:
            self.assertEqual(batch.statuses().get("placed", 0), rows - struck)

    def test_each_kind(self):
        for index, fault in enumerate(AT_REQUEST):
            with self.subTest(fault=fault, seed=SEED):
                self.expect_kind(fault, index)

    def test_connections(self):
        """Closed or refused at random; what is met before a request is written costs nothing."""
        for index, kind in enumerate(("accept-close", "handshake")):
            with self.subTest(kind=kind, seed=SEED):
                batch = self.batch(f"{kind}=0.2,connection-close=0.5", rows=40, seed=SEED + index)
                self.finish(batch)
                self.assertEqual(batch.statuses(), {"placed": 40})

    def test_closed_behind_an_answer(self):
        """The next request may meet the end of the connection: in doubt, never lost or doubled."""
        for index, kind in enumerate(("idle-close", "reuse-close")):
            with self.subTest(kind=kind, seed=SEED):
                batch = self.batch(f"{kind}=0.2", rows=60, seed=SEED + index)
                self.finish(batch)
                self.assertLessEqual(set(batch.statuses()), {"placed", "in_doubt"})


class MixedFaultTest(FaultsTest):
    """Everything at once: the promises hold whatever the seed."""

    EACH = 0.015
    SLOW = 0.003

    def mixture(self):
        """Every kind but those that lie about a certain refusal or stop the run."""
        requests = {name: self.EACH for name in AT_REQUEST}
        requests.update({name: self.SLOW for name in RandomFaultTest.SLOW})
        requests["idle-close"] = self.EACH
        connections = {"accept-close": 0.05, "handshake": 0.05, "reuse-close": 0.02}
        odds = {**requests, **connections}
        return ",".join(f"{name}={probability}" for name, probability in odds.items())

    def expect_mixture(self, seed, *options, **more):
        batch = self.batch(self.mixture(), *options, rows=100, rate="1000/s", seed=seed, **more)
        self.finish(batch)
        struck = batch.gateway.counts()["faults"]
        self.assertGreater(len(struck), 5, struck)

    def test_mixed(self):
        for number in range(3):
            with self.subTest(seed=SEED, number=number):
                self.expect_mixture(SEED + number)

    def test_mixed_in_other_forms(self):
        forms = {
            "old signature": (("--signature", "hmac-sha1"), {}),
            "old signature, GET": (("--signature", "hmac-sha1", "--http-method", "get"), {}),
            "JSON Lines": ((), {"output": "results.jsonl"}),
            "two threads": (("--threads", "2"), {}),
            "many in flight": (("--connections", "64", "--threads", "4"), {}),
            "same bytes": (("--replay", "same-bytes"), {}),
        }
        for number, (name, (options, more)) in enumerate(forms.items()):
            with self.subTest(form=name, seed=SEED):
                self.expect_mixture(SEED + 10 + number, *options, **more)


class FormsTest(FaultsTest):
    """Without faults: each scheme, method and format places every row."""

    def expect_form(self, *options, scheme="acs3-hmac-sha256", **more):
        batch = self.batch("", *options, rows=40, **more)
        self.assertEqual(self.finish(batch).returncode, ALL_PLACED)
        executed = batch.gateway.executed()
        self.assertEqual({line["scheme"] for line in executed}, {scheme})

    def test_both_signatures(self):
        self.expect_form("--signature", "acs3-hmac-sha256")
        self.expect_form("--signature", "hmac-sha1", scheme="hmac-sha1")

    def test_old_signature_by_get(self):
        self.expect_form(
            *("--signature", "hmac-sha1", "--http-method", "get"), scheme="hmac-sha1"
        )

    def test_json_lines(self):
        self.expect_form(output="results.jsonl")

    def test_threads(self):
        self.expect_form("--threads", "2")


if __name__ == "__main__":
    unittest.main()
