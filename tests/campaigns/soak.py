"""A long run in which one request in a thousand meets a fault: nothing grows, and the promises hold.

One trial is one run of the program, `--minutes` long at `--rate` orders a second, against a gateway
that fails in every way. While it runs, its resident memory and its open descriptors are sampled.
Judged:

  memory       the first fifth of the samples is warm-up (the database's page cache of 8 MiB fills);
               of the rest, the median of the last third is at most 2 MiB above that of the middle
               third
  descriptors  never more than --connections and 24 others
  the batch    every row has its line, the independent checker finds nothing (see `kill`), and the
               finished batch, run again, opens no connection

SIGINT ends the run in order; what was reached until then is judged.
"""

import contextlib
import csv
import os
import pathlib
import signal
import statistics
import subprocess
import time

from campaign import Campaign, Trial, chance_of
from harness import PATIENT, Batch, Gateway
from killed import ENDS, KilledBatch

CONNECTIONS = 16
OTHER_DESCRIPTORS = 24  # streams, loop, timers, signals, input, results, ledger, its log and index
WARM_UP = 0.2  # of the samples
GROWTH_MIB_MAX = 2.0
SAMPLES_MIN = 30  # fewer say nothing of growth
FAULTS_OF_THOUSAND = 1.0
PATIENCE_SECONDS = 120  # for the end of a run, on a busy machine

# Mixed faults, of which each is as likely as the others; a third of them leaves a doubt.
KINDS = (
    "close-before close-after reset-before reset-after never-after cut dribble 500-before 503-after"
    " html no-order-id-after redirect-after malformed-json-after huge-after code:InvalidParameter"
    " throttle chunked connection-close idle-close extra-bytes"
).split()
OF_CONNECTIONS = "accept-close=0.01,handshake=0.01,reuse-close=0.0001"


def faults():
    each = FAULTS_OF_THOUSAND / 1000 / len(KINDS)
    return ",".join([f"{kind}={each:.8f}" for kind in KINDS] + [OF_CONNECTIONS])


def resident_mib(pid):
    """None: it is gone."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return None


def descriptors(pid):
    """None: it is gone, or who asks may not know (the program hides itself from all but root)."""
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return None


def growth(samples):
    """The median of the last third above that of the middle third, behind the warm-up; None: too
    few samples."""
    kept = samples[int(len(samples) * WARM_UP) :]
    if len(kept) < SAMPLES_MIN:
        return None
    third = len(kept) // 3
    return statistics.median(kept[2 * third :]) - statistics.median(kept[third : 2 * third])


def complaints_of_samples(memory, open_files):
    """What is wrong with how a run used the machine, as sentences."""
    found = []
    grown = growth(memory)
    if grown is not None and grown > GROWTH_MIB_MAX:
        found.append(f"memory grew by {grown:.2f} MiB from the middle third to the last")
    most = max(open_files, default=0)
    if most > CONNECTIONS + OTHER_DESCRIPTORS:
        found.append(f"{most} descriptors were open, with {CONNECTIONS} connections")
    return found


class Soak(Campaign):
    summary = "a long run with few faults: memory and descriptors do not grow"
    short = {"minutes": 0.2, "rate": 500}
    form = "MINUTES:RATE:SEED"
    example = "0.5:500:7"

    def add_options(self, parser):
        parser.set_defaults(trials=1)
        parser.add_argument("--minutes", type=float, default=30, metavar="M", help="of a trial")
        parser.add_argument("--rate", type=int, default=300, metavar="N", help="orders a second")

    def knows(self, case):
        minutes, rate, seed = case.split(":")
        return float(minutes) > 0 and int(rate) > 0 and seed.isdigit()

    def case(self, position, seed):
        return f"{self.options.minutes:g}:{self.options.rate}:{seed}"

    def trial(self, case):
        minutes, rate, _ = case.split(":")
        seconds, rate = float(minutes) * 60, int(rate)
        chance = chance_of(case)
        gateway_options = {"seed": chance.randrange(2**31), "latency": "1ms-20ms"}
        with contextlib.ExitStack() as held:
            gateway = held.enter_context(
                Gateway("--dribble-gap", "1ms", faults=faults(), **gateway_options)
            )
            options = (
                *("--connections", str(CONNECTIONS), "--request-timeout", "2s"),
                *("--threads", chance.choice(["1", "2"])),
            )
            batch = held.enter_context(Batch(gateway, *PATIENT, *options, rate=f"{rate}/s"))
            write_orders(batch, int(seconds * rate))
            return self.judge(batch, *self.run(batch, max(seconds / 1000, 0.1)))

    def run(self, batch, pause):
        """(the program's exit code, samples of memory, samples of descriptors)"""
        process = batch.start()
        memory, open_files = [], []
        while not self.stop.asked:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=pause), memory, open_files
            for value, samples in (
                (resident_mib(process.pid), memory),
                (descriptors(process.pid), open_files),
            ):
                if value is not None:
                    samples.append(value)
        process.send_signal(signal.SIGINT)
        return process.wait(timeout=PATIENCE_SECONDS), memory, open_files

    def judge(self, batch, exit_code, memory, open_files):
        looked_at = KilledBatch(batch)
        found = complaints_of_samples(memory, open_files)
        if exit_code not in ENDS:
            found.append(f"it ended with {exit_code}: {looked_at.log()}")
        summary = batch.summary()
        stopped = summary["stop"] == "interrupted" and not batch.is_finished()
        executed = len(batch.gateway.executed())
        found += batch.violations(finished=not stopped)
        faults_met = batch.gateway.counts()["faults"]
        batch.gateway.start()
        if not stopped:
            looked_at.finished_batch_sends_nothing(check=False)
        return Trial(
            faults=faults_met,
            violations=found + looked_at.violations,
            counts={
                "orders done": len(batch.results()),
                "orders executed": executed,
                "orders in doubt": batch.statuses().get("in_doubt", 0),
                "samples": len(memory),
            },
            peaks={
                "memory, MiB": max(memory, default=0.0),
                "growth of memory, MiB": growth(memory) or 0.0,
                "descriptors": max(open_files, default=0),
            },
            detail=f"{looked_at.log()}\n{summary}",
        )


def write_orders(batch, rows):
    """Rows that can all be told apart, within what the vendor allows."""
    with open(batch.input, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["RegionId", "Period", "UserCount", "AutoPay"])
        for row in range(rows):
            region = ("cn-shanghai", "cn-hangzhou", "eu-central-1")[row % 3]
            writer.writerow([region, row // 3 % 9 + 1, row // 27 * 5 + 5, "false"])
    batch.rows = rows


CAMPAIGN = Soak
