#!/usr/bin/env python3
"""The independent check of a batch: input, results and ledger against what the gateway executed.

The gateway's executed log is the truth; nothing the program says is believed. It shares no code
with the program, only the formats: RFC 4180 or JSON Lines, and the ledger's tables `intent` and
`outcome`. Promised of every batch, whatever became of it:

  1  no row is executed twice
  2  an executed row is placed under that very OrderId, or in doubt
  3  a placed row was executed under its OrderId, and no two rows have the same OrderId
  4  a row that is rejected, invalid or pending was never executed, nor was an attempt that is
     recorded as not executed or rejected
  5  the results hold each row at most once, in whole lines that agree with the ledger and the
     input; when the batch is finished, every row exactly once
  6  the nonce of each executed order stands in the ledger as an intent of that row, and what was
     executed is what the row says

As a script: exit 0 without a violation, 1 with, each on a line of its own.
"""

import argparse
import csv
import sqlite3
import sys
from dataclasses import dataclass, field

from evidence import Record, Unreadable, read_executed, read_input, read_ledger, read_results

RESULT_COLUMNS = (
    "Row Status OrderId SmartAGId RequestId Code Message HttpStatus Attempts LatencyMs FinishedAt"
).split()
DEFAULTS = {"DataPlan": "5", "ChargeType": "PREPAY", "AutoPay": "false", "ResourceGroupId": ""}

# State and kind of record to the next state; every other pair contradicts itself. `replaying` is a
# doubt of which the identical bytes are on their way once more.
NEXT_STATE = {
    ("pending", "intent"): "intended",
    ("intended", "not_executed"): "pending",
    ("intended", "placed"): "placed",
    ("intended", "rejected"): "rejected",
    ("intended", "in_doubt"): "in_doubt",
    ("in_doubt", "replay"): "replaying",
    ("replaying", "placed"): "placed",
    ("replaying", "in_doubt"): "in_doubt",
    ("in_doubt", "resolved_placed"): "placed",
    ("in_doubt", "resolved_not_placed"): "pending",
    ("replaying", "resolved_placed"): "placed",
    ("replaying", "resolved_not_placed"): "pending",
}


# ---------------------------------------------------------------------------------------- folding


@dataclass
class Life:
    """What the ledger says of one row. Doubt is sticky: a replay does not end it."""

    step: str = "pending"
    attempts: int = 0
    intents: list = field(default_factory=list)  # Record, by attempt
    fates: dict = field(default_factory=dict)  # attempt: kind of its last outcome
    last: Record = None  # the last outcome but `replay`

    @property
    def state(self):
        return "in_doubt" if self.step == "replaying" else self.step


def fold(records):
    """(lives by row, complaints about records that cannot follow)."""
    lives, complaints = {}, []
    for expected, record in enumerate(records, start=1):
        if record.seq != expected:
            complaints.append(f"ledger: record {record.seq} stands where {expected} should")
            break
    for record in records:
        life = lives.setdefault(record.row, Life())
        wanted = life.attempts + (record.kind == "intent")
        step = NEXT_STATE.get((life.step, record.kind))
        if step is None or record.attempt != wanted:
            complaints.append(
                f"row {record.row}: record {record.seq}, {record.kind} of attempt {record.attempt},"
                f" cannot follow {life.step} of attempt {life.attempts}"
            )
            continue
        life.step, life.attempts = step, wanted
        if record.kind == "intent":
            life.intents.append(record)
        elif record.kind != "replay":
            life.last = record
            life.fates[record.attempt] = record.kind
    return lives, complaints


# --------------------------------------------------------------------------------------- checking


def wanted_order(order):
    """What the gateway must have been asked for, in the words of its executed log."""
    value = {name: order.get(name) or DEFAULTS.get(name, "") for name in (*DEFAULTS, *order)}
    return (
        value["RegionId"],
        int(value["UserCount"]),
        int(value["Period"]),
        int(value["DataPlan"]),
        value["AutoPay"].lower() == "true",
        value["ChargeType"].upper(),
        value["ResourceGroupId"],
    )


def executed_order(line):
    """The same of a line of the executed log."""
    return (
        line["region_id"],
        line["user_count"],
        line["period"],
        line["data_plan"],
        line["auto_pay"],
        line["charge_type"].upper(),
        line.get("resource_group_id", ""),
    )


class Check:
    """One check of one batch; `violations` is its result."""

    def __init__(self, orders, results, torn, records, executed):
        self.orders = orders
        self.results = results
        self.torn = torn
        self.executed = executed
        self.lives, self.violations = fold(records)
        self.row_of_nonce = {}
        for row, life in self.lives.items():
            for intent in life.intents:
                self.note_nonce(row, intent.nonce)
        self.invalid = {line["Row"] for line in results if line.get("Status") == "invalid"}
        self.row_of_order = self.rows_by_content()
        self.executed_of = {}

    def complain(self, text):
        self.violations.append(text)

    def note_nonce(self, row, nonce):
        if nonce in self.row_of_nonce:
            self.complain(f"row {row}: nonce {nonce} was used before")
        self.row_of_nonce[nonce] = row

    def rows_by_content(self):
        """Rows by what they order, where that tells them apart; invalid ones are not looked at."""
        found = {}
        for row, order in enumerate(self.orders, start=1):
            if str(row) not in self.invalid:
                found.setdefault(wanted_order(order), []).append(row)
        return found

    def life(self, row):
        return self.lives.get(row, Life())

    def run(self, finished, torn_allowed):
        self.check_executed()
        for row, lines in sorted(self.executed_of.items()):
            self.check_executed_row(row, lines)
        self.check_rows()
        self.check_results(finished, torn_allowed)
        return self.violations

    # what was executed

    def check_executed(self):
        order_ids = [line["order_id"] for line in self.executed]
        if len(set(order_ids)) != len(order_ids):
            self.complain("executed log: an OrderId stands there twice")
        for line in self.executed:
            row = self.row_of(line)
            if row is not None:
                self.executed_of.setdefault(row, []).append(line)

    def row_of(self, line):
        """The row that an executed order came from: by its content if that is of one row alone,
        else by its nonce."""
        same = self.row_of_order.get(executed_order(line), [])
        by_nonce = self.row_of_nonce.get(line["nonce"])
        what = f"order {line['order_id']}, executed"
        if not same:
            self.complain(f"{what}: no row asks for {executed_order(line)}")
        if by_nonce is None:
            self.complain(f"{what}: its nonce {line['nonce']} is no intent in the ledger")
        elif by_nonce not in same:
            self.complain(f"{what}: its nonce is of row {by_nonce}, which asks for something else")
        return same[0] if len(same) == 1 else by_nonce

    def check_executed_row(self, row, lines):
        order_ids = [line["order_id"] for line in lines]
        if len(lines) > 1:
            self.complain(f"row {row}: executed {len(lines)} times: {', '.join(order_ids)}")
        life = self.life(row)
        if life.state == "placed":
            if life.last.order_id not in order_ids:
                self.complain(
                    f"row {row}: executed as {order_ids[0]}, but placed as {life.last.order_id}"
                )
        elif life.state not in ("in_doubt", "intended"):
            self.complain(f"row {row}: executed as {order_ids[0]}, but {life.state}")
        self.check_attempts(row, life, {line["nonce"] for line in lines})

    def check_attempts(self, row, life, nonces):
        for intent in life.intents:
            fate = life.fates.get(intent.attempt)
            if intent.nonce in nonces and fate in ("not_executed", "rejected"):
                self.complain(f"row {row}: attempt {intent.attempt} is {fate}, but was executed")

    # what the ledger says

    def check_rows(self):
        owners = {}
        for row, life in sorted(self.lives.items()):
            if not 1 <= row <= len(self.orders):
                self.complain(f"row {row}: in the ledger, but not in the input")
            if str(row) in self.invalid:
                self.complain(f"row {row}: in the ledger, but invalid in the results")
            if life.state == "placed":
                self.check_placed(row, life, owners)

    def check_placed(self, row, life, owners):
        order_id = life.last.order_id
        if not order_id:
            self.complain(f"row {row}: placed without an OrderId")
        if order_id not in [line["order_id"] for line in self.executed_of.get(row, [])]:
            self.complain(f"row {row}: placed as {order_id}, but not executed as that")
        if order_id in owners:
            self.complain(f"row {row}: OrderId {order_id} is that of row {owners[order_id]} too")
        owners[order_id] = row

    # what the results say

    def check_results(self, finished, torn_allowed):
        if self.torn and not torn_allowed:
            self.complain(f"results: end in a torn line: {self.torn[:60]!r}")
        seen = set()
        for line in self.results:
            if not line.get("Row", "").isdecimal():
                self.complain(f"results: a line without a row: {line}")
                continue
            row = int(line["Row"])
            if row in seen:
                self.complain(f"row {row}: stands in the results twice")
            seen.add(row)
            self.check_line(row, line)
        if not torn_allowed:
            self.check_complete(seen)
        if finished:
            missing = set(range(1, len(self.orders) + 1)) - seen
            for row in sorted(missing):
                self.complain(f"row {row}: not in the results of a finished batch")

    def check_complete(self, seen):
        """After a run that came to its end every settled row has its line, and none is open."""
        for row, life in sorted(self.lives.items()):
            if life.state == "intended":
                self.complain(f"row {row}: an intent without an outcome")
            elif life.state != "pending" and row not in seen:
                self.complain(f"row {row}: {life.state} in the ledger, but not in the results")

    def check_line(self, row, line):
        if list(line)[: len(RESULT_COLUMNS)] != RESULT_COLUMNS:
            self.complain(f"row {row}: the results have other columns: {list(line)}")
            return
        if row < 1 or row > len(self.orders):
            self.complain(f"row {row}: in the results, but not in the input")
            return
        self.check_cells(row, line)
        if line["Status"] == "invalid":
            if row in self.executed_of:
                self.complain(f"row {row}: invalid, but executed")
            return
        life = self.life(row)
        if line["Status"] != life.state or life.state in ("pending", "intended"):
            self.complain(f"row {row}: {line['Status']} in the results, {life.state} in the ledger")
            return
        self.compare(row, line, life)

    def check_cells(self, row, line):
        """The row's own cells are repeated; a spreadsheet's formula may be defused by a quote."""
        for name, cell in self.orders[row - 1].items():
            found = line.get(name)
            if found not in (cell, "'" + cell):
                self.complain(f"row {row}: {name} is {found!r} in the results, not {cell!r}")

    def compare(self, row, line, life):
        last = life.last
        wanted = {
            "OrderId": last.order_id,
            "SmartAGId": last.sag_id,
            "RequestId": last.request_id,
            "Code": last.code,
            "HttpStatus": str(last.http_status) if last.http_status else "",
            "Attempts": str(life.attempts),
        }
        for name, value in wanted.items():
            if line[name] not in (value, "'" + value):
                self.complain(
                    f"row {row}: {name} is {line[name]!r} in the results, {value!r} in the ledger"
                )


def check(input, results, ledger, executed, *, finished=True, torn=False, set_columns=None):
    """The violations of a batch that nobody is working on, as a list of sentences.

    finished     every row must have its line
    torn         the program was killed: lines may be missing, the last one torn, intents open
    set_columns  what was given by --set, as a dict
    """
    try:
        orders = [{**order, **(set_columns or {})} for order in read_input(input)]
        lines, tail = read_results(results)
        records = read_ledger(ledger)
        log = read_executed(executed)
    except (Unreadable, ValueError, csv.Error, sqlite3.Error) as error:
        return [f"unreadable: {error}"]
    return Check(orders, lines, tail, records, log).run(finished, torn)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for name in ("input", "results", "ledger", "executed"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--unfinished", action="store_true", help="rows may lack their line")
    parser.add_argument("--torn", action="store_true", help="the program was killed")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    violations = check(
        given.input,
        given.results,
        given.ledger,
        given.executed,
        finished=not given.unfinished,
        torn=given.torn,
        set_columns=dict(text.split("=", 1) for text in given.set),
    )
    for violation in violations:
        print(violation)
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
