"""Limits of all hosts together, in a trial of database_hosts: what the hosts are given, and what
becomes of their batch.

Whatever fails while the hosts of the first start are at work, no run exceeds a limit, and whoever
stops by one says so. Then all are started by the same command again, and nothing fails any more:
each run of theirs spends what it may, until no row is left.

A run lasts while hosts are at work. Which run an order is of is known by the ledger's word for its
host; so it is judged, too, that none is begun while a host of an earlier run is at work.
"""

import math
import signal
import time
from dataclasses import dataclass, replace

from harness import ALL_PLACED, IN_DOUBT, LIMIT

CANARY_MOST = 30
CANARIES = 1 / 3  # of the batches with limits
FINISH_SECONDS = 90


@dataclass(frozen=True)
class HostLimits:
    """Of a batch whose rows buy as many seats each as their number says."""

    rows: int
    orders: float = math.inf
    seats: float = math.inf
    canary: int = 0

    @classmethod
    def drawn(cls, chance, rows):
        """Some that end the first run before the last row."""
        seats = rows * (rows + 1) // 2
        some = {
            "orders": chance.randint(rows // 3, rows - 1),
            "seats": chance.randint(seats // 2, seats - 1),
        }
        if (left_out := chance.choice((None, "orders", "seats"))) is not None:
            some.pop(left_out)
        canary = chance.randint(1, CANARY_MOST) if chance.random() < CANARIES else 0
        return cls(rows, **some, canary=canary)

    def __bool__(self):
        """Whether there are any."""
        return bool(self.options())

    def options(self):
        given = {"--max-orders": self.orders, "--max-seats": self.seats, "--canary": self.canary}
        return [f"{name}={most}" for name, most in given.items() if most not in (0, math.inf)]

    @property
    def surely_fit(self):
        """So many orders, whichever they are."""
        return min(self.rows, self.orders, self.seats / self.rows)

    def are_exceeded_by(self, bought):
        return len(bought) > self.orders or sum(bought) > self.seats

    def are_spent_by(self, bought):
        """There may be no row left that would still fit."""
        return len(bought) >= self.orders or sum(bought) > self.seats - self.rows

    def counted(self, hosts):
        """For the table."""
        runs = [bought for bought in hosts.bought_by_run().values() if bought]
        return {
            "with limits: batches": 1,
            "with limits: batches with a canary": int(self.canary > 0),
            "with limits: runs that bought something": len(runs),
            "with limits: runs that spent all they might": sum(map(self.are_spent_by, runs)),
        }

    def are_named_by(self, host):
        """By a host that has ended, for programs and for people."""
        told = host.summary()
        option = "--" + told["stop"].replace("_", "-")
        line = f"stopped: {option}: {told['stop_detail']}"
        return any(each.startswith(option + "=") for each in self.options()) and line in host.said()


def placed_in_turns(hosts, limits, passing):
    """Waits for the hosts, and begins them until no row is left, and once more.
    @param passing exit codes that the fault may lead to  @return what is wrong"""
    hosts.wait()
    found = of_ended(hosts, limits, passing)
    runs = len(hosts.bought_by_run())
    if limits.canary and hosts.doubts():  # it was lost, and a person lets the rest go
        hosts.leave_out(f"--canary={limits.canary}")
        limits = replace(limits, canary=0)
        hosts.wait_until_nobody_is_at_work()
    deadline = time.monotonic() + FINISH_SECONDS
    left = True
    while left:
        if time.monotonic() > deadline:
            return [*found, f"{hosts.rows_left()} rows are left after {FINISH_SECONDS} s"]
        left = hosts.rows_left() > 0
        hosts.start_all()
        hosts.wait()
        found += of_ended(hosts, limits, ())
    return found + wasted(hosts, limits, runs)


def of_ended(hosts, limits, passing):
    """What is wrong with a batch whose hosts have all ended."""
    runs = hosts.bought_by_run()
    found = [
        f"run {number} buys {len(bought)} orders and {sum(bought)} seats, of {limits.options()}"
        for number, bought in runs.items()
        if limits.are_exceeded_by(bought)
    ]
    for early, late in hosts.runs_that_overlap():
        found.append(f"an order of run {late} is begun while a host of run {early} is at work")
    if early := hosts.rows_ahead_of(limits.canary):
        found.append(f"rows {early} are tried before the first {limits.canary} are placed")
    left = hosts.rows_left()
    allowed = {LIMIT, *passing, IN_DOUBT if hosts.doubts() else LIMIT}
    for host in hosts:
        code = host.process.returncode
        if code not in allowed | ({ALL_PLACED} if left == 0 else set()):
            found.append(f"with {left} rows left a host ends with {code}")
        if left and code != -signal.SIGKILL and not limits.are_named_by(host):
            found.append(f"with {left} rows left a host ends and names no limit of its own")
    return found


def wasted(hosts, limits, first):
    """Runs after the first ones that bought less than they might, though nothing failed."""
    found = []
    bought = []
    for number, (run, rows) in enumerate(hosts.bought_by_run().items()):
        bought += rows
        if number >= first and len(bought) < limits.rows and not limits.are_spent_by(rows):
            found.append(f"run {run} stops at {len(rows)} orders, of {limits.options()}")
    return found
