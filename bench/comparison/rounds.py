"""Rounds of interleaved runs, and what is said of them: medians, spreads, ratios within a round.

A shared machine is faster in one minute than in the next. Two runs of one round have the same
minute, so a ratio is made within a round first; its median and spread are taken over the rounds.
"""

import statistics
from dataclasses import dataclass


@dataclass
class Figure:
    """Over the rounds."""

    median: float
    least: float
    most: float

    def __format__(self, spec):
        return f"{self.median:{spec}} ({self.least:{spec}}-{self.most:{spec}})"


def figure(values):
    return Figure(statistics.median(values), min(values), max(values))


def play(measure, clients, loads, rounds, say=lambda sample: None):
    """{(load's index, client's name): [Sample of each round]}, all clients of a load in turn."""
    samples = {}
    for _ in range(rounds):
        for index, load in enumerate(loads):
            for client in clients:
                sample = measure(client, load)
                say(sample)
                samples.setdefault((index, sample.client), []).append(sample)
    return samples


def ratios(some, others, value):
    """Of a property, run by run of the same round."""
    return figure([value(one) / value(other) for one, other in zip(some, others, strict=True)])
