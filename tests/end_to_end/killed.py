"""What the tests and the campaign of kills share: a batch that is killed again and again, and what
must hold after each kill and at the end.
"""

import signal
import subprocess

from harness import ALL_PLACED, IN_DOUBT, LIMIT, SOME_REJECTED

# What leaves doubts, what does not, what refuses, what strikes connections; what costs no time.
QUICK_FAULTS = ",".join(
    [
        "close-before=0.02,close-after=0.02,reset-before=0.01,reset-after=0.02,cut=0.02",
        "500-before=0.01,503-after=0.01,html=0.01,no-order-id-after=0.01,redirect-after=0.01",
        "code:InvalidParameter=0.02,chunked=0.05,connection-close=0.05,reuse-close=0.02",
    ]
)
FAULTS = QUICK_FAULTS + ",throttle=0.002,never-after=0.002,accept-close=0.05,handshake=0.05"

IN_FLIGHT_MAX = 8
ENDS = (ALL_PLACED, SOME_REJECTED, IN_DOUBT, LIMIT)  # how a run of its own may end
RUN_SECONDS_MAX = 60


def forms(chance):
    """How a batch is run, in all the ways that matter to a kill."""
    return [
        *("--max-in-flight", str(IN_FLIGHT_MAX), "--request-timeout", "1s"),
        *("--threads", chance.choice(["1", "2"])),
        *("--replay", chance.choice(["never", "same-bytes"])),
        *("--signature", chance.choice(["acs3-hmac-sha256", "hmac-sha1"])),
    ]


class KilledBatch:
    """A batch and the kills that it met.

    kills       those that met a running program
    met_open    those of them that left rows under way
    violations  what was found against the promises so far, as sentences
    ended       a run came to an end by itself with every row settled
    stale       the results were damaged on purpose, or lag behind a resolution: they are looked at
                again when a run has come to its end
    """

    def __init__(self, batch, in_flight_max=IN_FLIGHT_MAX):
        self.batch = batch
        self.in_flight_max = in_flight_max
        self.kills = 0
        self.met_open = 0
        self.violations = []
        self.ended = False
        self.stale = False

    def strike(self, after_ms):
        """Starts it, kills it after a while, and looks. @return whether the kill met it"""
        process = self.batch.start()
        try:
            exit_code = process.wait(timeout=after_ms / 1000)
        except subprocess.TimeoutExpired:
            process.kill()
            exit_code = process.wait()
        return self.take(exit_code, f"killed after {after_ms:.1f} ms")

    def die_at(self, point, number, *, command=None):
        """Starts it so that it dies when it comes to a point for that time, and looks. @return
        whether it came there; the program must be the one with kill points"""
        where = f"{point}:{number}"
        process = self.batch.start_any(
            command or self.batch.command(), env={"SAGORDER_KILL_AT": where}
        )
        exit_code = process.wait(timeout=RUN_SECONDS_MAX)
        return self.take(exit_code, f"died at {where}", command is None)

    def take(self, exit_code, how, is_run=True):
        """After a program has ended, or was killed. @return whether it was killed"""
        if exit_code == -signal.SIGKILL:
            self.kills += 1
            self.look(how)
            return True
        if is_run:
            self.end(exit_code)
        return False

    def look(self, how):
        """After a kill: nothing is twice, forgotten or contradicted; few rows are left open."""
        when = f"{how}, kill {self.kills}"
        found = self.batch.violations(finished=False, torn=True, results=not self.stale)
        self.violations += [f"{when}: {text}" for text in found]
        states = self.batch.ledger_rows().values()
        under_way = sum(state == "intended" for state in states)
        if under_way > self.in_flight_max:
            self.violations.append(f"{when}: {under_way} rows are under way")
        self.met_open += under_way > 0

    def end(self, exit_code):
        """A run came to an end of its own."""
        self.stale = False
        if exit_code not in ENDS:
            self.violations.append(f"a run ended with {exit_code}: {self.log()}")
        found = self.batch.violations(finished=False)
        self.violations += [f"after a run ended with {exit_code}: {text}" for text in found]
        self.ended = self.batch.is_finished()

    def finish(self, again=True):
        """Lets it run until every row has its line. `again`: and once more, which sends nothing."""
        for run in self.batch.run_until_finished():
            if run.returncode not in ENDS:
                self.violations.append(f"a run ended with {run.returncode}: {run.stderr}")
        if not self.batch.is_finished():
            self.violations.append("it does not come to an end")
        self.violations += [f"at the end: {text}" for text in self.batch.violations()]
        if again:
            self.finished_batch_sends_nothing()

    def finished_batch_sends_nothing(self, check=True):
        """Not a request, and not even a connection. `check`: looks at everything again."""
        gateway = self.batch.gateway
        gateway.stop()
        gateway.start()
        done = self.batch.run()
        counts = gateway.counts()
        for what in ("connections", "requests", "executed"):
            if counts[what]:
                self.violations.append(f"finished, and run again: {counts[what]} {what}")
        if done.returncode not in (ALL_PLACED, SOME_REJECTED, IN_DOUBT):
            self.violations.append(f"finished, and run again: {done.returncode}: {done.stderr}")
        found = self.batch.violations() if check else []
        self.violations += [f"finished, and run again: {text}" for text in found]

    def log(self):
        """The last that the program said."""
        path = self.batch.log
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(line for line in lines[-40:] if "warning: UserCount" not in line)
