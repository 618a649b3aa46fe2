"""What the tests of faults share: what becomes of a row that a fault of the gateway strikes, and a
test that runs a batch and looks at everything afterwards.

Chances come from one seed, printed at the start; SAGORDER_SEED=N repeats it.
"""

import unittest
from dataclasses import dataclass

from harness import ALL_PLACED, IN_DOUBT, LIMIT, PATIENT, SOME_REJECTED, Batch, Gateway, random_seed

SEED = random_seed()
ROWS = 6
STRUCK = 3
ONE_AT_A_TIME = ("--max-in-flight", "1", "--connections", "1")


@dataclass(frozen=True)
class Case:
    """What becomes of the row that a fault strikes. `codes`: any of them is right."""

    status: str
    executed: bool
    exit_code: int = ALL_PLACED
    codes: tuple = ("",)
    http_status: str = ""
    attempts: int = 1


def placed(attempts=1):
    return Case("placed", True, http_status="200", attempts=attempts)


def doubt(executed, *codes, http_status=""):
    return Case("in_doubt", executed, IN_DOUBT, codes, http_status)


def rejected(code, http_status="400"):
    return Case("rejected", False, SOME_REJECTED, (code,), http_status)


# Every request fault of the gateway, struck once at the third request, which is the third row.
AT_REQUEST = {
    "close-before": doubt(False, "closed"),
    "reset-before": doubt(False, "reset"),
    "never-before": doubt(False, "timed_out"),
    "html-before": doubt(False, "NotUnderstood", http_status="200"),
    "502-html-before": doubt(False, "NotUnderstood", http_status="502"),
    "500-before": doubt(False, "InternalError", http_status="500"),
    "503-before": doubt(False, "ServiceUnavailable", http_status="503"),
    "throttle": placed(attempts=2),
    "throttle-hint": placed(attempts=2),
    "throttle-limit": placed(attempts=2),
    "code:Rejected.Throttling": placed(attempts=2),
    "code:InvalidTimeStamp.Expired": placed(attempts=2),
    "code:InvalidParameter": rejected("InvalidParameter"),
    "code:SAG.InvalidUserCount:403": rejected("SAG.InvalidUserCount", "403"),
    "code:MissingPeriod:404": rejected("MissingPeriod", "404"),
    "code:QuotaExceeded": rejected("QuotaExceeded"),
    "code:InvalidParameter:500": doubt(False, "InvalidParameter", http_status="500"),
    "code:InvalidParameter:200": doubt(False, "InvalidParameter", http_status="200"),
    "code:Throttling.User:503": doubt(False, "Throttling.User", http_status="503"),
    "code:InternalError:403": doubt(False, "InternalError", http_status="403"),
    "code:SignatureNonceUsed": doubt(False, "SignatureNonceUsed", http_status="400"),
    "code:Never.Heard.Of": doubt(False, "Never.Heard.Of", http_status="400"),
    "close-after": doubt(True, "closed"),
    "reset-after": doubt(True, "reset"),
    "never-after": doubt(True, "timed_out"),
    "cut": doubt(True, "closed", "answer_malformed"),
    "dribble": doubt(True, "timed_out"),
    "500-after": doubt(True, "InternalError", http_status="500"),
    "503-after": doubt(True, "ServiceUnavailable", http_status="503"),
    "code-after:UnknownError:403": doubt(True, "UnknownError", http_status="403"),
    "code-after:InvalidParameter:500": doubt(True, "InvalidParameter", http_status="500"),
    "html": doubt(True, "NotUnderstood", http_status="200"),
    "502-html-after": doubt(True, "NotUnderstood", http_status="502"),
    "redirect-after": doubt(True, "NotUnderstood", http_status="302"),
    "chunked": placed(),
    "connection-close": placed(),
    "extra-bytes": placed(),
    "malformed-json-after": doubt(True, "NotUnderstood", http_status="200"),
    "no-order-id-after": doubt(True, "NotUnderstood", http_status="200"),
    "huge-after": doubt(True, "answer_too_large"),
    "bad-length-after": doubt(True, "answer_malformed"),
}


class FaultsTest(unittest.TestCase):
    """Runs a batch against a gateway with faults and looks at everything afterwards."""

    def batch(self, faults, *options, rows=ROWS, gateway_options=(), seed=SEED, **more):
        """A gateway and a batch that live as long as the test."""
        gateway = self.enterContext(
            Gateway(*gateway_options, faults=faults, seed=seed, **more.pop("gateway", {}))
        )
        options = (*PATIENT, "--request-timeout", "1s", *options)
        return self.enterContext(Batch(gateway, *options, rows=rows, **more))

    def run_once(self, batch, *extra):
        """One run, and what must hold after each."""
        done = batch.run(*extra)
        self.assertEqual(batch.violations(finished=False), [], done.stderr)
        return done

    def finish(self, batch):
        """The same command until every row has its line. The exit code says what it left."""
        for _ in range(20):
            done = self.run_once(batch)
            allowed = (ALL_PLACED, SOME_REJECTED, IN_DOUBT, LIMIT)
            self.assertIn(done.returncode, allowed, done.stderr)
            if batch.is_finished():
                break
        self.assertEqual(batch.violations(), [], done.stderr)
        found = batch.statuses()
        wanted = ALL_PLACED
        if "rejected" in found:
            wanted = SOME_REJECTED
        if "in_doubt" in found:
            wanted = IN_DOUBT
        self.assertEqual(done.returncode, wanted, done.stderr)
        self.nothing_is_sent_again(batch, done.returncode)
        return done

    def nothing_is_sent_again(self, batch, exit_code):
        """A finished batch: the same command sends nothing and says the same."""
        before = batch.output.read_bytes()
        records = batch.ledger_records()
        done = batch.run()
        self.assertEqual(done.returncode, exit_code, done.stderr)
        self.assertEqual(batch.output.read_bytes(), before)
        self.assertEqual(batch.ledger_records(), records)

    def expect_line(self, batch, row, case):
        line = batch.result(row)
        found = {name: line[name] for name in ("Status", "HttpStatus", "Attempts")}
        wanted = (case.status, case.http_status, str(case.attempts))
        self.assertEqual(tuple(found.values()), wanted, line)
        self.assertIn(line["Code"], case.codes, line)
        self.assertEqual(bool(line["OrderId"]), case.status == "placed", line)

    def expect_rest_placed(self, batch, *but):
        for row in set(range(1, batch.rows + 1)) - set(but):
            self.assertEqual(batch.result(row)["Status"], "placed", batch.result(row))
