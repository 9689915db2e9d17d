"""Interleaved rounds, and what is said of them."""

import statistics

from .sides import Cannot

RUN_NS = 60_000_000
QUICK_NS = 20_000_000
RULES_NS = 120_000_000          # what rules cost is a few percent
COUNT_MAX = 20_000_000
FIRST_COUNT = 8                 # a message may take a second: 256 KiB through room for 64 bytes
ROUNDS_MIN = 5


def calibrate(side, arguments, capacity, run_ns):
    """A count with which a run of that side lasts about run_ns."""
    count = FIRST_COUNT
    each_ns = side.run(arguments, count, capacity)["each_ns"]
    while each_ns * count < run_ns / 8 and count < COUNT_MAX:
        count = min(COUNT_MAX, count * 8)
        each_ns = side.run(arguments, count, capacity)["each_ns"]
    return max(1, min(COUNT_MAX, int(run_ns / each_ns)))


def prepare(sides, arguments, capacity, count, run_ns):
    """The count of each side that can do it, and the others' reasons; every side has run once then."""
    counts, reasons = {}, {}
    for side in sides:
        try:
            if count:
                side.run(arguments, count, capacity)
            counts[side] = count or calibrate(side, arguments, capacity, run_ns)
        except Cannot as reason:
            reasons[side.name] = str(reason)
    return counts, reasons


def sample(sides, arguments, rounds, capacity=None, count=None, *, run_ns):
    """What each side reported in each round, and why others could not. The sides take turns."""
    counts, reasons = prepare(sides, arguments, capacity, count, run_ns)
    reports = {side.name: [] for side in counts}
    for _ in range(rounds):
        for side, operations in counts.items():
            reports[side.name].append(side.run(arguments, operations, capacity))
    return reports, reasons


def measure(sides, arguments, rounds):
    """Nanoseconds per operation of each side in each round, for what rules cost."""
    reports, _ = sample(sides, arguments, rounds, run_ns=RULES_NS)
    return {name: [report["each_ns"] for report in of_side] for name, of_side in reports.items()}


def spread(samples):
    """Half the range from the first to the third quartile, in percent of the median."""
    first, middle, third = statistics.quantiles(samples, n=4)
    return 50 * abs((third - first) / middle) if middle else 0.0


def summary(title, size, samples):
    row = {"workload": title, "bytes": size, "samples_ns": samples}
    for name, values in samples.items():
        row[name] = {"median_ns": statistics.median(values), "spread_percent": round(spread(values), 1)}
    return row


class Row:
    """One workload as every side did it: per round, what each reported."""

    def __init__(self, workload, reports, reasons):
        self.workload = workload
        self.reports = reports
        self.reasons = reasons

    def values(self, side, key=None):
        """One value a round, or nothing if this side was not measured so."""
        key = key or self.workload.key
        values = [report.get(key) for report in self.reports.get(side, [])]
        return [] if None in values else values

    def ratios(self, over, under, key=None):
        """Each round's value of one side over that of another, measured beside it."""
        pairs = zip(self.values(over, key), self.values(under, key))
        return [a / b for a, b in pairs if b]

    def shown(self):
        """Everything as plain data."""
        sides = {}
        for name in self.reports:
            values = self.values(name)
            if values:
                sides[name] = {"median": statistics.median(values), "spread_percent": round(spread(values), 1),
                               "rounds": self.reports[name]}
        row = {"workload": self.workload.title, "group": self.workload.group, "figure": self.workload.key,
               "sides": sides, "not_measured": self.reasons}
        ratios = self.ratios("kernel", "weir")
        if ratios:
            row["kernel_over_weir"] = {"median": statistics.median(ratios), "spread_percent": round(spread(ratios), 1)}
        return row


def measure_row(sides, workload, rounds, run_ns):
    reports, reasons = sample(sides, workload.arguments, rounds, workload.capacity, workload.count, run_ns=run_ns)
    return Row(workload, reports, reasons)
