"""What a batch leaves behind, read without the program's help: its input, results and ledger, and
the gateway's log of what it executed. It shares the formats with the program, and no code.
"""

import csv
import io
import json
import pathlib
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass


class Unreadable(Exception):
    """A file is not of the form that it must have."""


def read_table(text, what):
    """RFC 4180 with a header as a list of dicts; throws Unreadable on a ragged line."""
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    if not lines:
        return []
    header, records = lines[0], lines[1:]
    for number, record in enumerate(records, start=1):
        if len(record) != len(header):
            raise Unreadable(f"{what}: record {number} has {len(record)} of {len(header)} cells")
    return [dict(zip(header, record)) for record in records]


def read_input(path):
    """The orders as a list of dicts; row N is the element N-1."""
    return read_table(pathlib.Path(path).read_bytes().decode("utf-8-sig"), path)


def whole_lines(data):
    """Splits off a torn tail: what stands behind the last line end outside of quotes."""
    end, quoted = 0, False
    for position, byte in enumerate(data):
        if byte == 0x22:
            quoted = not quoted
        elif byte == 0x0A and not quoted:
            end = position + 1
    return data[:end], data[end:]


def read_results(path):
    """(lines as dicts of texts, bytes of a torn tail); a file that is not there has no lines."""
    path = pathlib.Path(path)
    if not path.exists():
        return [], b""
    data = path.read_bytes()
    if path.suffix != ".jsonl":
        whole, torn = whole_lines(data)
        return read_table(whole.decode("utf-8"), str(path)), torn
    whole, mark, torn = data.rpartition(b"\n")
    lines = [json.loads(line) for line in whole.split(b"\n")] if mark else []
    return [{name: as_text(value) for name, value in line.items()} for line in lines], torn


def as_text(value):
    """A JSON value as the cell of a table shows it."""
    return "" if value is None else str(value)


def read_executed(path):
    """The gateway's log: one dict for each executed order; a torn last line does not count."""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


@dataclass
class Record:
    """One record of the ledger, intents and outcomes alike."""

    seq: int
    kind: str
    row: int
    attempt: int
    at_ms: int
    nonce: str = ""
    http_status: int = 0
    order_id: str = ""
    sag_id: str = ""
    request_id: str = ""
    code: str = ""
    message: str = ""


def read_ledger(path):
    """Every record in the order of commits. Reads a copy: a look must not recover or tidy the
    ledger in the program's place. Nobody may be writing to it."""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    with tempfile.TemporaryDirectory(prefix="ledger-copy-") as folder:
        copy = pathlib.Path(folder, "ledger")
        for tail in ("", "-wal"):
            source = path.with_name(path.name + tail)
            if source.exists():
                shutil.copyfile(source, str(copy) + tail)
        database = sqlite3.connect(copy)
        try:
            return query_ledger(database)
        finally:
            database.close()


def read_live_ledger(path):
    """The same while the program may be writing, without a copy; none if it is not there yet."""
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return query_ledger(database)
        finally:
            database.close()
    except sqlite3.OperationalError:
        return []


def query_ledger(database):
    """The records of an open ledger, at one moment; none if its tables were not made yet."""
    database.execute("BEGIN")
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
    if not tables:
        return []
    intents = database.execute("SELECT seq, 'intent', row, attempt, at_ms, nonce FROM intent")
    records = [Record(*line) for line in intents]
    outcomes = database.execute(
        "SELECT seq, name, row, attempt, at_ms, '', http_status, order_id, sag_id, request_id,"
        " code, message FROM outcome LEFT JOIN kind ON kind.id = outcome.kind"
    )
    records += [Record(*["" if cell is None else cell for cell in line]) for line in outcomes]
    return sorted(records, key=lambda record: record.seq)
