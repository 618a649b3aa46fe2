"""Three real hosts on one batch in a real PostgreSQL, of which something fails at a moment of chance:

  kill      a host, by SIGKILL: the others do its rows, and what it had under way is in doubt
  pause     a host, by SIGSTOP, for up to twice the time after which it counts as dead
  cut       the connections of hosts to the database, several times
  backend   a process of the server, by SIGKILL: the server ends all sessions, and recovers
  restart   the server, at once (as by a power cut), for up to a second and a half
  failover  the same, and a standby takes its place, for which commits had waited

Judged: no row is executed twice and each is executed; the independent checker finds nothing in the
ledger, and nothing in the results of all hosts together; rows without an outcome are those of a
killed host, and as many as it may have under way at most; every host ends, with the exit code that
goes with it; and one more host finds nothing left to send.
"""

import os
import signal
import time

from campaign import Campaign, Trial, chance_of
from database import Server
from harness import ALL_PLACED, GATEWAY, IN_DOUBT, SAGORDER, Gateway
from host_processes import LIFE_SECONDS, Hosts
from standby import Standby

ROWS = 150
RATE = "300/s"
IN_FLIGHT = 40
FAULTS = ("kill", "pause", "cut", "backend", "restart", "failover")
OURS = "FROM pg_stat_activity WHERE application_name = 'sagorder'"


class DatabaseHosts(Campaign):
    """Each trial is a batch of its own in a database of its own."""

    summary = "three real hosts on one batch in PostgreSQL: hosts, server and connections fail"
    short = {"trials": 6}
    form = "FAULT:SEED"
    example = "kill:17"

    def needs(self):
        return [SAGORDER, GATEWAY]

    def knows(self, case):
        fault, seed = case.split(":")
        return fault in FAULTS and seed.isdigit()

    def begin(self):
        self.server = self.held.enter_context(Server())

    def case(self, position, seed):
        return f"{FAULTS[position % len(FAULTS)]}:{seed}"

    def trial(self, case):
        fault, _ = case.split(":")
        if fault != "failover":
            return self.tried(fault, case, self.server, None)
        with Server() as server, Standby(server) as standby:
            standby.be_waited_for()
            return self.tried(fault, case, server, standby)

    def tried(self, fault, case, server, standby):
        chance = chance_of(case)
        uri = server.new_database()
        options = ("--max-in-flight", str(IN_FLIGHT))
        with (
            Gateway(latency="2ms-60ms", seed=chance.randint(1, 1_000_000)) as gateway,
            Hosts(
                *(server, gateway, 3),
                *options,
                rows=ROWS,
                rate=RATE,
                uri=standby.uri_of_both(uri) if standby else uri,
            ) as hosts,
        ):
            hosts.start_all()
            hosts.wait_for_orders(chance.randint(1, ROWS * 2 // 3))
            getattr(self, fault)(chance, hosts, server, standby)
            codes = hosts.wait(120)
            trial = judged(fault, hosts, codes)
            if trial.violations:
                trial.detail = hosts.said()
            return trial

    # what fails

    def kill(self, chance, hosts, _server, _standby):
        hosts[chance.randrange(3)].process.kill()

    def pause(self, chance, hosts, _server, _standby):
        process = hosts[chance.randrange(3)].process
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


def judged(fault, hosts, codes):
    """What became of a batch, as a Trial."""
    killed = fault == "kill"
    executed = hosts.executed_rows()
    found = hosts.violations(torn=killed)
    states = hosts.states()
    open_rows = states.pop("intended", 0)
    if len(executed) != len(set(executed)):
        found.append("rows were executed twice")
    if not killed and set(executed) != set(range(1, ROWS + 1)):
        found.append(f"{ROWS - len(set(executed))} rows were not executed")
    if states != {"placed": ROWS - open_rows}:
        found.append(f"the ledger ends with {states}, and {open_rows} open")
    if open_rows > (IN_FLIGHT if killed else 0):
        found.append(f"{open_rows} rows have no outcome")
    wanted = IN_DOUBT if open_rows else ALL_PLACED
    others = [code for code in codes if not (killed and code == -signal.SIGKILL)]
    # Whoever ends before a paused host wakes finds it dead, and what it has under way in doubt.
    passing = (IN_DOUBT,) if fault == "pause" else ()
    if any(code not in (wanted, *passing) for code in others):
        found.append(f"the hosts end with {codes}, not {wanted}")
    again = hosts.join(hosts.uri).run()
    if again.returncode != wanted or len(hosts.executed_rows()) != len(executed):
        found.append(f"one more host ends with {again.returncode}: {again.stderr[-300:]}")
    return Trial(
        faults={fault: 1},
        violations=found,
        counts={"orders executed": len(executed), "rows left in doubt": open_rows},
        peaks={"rows left in doubt by one death": open_rows},
    )


CAMPAIGN = DatabaseHosts
