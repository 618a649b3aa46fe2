"""The checker sees what it is for: a sound batch passes, and each fabricated violation is named.

Nothing is run here but the checker; the files are made by hand, as the program and the gateway
would have left them.
"""

import contextlib
import csv
import io
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import checker
import evidence

KINDS = (
    "intent not_executed placed rejected in_doubt replay resolved_placed resolved_not_placed"
).split()
INPUT_COLUMNS = ["RegionId", "UserCount", "Period", "AutoPay"]


class FabricatedBatch:
    """Four rows: 1 placed at once, 2 placed at the second attempt, 3 in doubt and executed,
    4 rejected. Tests bend one thing and look."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.orders = [["cn-shanghai", str(row), "1", "true"] for row in range(1, 5)]
        self.executed = [self.execution(1, "n1"), self.execution(2, "n3"), self.execution(3, "n4")]
        self.records = [
            ("intent", 1, 1, "n1"),
            ("intent", 2, 1, "n2"),
            ("placed", 1, 1, "order-1", 200),
            ("not_executed", 2, 1, "", 400),
            ("intent", 2, 2, "n3"),
            ("intent", 3, 1, "n4"),
            ("placed", 2, 2, "order-2", 200),
            ("in_doubt", 3, 1, "", 0),
            ("intent", 4, 1, "n5"),
            ("rejected", 4, 1, "", 400),
        ]
        self.lines = [
            self.line(1, "placed", "order-1", 200),
            self.line(3, "in_doubt", "", ""),
            self.line(2, "placed", "order-2", 200, attempts=2),
            self.line(4, "rejected", "", 400),
        ]
        self.tail = ""
        self.set_columns = None

    def execution(self, row, nonce, order_id=None):
        return {
            "order_id": order_id or f"order-{row}",
            "nonce": nonce,
            "region_id": "cn-shanghai",
            "user_count": row,
            "period": 1,
            "data_plan": 5,
            "auto_pay": True,
            "charge_type": "PREPAY",
        }

    def line(self, row, status, order_id, http_status, attempts=1):
        sag_id = f"sag-{row}" if order_id else ""
        cells = [row, status, order_id, sag_id, f"request-{row}", "", "a message", http_status]
        return [*cells, attempts, 12, "2026-01-02T03:04:05Z", *self.orders[row - 1]]

    def path(self, name):
        return self.folder / name

    def write(self):
        self.write_table("orders.csv", INPUT_COLUMNS, self.orders, "")
        header = checker.RESULT_COLUMNS + INPUT_COLUMNS
        self.write_table("results.csv", header, self.lines, self.tail)
        self.write_json_lines(header)
        executed = "".join(json.dumps(line) + "\n" for line in self.executed)
        self.path("executed.jsonl").write_text(executed)
        self.write_ledger()

    def write_table(self, name, header, lines, tail):
        with open(self.path(name), "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *lines])
            file.write(tail)

    def write_json_lines(self, header):
        lines = [json.dumps(dict(zip(header, line))) + "\n" for line in self.lines]
        self.path("results.jsonl").write_text("".join(lines) + self.tail)

    def write_ledger(self):
        self.path("ledger").unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(self.path("ledger"))) as database, database:
            database.execute("PRAGMA synchronous=OFF")
            database.execute("CREATE TABLE kind(id INTEGER, name TEXT)")
            database.executemany("INSERT INTO kind VALUES(?, ?)", enumerate(KINDS))
            database.execute("CREATE TABLE intent(seq, row, attempt, at_ms, nonce)")
            database.execute(
                "CREATE TABLE outcome(seq, kind, row, attempt, at_ms, http_status, latency_ms,"
                " order_id, sag_id, request_id, code, message, evidence)"
            )
            for seq, record in enumerate(self.records, start=1):
                if record is not None:
                    self.insert(database, seq, *record)

    def insert(self, database, seq, kind, row, attempt, text, http_status=0):
        if kind == "intent":
            database.execute("INSERT INTO intent VALUES(?,?,?,0,?)", (seq, row, attempt, text))
            return
        sag_id = f"sag-{row}" if text else None
        values = (seq, KINDS.index(kind), row, attempt, http_status, text or None, sag_id)
        database.execute(
            "INSERT INTO outcome VALUES(?,?,?,?,0,?,12,?,?,?,NULL,'a message',NULL)",
            (*values, f"request-{row}"),
        )

    def paths(self, results):
        return [self.path(name) for name in ("orders.csv", results, "ledger", "executed.jsonl")]

    def violations(self, results="results.csv", **more):
        self.write()
        return checker.check(*self.paths(results), set_columns=self.set_columns, **more)


class CheckerTest(unittest.TestCase):
    """`expect` writes the batch as it was bent, and wants each of some sentences complained of."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="checker-")
        self.addCleanup(folder.cleanup)
        self.batch = FabricatedBatch(folder.name)

    def expect(self, *words, **more):
        found = self.batch.violations(**more)
        for word in words:
            self.assertTrue(any(word in text for text in found), f"{word!r} is not in {found}")

    # a sound batch

    def test_sound_batch_passes(self):
        self.assertEqual(self.batch.violations(), [])

    def test_sound_batch_passes_as_json_lines(self):
        self.assertEqual(self.batch.violations("results.jsonl"), [])

    def test_wal_is_read_and_left_alone(self):
        self.batch.write()
        with contextlib.closing(sqlite3.connect(self.batch.path("ledger"))) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("DELETE FROM outcome WHERE seq = 10")
            database.commit()
            wal = self.batch.path("ledger-wal")
            before = wal.read_bytes()
            found = checker.check(*self.batch.paths("results.csv"))
            self.assertIn("row 4: rejected in the results, intended in the ledger", found)
            self.assertEqual(wal.read_bytes(), before)

    def test_rows_alike_are_told_apart_by_nonce(self):
        for order, line in zip(self.batch.orders, self.batch.lines):
            order[1] = line[-3] = "5"
        for line in self.batch.executed:
            line["user_count"] = 5
        self.assertEqual(self.batch.violations(), [])

    def test_columns_given_by_set_count(self):
        self.batch.set_columns = {"DataPlan": "5"}
        self.expect("DataPlan is None in the results")

    def test_defused_cells_are_the_same(self):
        self.batch.orders[0][3] = "=1"
        self.batch.lines[0][-1] = "'=1"
        self.batch.executed[0]["auto_pay"] = False
        self.assertEqual(self.batch.violations(), [])

    def test_resolved_rows_pass(self):
        self.batch.records += [("resolved_placed", 3, 1, "order-3", 0)]
        self.batch.lines[1] = self.batch.line(3, "placed", "order-3", "")
        self.assertEqual(self.batch.violations(), [])

    def test_replay_leaves_the_doubt(self):
        self.batch.records.append(("replay", 3, 1, ""))
        self.assertEqual(self.batch.violations(), [])
        self.batch.records.append(("placed", 3, 1, "order-3", 200))
        self.batch.lines[1] = self.batch.line(3, "placed", "order-3", 200)
        self.assertEqual(self.batch.violations(), [])

    # 1: executed twice

    def test_row_executed_twice(self):
        self.batch.executed.append(self.batch.execution(3, "n4", "order-9"))
        self.expect("row 3: executed 2 times: order-3, order-9")

    def test_row_executed_twice_by_two_attempts(self):
        self.batch.executed.append(self.batch.execution(2, "n2", "order-9"))
        self.expect("row 2: executed 2 times", "row 2: attempt 1 is not_executed, but was executed")

    def test_rows_alike_executed_twice(self):
        self.test_rows_alike_are_told_apart_by_nonce()
        again = {**self.batch.executed[0], "order_id": "order-9"}
        self.batch.executed.append(again)
        self.expect("row 1: executed 2 times")

    # 2: executed and forgotten

    def test_executed_row_that_nobody_knows_of(self):
        del self.batch.records[-2:]
        self.batch.lines.pop()
        self.batch.executed.append(self.batch.execution(4, "n9"))
        self.expect("row 4: executed as order-4, but pending", "n9 is no intent", finished=False)

    def test_executed_row_placed_under_another_order(self):
        self.batch.executed[0]["order_id"] = "order-8"
        self.expect("row 1: executed as order-8, but placed as order-1")

    def test_executed_row_of_no_order(self):
        self.batch.executed[0]["user_count"] = 77
        self.expect("no row asks for")

    def test_executed_row_with_another_value(self):
        self.batch.executed[0]["period"] = 12
        self.expect("no row asks for")

    # 3: placed and not executed

    def test_placed_row_that_was_not_executed(self):
        del self.batch.executed[0]
        self.expect("row 1: placed as order-1, but not executed as that")

    def test_order_id_of_two_rows(self):
        self.batch.records[6] = ("placed", 2, 2, "order-1", 200)
        self.expect("row 2: OrderId order-1 is that of row 1 too")

    def test_placed_row_without_order_id(self):
        self.batch.records[2] = ("placed", 1, 1, "", 200)
        self.expect("row 1: placed without an OrderId")

    # 4: refused and executed

    def test_rejected_row_that_was_executed(self):
        self.batch.executed.append(self.batch.execution(4, "n5"))
        self.expect(
            "row 4: executed as order-4, but rejected",
            "row 4: attempt 1 is rejected, but was executed",
        )

    def test_attempt_not_executed_that_was(self):
        self.batch.executed[1]["nonce"] = "n2"
        self.expect("row 2: attempt 1 is not_executed, but was executed")

    def test_invalid_row_that_was_executed(self):
        self.batch.lines[3][1] = "invalid"
        self.batch.orders[3][2] = "no number"
        self.batch.executed.append(self.batch.execution(4, "n5"))
        self.expect("row 4: invalid, but executed", "row 4: in the ledger, but invalid")

    # 5: the results

    def test_row_twice_in_the_results(self):
        self.batch.lines.append(self.batch.lines[0])
        self.expect("row 1: stands in the results twice")

    def test_row_missing_in_the_results(self):
        self.batch.lines.pop()
        self.expect("row 4: rejected in the ledger, but not in the results", finished=False)
        self.expect("row 4: not in the results of a finished batch")

    def test_row_missing_after_a_kill_is_no_violation(self):
        self.batch.lines.pop()
        self.assertEqual(self.batch.violations(finished=False, torn=True), [])

    def test_pending_row_of_a_finished_batch(self):
        self.batch.orders.append(["cn-shanghai", "5", "1", "true"])
        self.expect("row 5: not in the results of a finished batch")
        self.assertEqual(self.batch.violations(finished=False), [])

    def test_torn_line(self):
        self.batch.tail = '5,placed,"order'
        self.expect("results: end in a torn line", finished=False)
        self.expect("results: end in a torn line", results="results.jsonl", finished=False)
        self.assertEqual(self.batch.violations(finished=False, torn=True), [])

    def test_line_end_inside_quotes_ends_no_line(self):
        self.batch.lines[3][6] = 'first\nand "second"'
        self.assertEqual(self.batch.violations(), [])

    def test_ragged_line(self):
        self.batch.lines[0].append("more")
        self.expect("unreadable")

    def test_line_of_another_status(self):
        self.batch.lines[1][1] = "placed"
        self.expect("row 3: placed in the results, in_doubt in the ledger")

    def test_line_before_its_outcome(self):
        self.batch.records[-1] = None
        self.expect(
            "row 4: rejected in the results, intended in the ledger", finished=False, torn=True
        )

    def test_line_that_differs_from_the_ledger(self):
        for column in ("OrderId", "SmartAGId", "RequestId", "Code", "HttpStatus", "Attempts"):
            index = checker.RESULT_COLUMNS.index(column)
            kept, self.batch.lines[0][index] = self.batch.lines[0][index], "99"
            self.expect(f"row 1: {column} is '99' in the results")
            self.batch.lines[0][index] = kept

    def test_line_with_another_rows_cells(self):
        self.batch.lines[0][-3] = "2"
        self.expect("row 1: UserCount is '2' in the results, not '1'")

    def test_line_of_an_unknown_row(self):
        self.batch.lines[0][0] = 44
        self.expect("row 44: in the results, but not in the input")

    def test_intent_without_outcome_after_an_orderly_end(self):
        self.batch.records.pop()
        self.batch.lines.pop()
        self.expect("row 4: an intent without an outcome", finished=False)
        self.assertEqual(self.batch.violations(finished=False, torn=True), [])

    # 6: the ledger

    def test_nonce_that_is_no_intent(self):
        self.batch.executed[0]["nonce"] = "n9"
        self.expect("its nonce n9 is no intent in the ledger")

    def test_nonce_of_another_row(self):
        self.batch.executed[0]["nonce"] = "n5"
        self.expect("its nonce is of row 4, which asks for something else")

    def test_nonce_twice(self):
        self.batch.records[8] = ("intent", 4, 1, "n1")
        self.expect("row 4: nonce n1 was used before")

    def test_gap_in_the_ledger(self):
        self.batch.records[3] = None
        self.expect("ledger: record 5 stands where 4 should")

    def test_record_that_cannot_follow(self):
        self.batch.records.append(("intent", 1, 2, "n6"))
        self.expect("row 1: record 11, intent of attempt 2, cannot follow placed of attempt 1")

    def test_doubt_that_was_sent_again(self):
        self.batch.records.append(("intent", 3, 2, "n6"))
        self.expect("row 3: record 11, intent of attempt 2, cannot follow in_doubt of attempt 1")

    def test_doubt_that_ended_without_a_replay(self):
        self.batch.records.append(("placed", 3, 1, "order-3", 200))
        self.expect("row 3: record 11, placed of attempt 1, cannot follow in_doubt of attempt 1")

    def test_attempt_with_a_wrong_number(self):
        self.batch.records[4] = ("intent", 2, 3, "n3")
        self.expect("row 2: record 5, intent of attempt 3, cannot follow pending of attempt 1")

    def test_row_of_the_ledger_that_is_not_in_the_input(self):
        self.batch.records.append(("intent", 44, 1, "n6"))
        self.expect("row 44: in the ledger, but not in the input")

    # as a script

    def test_script(self):
        script = pathlib.Path(checker.__file__)
        command = [sys.executable, "-B", str(script)]
        names = ("--input", "--results", "--ledger", "--executed")
        for name, path in zip(names, self.batch.paths("results.csv")):
            command += [name, str(path)]
        self.batch.write()
        sound = subprocess.run(command, capture_output=True, text=True, timeout=30)
        self.assertEqual((sound.returncode, sound.stdout), (0, ""))
        del self.batch.executed[0]
        self.batch.write()
        broken = subprocess.run(command, capture_output=True, text=True, timeout=30)
        self.assertEqual(broken.returncode, 1)
        self.assertIn("row 1: placed as order-1, but not executed", broken.stdout)


class TornTailTest(unittest.TestCase):
    """Whatever byte a file is cut at, the whole lines before it are told from the tail."""

    def test_every_cut(self):
        buffer = io.StringIO()
        rows = [["1", "plain"], ["2", 'with "quotes"'], ["3", "two\nlines"], ["4", ""]]
        csv.writer(buffer, lineterminator="\n").writerows(rows)
        data = buffer.getvalue().encode()
        for cut in range(len(data) + 1):
            whole, tail = evidence.whole_lines(data[:cut])
            self.assertEqual(whole + tail, data[:cut])
            found = list(csv.reader(io.StringIO(whole.decode(), newline="")))
            self.assertEqual(found, rows[: len(found)])


if __name__ == "__main__":
    unittest.main()
