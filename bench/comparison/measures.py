"""What bench/compare can measure: each makes its rounds and says what they mean, as Markdown."""

from dataclasses import dataclass, field

import plot
from clients import FLOOR, IN_MEMORY, SAGORDER, WITHOUT_SYNCS, WRK, Load
from rounds import figure, play, ratios

CLOSED = "closed loop: each connection's next request follows its answer, which comes at once"
SWEPT_CONNECTIONS = (1, 4, 16, 64, 256)
SWEPT_ROWS = (10_000, 100_000, 1_000_000)
SWEEP_ORDERS_A_CONNECTION = 20_000  # few connections are slow: as many orders as take some seconds


@dataclass
class Result:
    heading: str  # of its section in bench/RESULTS.md
    lines: list  # of Markdown, the table last
    plots: dict = field(default_factory=dict)  # file name: SVG


def cpu(sample):
    return sample.cpu_us


def pace(sample):
    return sample.per_second


def milliseconds(samples, percentile):
    values = [getattr(sample, percentile) for sample in samples]
    return "-" if None in values else f"{figure(values).median:.2f}"


def row(*cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def head(*names):
    return [row(*names), "|" + "---|" * len(names)]


def shares(samples):
    """User and system time a request, of the run that is the median of their sum."""
    middle = sorted(samples, key=cpu)[len(samples) // 2]
    to_us = 1e6 / middle.requests
    return f"{middle.user_s * to_us:.1f} + {middle.system_s * to_us:.1f}"


def busy(samples):
    """How much of its core the client used, and nginx of its own."""
    client = figure([(s.user_s + s.system_s) / s.seconds for s in samples]).median
    server = figure([s.server_s / s.seconds for s in samples]).median
    return f"{client:.0%}, {server:.0%}"


def table(measure, options, say):
    """All clients at a few numbers of connections."""
    loads = [Load(connections, options.orders) for connections in options.connections]
    clients = [WRK, FLOOR, SAGORDER, WITHOUT_SYNCS, IN_MEMORY, *options.against]
    played = play(measure, clients, loads, options.rounds, say)
    lines = [f"{CLOSED[0].upper()}{CLOSED[1:]}. {options.orders:,} orders a run, "
             f"{options.rounds} rounds of all clients in turn, medians; in brackets the least and "
             "the most. Ratios are to the run of the same round.", "",
             *head("connections", "client", "client CPU us a request", "user + system", "CPU x wrk",
                   "CPU x floor", "requests/s", "rate x wrk", "p50 ms", "p99 ms",
                   "busy: client, nginx")]
    for (index, name), samples in sorted(played.items(), key=lambda item: item[0][0]):
        wrk, floor = played[index, WRK], played[index, FLOOR]
        lines.append(row(
            loads[index].connections, name, f"{figure(list(map(cpu, samples))):.2f}",
            shares(samples), f"{ratios(samples, wrk, cpu):.2f}",
            f"{ratios(samples, floor, cpu).median:.2f}",
            f"{figure(list(map(pace, samples))).median:,.0f}",
            f"{ratios(samples, wrk, pace):.2f}", milliseconds(samples, "p50_ms"),
            milliseconds(samples, "p99_ms"), busy(samples)))
    return Result("Against wrk and a bare loop", lines)


def connections(measure, options, say):
    """CPU by connections, as a plot."""
    loads = [Load(n, min(options.orders, n * SWEEP_ORDERS_A_CONNECTION))
             for n in SWEPT_CONNECTIONS]
    clients = (WRK, FLOOR, SAGORDER)
    played = play(measure, clients, loads, options.rounds, say)
    lines = ["![client CPU a request by connections](cpu_by_connections.svg)", "",
             f"Client CPU us a request, medians of {options.rounds} rounds; {CLOSED}. Up to "
             f"{options.orders:,} orders a run.", "",
             *head("connections", *clients, "CPU x wrk", "sagorder p50 ms", "p99 ms")]
    series = {name: [] for name in clients}
    for index, load in enumerate(loads):
        medians = {name: figure(list(map(cpu, played[index, name]))).median for name in clients}
        for name in clients:
            series[name].append((load.connections, medians[name]))
        ours = played[index, SAGORDER]
        lines.append(row(load.connections, *(f"{medians[name]:.1f}" for name in clients),
                         f"{ratios(ours, played[index, WRK], cpu):.2f}",
                         milliseconds(ours, "p50_ms"), milliseconds(ours, "p99_ms")))
    drawn = plot.chart("Client CPU a request, by connections", "connections", "us", series)
    return Result("By connections", lines, {"cpu_by_connections.svg": drawn})


def rows(measure, options, say):
    """CPU and memory by rows of the input, as a plot."""
    loads = [Load(options.connections[-1], n) for n in SWEPT_ROWS]
    played = play(measure, (SAGORDER,), loads, options.rounds, say)
    lines = ["![client CPU an order by rows](cpu_by_rows.svg)", "",
             f"sagorder alone, everything on, {loads[0].connections} connections, medians of "
             f"{options.rounds} rounds; {CLOSED}.", "",
             *head("rows", "client CPU us an order", "user + system", "orders/s",
                   "peak memory MiB")]
    points = []
    for index, load in enumerate(loads):
        samples = played[index, SAGORDER]
        taken = figure(list(map(cpu, samples)))
        points.append((load.orders, taken.median))
        lines.append(row(f"{load.orders:,}", f"{taken:.2f}", shares(samples),
                         f"{figure(list(map(pace, samples))).median:,.0f}",
                         f"{figure([sample.peak_mib for sample in samples]).median:.1f}"))
    drawn = plot.chart("sagorder: client CPU an order, by rows", "rows", "us", {SAGORDER: points})
    return Result("By rows", lines, {"cpu_by_rows.svg": drawn})


def paced(measure, options, say):
    """Orders come singly: nothing is shared between them, neither a wake-up nor a commit."""
    load = Load(options.connections[0], options.rate * options.seconds, options.rate)
    clients = (FLOOR, SAGORDER, WITHOUT_SYNCS, IN_MEMORY)
    played = play(measure, clients, [load], options.rounds, say)
    lines = [f"Open loop: {load.rate:,} requests a second, one at a time, {load.connections} "
             f"connections, {options.seconds} s a run, {options.rounds} rounds, medians. wrk keeps "
             "no rate; the floor does.", "",
             *head("client", "client CPU us a request", "user + system", "CPU x floor",
                   "requests/s", "p50 ms", "p99 ms")]
    for name in clients:
        samples = played[0, name]
        lines.append(row(
            name, f"{figure(list(map(cpu, samples))):.1f}", shares(samples),
            f"{ratios(samples, played[0, FLOOR], cpu):.2f}",
            f"{figure(list(map(pace, samples))).median:,.0f}", milliseconds(samples, "p50_ms"),
            milliseconds(samples, "p99_ms")))
    return Result(f"Paced, {options.rate:,} orders a second", lines)


MEASURES = {"table": table, "connections": connections, "rows": rows, "paced": paced}
