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
    disturbed = len(hosts.bought_by_run())
    if limits.canary and hosts.doubts():  # it was lost, and a person lets the rest go
        hosts.leave_out(f"--canary={limits.canary}")
        limits = replace(limits, canary=0)
        hosts.wait_until_nobody_is_at_work()
    deadline = time.monotonic() + FINISH_SECONDS
    left = True
    while left:
        if time.monotonic() > deadline:
            found.append(f"{hosts.rows_left()} rows are left after {FINISH_SECONDS} s")
            break
        left = hosts.rows_left() > 0
        hosts.start_all()
        hosts.wait()
        found += of_ended(hosts, limits, ())
    return found + of_runs(hosts, limits, disturbed)


def of_ended(hosts, limits, passing):
    """What is wrong with hosts that have all ended."""
    found = []
    if early := hosts.rows_ahead_of(limits.canary):
        found.append(f"rows {early} are tried before the first {limits.canary} are placed")
    left = hosts.rows_left()
    allowed = {LIMIT, *passing}
    if hosts.doubts():
        allowed.add(IN_DOUBT)
    if left == 0:
        allowed.add(ALL_PLACED)
    for host in hosts:
        code = host.process.returncode
        if code not in allowed:
            found.append(f"with {left} rows left a host ends with {code}")
        if left and code != -signal.SIGKILL and not limits.are_named_by(host):
            found.append(f"with {left} rows left a host ends and names no limit of its own")
    return found


def of_runs(hosts, limits, disturbed):
    """What is wrong with the runs of a batch, in so many of which, the first, something failed."""
    found = [
        f"an order of run {late} is begun while a host of run {early} is at work"
        for early, late in hosts.runs_that_overlap()
    ]
    left = limits.rows
    for number, (run, bought) in enumerate(hosts.bought_by_run().items()):
        left -= len(bought)
        told = f"run {run} buys {len(bought)} orders and {sum(bought)} seats, of {limits.options()}"
        if limits.are_exceeded_by(bought):
            found.append(told)
        if number >= disturbed and left > 0 and not limits.are_spent_by(bought):
            found.append(f"{told}, and leaves {left}, though nothing fails")
    return found
