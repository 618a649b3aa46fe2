"""Three real hosts on one batch in a real PostgreSQL, of which something fails at a moment of chance:

  kill      a host, by SIGKILL: the others do its rows, and what it had under way is in doubt
  pause     a host, by SIGSTOP, for up to twice the time after which it counts as dead
  cut       the connections of hosts to the database, several times
  backend   a process of the server, by SIGKILL: the server ends all sessions, and recovers
  restart   the server, at once (as by a power cut), for up to a second and a half
  failover  the same, and a standby takes its place, for which commits had waited
  hole      the connections of one host or of all to the database swallow everything, or requests
            alone, or answers alone, without a word; then they go on, or end
  gateway   the same between one host and the gateway

Every third batch has limits of all hosts together, by which the first run ends before the last row;
further runs by the same command do the rest (host_limits.py says what is judged of them). Its case
says so: kill+limits:17.

Judged: no row is executed twice and each is executed; the independent checker finds nothing in the
ledger, and nothing in the results of all hosts together; rows without an outcome are those of a
killed host, and as many as it may have under way at most, and so are those in doubt where a
connection to the gateway failed; a host behind a hole is silent once its lease is over, and says
why; every host ends, with the exit code that goes with it (one that had not begun to send when the
database was gone, by the same command again); and one more host finds nothing left to send.
"""

import contextlib
import os
import signal
import time

from black_hole import ANSWERS, BOTH, REQUESTS, WayToDatabase, WayToGateway
from campaign import Campaign, Trial, chance_of
from database import Server
from harness import ALL_PLACED, GATEWAY, IN_DOUBT, SAGORDER, UNWRITABLE, Gateway
from host_limits import HostLimits, placed_in_turns
from host_processes import AWAY, LEASE_SECONDS, LIFE_SECONDS, SAYS_SECONDS, SLOW_SECONDS, Hosts
from standby import Standby

HOSTS = 3
ROWS = 150
RATE = "300/s"
IN_FLIGHT = 40
REQUEST_TIMEOUT = 3
FAULTS = ("kill", "pause", "cut", "backend", "restart", "failover", "hole", "gateway")
LIMITED = "+limits"
LIMITED_EVERY = 3  # of the cases; the faults take turns, for it does not divide their number
# Exit codes that a fault may lead to, beside what the batch asks for. Whoever ends before a host is
# back finds it dead, and what it has under way in doubt.
PASSING = {"kill": (-signal.SIGKILL,), "pause": (IN_DOUBT,), "hole": (IN_DOUBT,)}
HOLES = (BOTH, BOTH, (REQUESTS,), (ANSWERS,))
LONG_HOLE_SECONDS = (31, 36)  # one that outlasts a commit's patience, of so many
LONG_HOLES = 0.05
END_SECONDS = 120
OURS = "FROM pg_stat_activity WHERE application_name = 'sagorder'"


class DatabaseHosts(Campaign):
    """Each trial is a batch of its own in a database of its own."""

    summary = "three real hosts on one batch in PostgreSQL: hosts, server and connections fail"
    short = {"trials": len(FAULTS)}
    form = f"FAULT[{LIMITED}]:SEED"
    example = "kill:17"

    def needs(self):
        return [SAGORDER, GATEWAY]

    def knows(self, case):
        fault, seed = case.split(":")
        return fault.removesuffix(LIMITED) in FAULTS and seed.isdigit()

    def begin(self):
        self.server = self.held.enter_context(Server())

    def case(self, position, seed):
        limited = LIMITED if position % LIMITED_EVERY == 0 else ""
        return f"{FAULTS[position % len(FAULTS)]}{limited}:{seed}"

    def trial(self, case):
        fault = case.split(":")[0].removesuffix(LIMITED)
        if fault != "failover":
            return self.tried(fault, case, self.server, None)
        with Server() as server, Standby(server) as standby:
            standby.be_waited_for()
            return self.tried(fault, case, server, standby)

    def tried(self, fault, case, server, standby):
        chance = chance_of(case)
        limits = HostLimits.drawn(chance, ROWS) if LIMITED in case else HostLimits(ROWS)
        self.limits = limits
        uri = server.new_database()
        options = ["--max-in-flight", IN_FLIGHT, *limits.options()]
        if fault == "gateway":
            options += ["--request-timeout", f"{REQUEST_TIMEOUT}s"]
        with contextlib.ExitStack() as held:
            gateway = held.enter_context(
                Gateway(latency="2ms-60ms", seed=chance.randint(1, 1_000_000))
            )
            hosts = held.enter_context(
                Hosts(
                    *(server, gateway, 0, *options),
                    rows=ROWS,
                    rate=RATE,
                    uri=standby.uri_of_both(uri) if standby else uri,
                )
            )
            for number in range(HOSTS):
                hosts.hosts.append(joined(held, fault, hosts, number))
            hosts.start_all()
            hosts.wait_for_orders(chance.randint(1, min(ROWS * 2 // 3, int(limits.surely_fit))))
            found = getattr(self, fault)(chance, hosts, server, standby) or []
            again = begun_again(hosts)
            if limits:
                found += placed_in_turns(hosts, limits, PASSING.get(fault, ()))
            trial = judged(fault, hosts, hosts.wait(END_SECONDS))
            trial.violations = found + trial.violations
            trial.counts["hosts begun again"] = again
            if limits:
                trial.counts |= limits.counted(hosts)
            if trial.violations:
                trial.detail = hosts.said()
            return trial

    # what fails

    def kill(self, chance, hosts, _server, _standby):
        hosts[chance.randrange(HOSTS)].process.kill()

    def pause(self, chance, hosts, _server, _standby):
        process = hosts[chance.randrange(HOSTS)].process
        process.send_signal(signal.SIGSTOP)
        time.sleep(chance.uniform(0, 2 * LIFE_SECONDS))
        process.send_signal(signal.SIGCONT)

    def cut(self, chance, hosts, server, _standby):
        for _ in range(chance.randint(1, 6)):
            server.sql(f"SELECT pg_terminate_backend(pid) {OURS} ORDER BY random() LIMIT 2")
            time.sleep(chance.uniform(0, 0.2))

    def backend(self, chance, hosts, server, _standby):
        pids = server.sql(f"SELECT pid {OURS}")
        if pids:
            os.kill(int(chance.choice(pids)[0]), signal.SIGKILL)

    def restart(self, chance, hosts, server, _standby):
        server.crash()
        time.sleep(chance.uniform(0, 1.5))
        server.start()

    def failover(self, chance, hosts, server, standby):
        server.crash()
        time.sleep(chance.uniform(0, 1))
        standby.promote()
        hosts.uri = standby.uri(hosts.uri.split("/")[3].split("?")[0])

    def hole(self, chance, hosts, _server, _standby):
        struck = chance.choice([list(hosts), [hosts[chance.randrange(HOSTS)]]])
        seconds = chance.choice([chance.uniform(0, 1.5), chance.uniform(1.5, 9)])
        if chance.random() < LONG_HOLES:
            seconds = chance.uniform(*LONG_HOLE_SECONDS)
        begin = time.time()
        for host in struck:
            host.way.swallow(chance.choice(HOLES))
        time.sleep(seconds)
        found = silence(hosts, struck, begin, time.time(), self.limits)
        self.leave_holes(chance, struck)
        return found

    def gateway(self, chance, hosts, _server, _standby):
        struck = [hosts[chance.randrange(HOSTS)]]
        struck[0].way.swallow(chance.choice(HOLES))
        time.sleep(chance.uniform(0, 1.5 * REQUEST_TIMEOUT))
        self.leave_holes(chance, struck)

    @staticmethod
    def leave_holes(chance, struck):
        for host in struck:
            chance.choice([host.way.go_on, host.way.end])()


def joined(held, fault, hosts, number):
    """One of the hosts, by a way of its own to what a hole is in front of."""
    if fault == "hole":
        way = held.enter_context(WayToDatabase(hosts.server))
        host = hosts.join(uri=way.uri(hosts.uri))
    elif fault == "gateway":
        way = held.enter_context(WayToGateway(hosts.gateway, number))
        host = hosts.join(gateway=way)
        host.options += way.route
    else:
        return hosts.join()
    host.way = way
    return host


def begun_again(hosts):
    """A host that loses the database before it has sent anything may end so: then its command is
    given again. @return how many"""
    again = 0
    for host, code in zip(hosts, hosts.wait(END_SECONDS)):
        if code == UNWRITABLE and not hosts.rows_of([host]):
            host.begin()
            again += 1
    return again


def silence(hosts, struck, begin, end, limits):
    """What is wrong with hosts that cannot reach the database between two moments."""
    found = []
    alive = [host for host in struck if host.process.poll() is None]
    sent = hosts.executed_between(begin + LEASE_SECONDS + SLOW_SECONDS, end)
    if loud := sent & hosts.rows_of(struck):
        found.append(f"rows {sorted(loud)} were sent without a lease")
    executed = hosts.executed_rows()
    over = len(executed) == ROWS or limits.are_spent_by(executed)
    if end - begin < SAYS_SECONDS + SLOW_SECONDS or over:
        return found
    for host in alive:
        if AWAY not in host.said():
            found.append("a host that cannot reach the database does not say so")
    return found


def judged(fault, hosts, codes):
    """What became of a batch, as a Trial."""
    killed, hushed = fault == "kill", fault == "gateway"
    executed = hosts.executed_rows()
    found = hosts.violations(torn=killed)
    states = hosts.states()
    open_rows = states.pop("intended", 0)
    doubts = states.pop("in_doubt", 0)
    if len(executed) != len(set(executed)):
        found.append("rows were executed twice")
    if not (killed or hushed) and set(executed) != set(range(1, ROWS + 1)):
        found.append(f"{ROWS - len(set(executed))} rows were not executed")
    if states != {"placed": ROWS - open_rows - doubts}:
        found.append(f"the ledger ends with {states}, {open_rows} open and {doubts} in doubt")
    if open_rows > (IN_FLIGHT if killed else 0):
        found.append(f"{open_rows} rows have no outcome")
    if doubts > (IN_FLIGHT if hushed else 0):
        found.append(f"{doubts} rows are in doubt")
    wanted = IN_DOUBT if open_rows + doubts else ALL_PLACED
    if any(code not in (wanted, *PASSING.get(fault, ())) for code in codes):
        found.append(f"the hosts end with {codes}, not {wanted}")
    again = hosts.join(gateway=hosts[0].way if hushed else None).run()
    if again.returncode != wanted or len(hosts.executed_rows()) != len(executed):
        found.append(f"one more host ends with {again.returncode}: {again.stderr[-300:]}")
    return Trial(
        faults={fault: 1},
        violations=found,
        counts={"orders executed": len(executed), "rows left open or in doubt": open_rows + doubts},
        peaks={"rows left open or in doubt by one fault": open_rows + doubts},
    )


CAMPAIGN = DatabaseHosts
