"""Several hosts on one batch: processes with a folder and a state of their own each, one gateway and
one database.

    with Server() as server, Gateway() as gateway, Hosts(server, gateway, 3, rows=300) as hosts:
        hosts.start_all()
        codes = hosts.wait()
        ...
        self.assertEqual(hosts.violations(), [])
"""

import contextlib
import datetime
import pathlib
import shutil
import tempfile
import time

import checker
from database import copy_ledger
from harness import PATIENT, TIME_SCALE, Batch

LIFE_SECONDS = 3  # a host that is not heard of for so long is dead
LEASE_SECONDS = 0.5
SAYS_SECONDS = 3  # a host asks once a second at least, and says it when another brought no answer
AWAY = "the shared ledger does not answer"
SLOW_SECONDS = 1  # this machine may take, where nothing but it is slow


class Host(Batch):
    """One of them."""

    def __init__(self, gateway, uri, orders, *options, **more):
        super().__init__(
            gateway, "--ledger", uri, "--host-life", f"{LIFE_SECONDS}s", *PATIENT, *options, **more
        )
        shutil.copy(orders, self.input)
        self.process = None
        self.way = None  # a BlackHole that its connections pass, if there is one

    def begin(self):
        self.process = self.start()
        return self.process

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Hosts:
    """`count` hosts of one batch."""

    def __init__(self, server, gateway, count, *options, rows, rate="unlimited", uri=None):
        self.server = server
        self.gateway = gateway
        self.rows = rows
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-hosts-"))
        self.uri = uri or server.new_database()
        self.ledger = self.folder / "ledger"
        with Batch(gateway, rows=rows) as pattern:
            self.orders = shutil.copy(pattern.input, self.folder / "orders.csv")
        self.stack = contextlib.ExitStack()
        self.options = options
        self.rate = rate
        self.hosts = [self.join(uri) for _ in range(count)]

    def join(self, uri=None, gateway=None):
        """One more host; `uri` and `gateway`: by a way of its own."""
        return self.stack.enter_context(
            Host(
                *(gateway or self.gateway, uri or self.uri, self.orders, *self.options),
                rate=self.rate,
            )
        )

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __getitem__(self, index):
        return self.hosts[index]

    def __iter__(self):
        return iter(self.hosts)

    def start_all(self):
        for host in self.hosts:
            host.begin()

    def leave_out(self, option):
        """From the commands of all, which were given it."""
        self.options = [each for each in self.options if each != option]
        for host in self.hosts:
            host.options.remove(option)

    def wait(self, seconds=60):
        """@return the exit codes, in order"""
        deadline = time.monotonic() + seconds * TIME_SCALE
        return [
            host.process.wait(max(0.1, deadline - time.monotonic()))
            for host in self.hosts
            if host.process is not None
        ]

    def wait_for_orders(self, count, seconds=30):
        deadline = time.monotonic() + seconds * TIME_SCALE
        while len(self.gateway.executed()) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"the orders did not come: {self.said()}")
            time.sleep(0.01)

    def said(self):
        return "\n".join(f"--- host {i}\n{host.said()}" for i, host in enumerate(self.hosts))

    # looking

    def executed_rows(self):
        return [line["user_count"] for line in self.gateway.executed()]

    def rows_of(self, hosts):
        """Those that these of the hosts have tried, by the ledger."""
        processes = ", ".join(str(host.process.pid) for host in hosts)
        rows = self.server.sql(
            'SELECT DISTINCT a."row" FROM sagorder.attempt AS a JOIN sagorder.host AS h '
            f"ON h.id = a.host WHERE h.process IN ({processes})",
            self.uri,
        )
        return {int(row) for (row,) in rows}

    def executed_between(self, begin, end):
        """Rows that the gateway executed between two moments, in seconds since 1970."""
        moments = [
            (line["user_count"], datetime.datetime.fromisoformat(line["at"]).timestamp())
            for line in self.gateway.executed()
        ]
        return {row for row, at in moments if begin < at < end}

    def states(self):
        """State to how many rows have it, by the ledger."""
        rows = self.server.sql("SELECT state, count(*) FROM sagorder.orders GROUP BY 1", self.uri)
        return {state: int(count) for state, count in rows}

    def doubts(self):
        """How many rows are in doubt, or under way at a host that died."""
        states = self.states()
        return states.get("in_doubt", 0) + states.get("intended", 0)

    def rows_left(self):
        """How many rows a host may still send."""
        states = self.states()
        return self.rows - sum(states.values()) + states.get("pending", 0)

    def bought_by_run(self):
        """Number of a run to the rows that its hosts have bought or may have, by the ledger: all
        that they tried but what was not executed or rejected."""
        tried = self.server.sql(
            'SELECT h.run_number, a."row" FROM sagorder.host AS h LEFT JOIN sagorder.attempt AS a '
            "ON a.host = h.id AND NOT EXISTS (SELECT FROM sagorder.outcome AS o WHERE "
            'o.run = a.run AND o."row" = a."row" AND o.attempt = a.number AND o.kind IN (1, 3)) '
            "WHERE h.run_number > 0 ORDER BY h.run_number",
            self.uri,
        )
        runs = {int(run): [] for run, _ in tried}
        for run, row in tried:
            if row:
                runs[int(run)].append(int(row))
        return runs

    def runs_that_overlap(self):
        """Pairs of runs: an order of the second was begun while a host of the first was at work, by
        the ledger."""
        return self.server.sql(
            "SELECT DISTINCT early.run_number, late.run_number FROM sagorder.host AS early JOIN "
            "sagorder.host AS late ON early.run_number BETWEEN 1 AND late.run_number - 1 JOIN "
            "sagorder.attempt AS a ON a.host = late.id WHERE a.at_ms < floor(1000 * extract(epoch "
            f"FROM least(early.left_at, early.heartbeat_at + interval '{LIFE_SECONDS} s')))",
            self.uri,
        )

    def rows_ahead_of(self, canary):
        """Rows that were tried before all of the first ones were placed, by the ledger."""
        rows = self.server.sql(
            f'SELECT a."row" FROM sagorder.attempt AS a WHERE a."row" > {canary} AND {canary} > '
            '(SELECT count(*) FROM sagorder.outcome AS o WHERE o.run = a.run AND '
            f'o."row" <= {canary} AND o.kind = 2 AND o.seq < a.seq)',
            self.uri,
        )
        return [int(row) for (row,) in rows]

    def wait_until_nobody_is_at_work(self):
        """By the ledger, too: who died has not been heard of for its life."""
        while self.server.sql(
            "SELECT id FROM sagorder.host WHERE left_at IS NULL AND heartbeat_at > "
            f"clock_timestamp() - interval '{LIFE_SECONDS} s'",
            self.uri,
        ):
            time.sleep(0.05)

    def lines(self):
        """The whole lines of all hosts' results."""
        return [line for host in self.hosts if host.output.exists() for line in host.results()]

    def violations(self, *, torn=False):
        """What the independent check finds wrong with the ledger and the gateway's log, and with the
        results of all hosts together. `torn`: a host was killed, or stands still."""
        copy_ledger(self.server, self.uri, self.ledger)
        found = checker.check(
            self.orders,
            self.folder / "no results",
            self.ledger,
            self.gateway.executed_path,
            finished=False,
            torn=True,
        )
        lives, _ = checker.fold(checker.read_ledger(self.ledger))
        seen = set()
        for line in self.lines():
            row = int(line["Row"])
            if row in seen:
                found.append(f"row {row}: two hosts have a line of it")
            seen.add(row)
            state = lives[row].state if row in lives else "pending"
            if line["Status"] != state:
                found.append(f"row {row}: {line['Status']} in the results, {state} in the ledger")
        settled = {row for row, life in lives.items() if life.state in ("placed", "rejected")}
        if not torn and settled - seen:
            found.append(f"rows {sorted(settled - seen)}: settled, and no host has a line of them")
        return found
