"""What it costs that every second write fails: the same program under rules of weir's, strace and libfiu.

A tool's overhead is what a call takes longer with it than without; a write and a read are two calls."""

import shutil
import statistics

from .sampling import measure_row
from .sides import Side
from .table import duration
from .workloads import Workload

WORKLOAD = Workload("write+read 64 B, every second write fails", "injected faults", ("write-read", "64"), quick=True)
CALLS = 2
EVERY_SECOND = "write:error=EINTR:when=1+2"
EINTR = 4
FIU_RUN = ["fiu-run", "-x", "-c", f"enable_random name=posix/io/rw/write,probability=0.5,failinfo={EINTR}"]

# Each way to inject, and what it is compared with.
WITHOUT = {"weir's rule": "weir, no fault", "strace": "no fault", "libfiu": "no fault"}


class Injecting(Side):
    """A side whose faults must show: the program counts the calls that it made again."""

    def absent(self):
        tool = self.tool[0] if self.tool else ""
        return super().absent() or ("" if not tool or shutil.which(tool) else f"{tool} is not installed")

    def run(self, arguments, count, capacity=None):
        report = super().run(arguments, count, capacity)
        if count >= 100 and not 0.4 * count < report.get("interrupted", 0) < 1.6 * count:
            raise SystemExit(f"bench: {self.name}: {report.get('interrupted', 0)} faults in {count} operations")
        return report


def sides(program, library):
    return [
        Side("no fault", program, ""),
        Side("weir, no fault", program, library),
        Injecting("weir's rule", program, library, rule=EVERY_SECOND),
        Injecting("strace", program, "", strace=EVERY_SECOND),
        Injecting("libfiu", program, "", tool=FIU_RUN),
    ]


def measure(of_sides, rounds, run_ns):
    return measure_row(of_sides, WORKLOAD, rounds, run_ns)


def overheads(row, name):
    """Nanoseconds a call takes longer, in each round."""
    pairs = zip(row.values(name), row.values(WITHOUT[name]))
    return [(with_it - without) / CALLS for with_it, without in pairs]


def advantage(row, other):
    """How many times less overhead than the other tool's a rule of weir's has, in each round."""
    pairs = zip(overheads(row, other), overheads(row, "weir's rule"))
    return [theirs / ours if ours > 0 else float("inf") for theirs, ours in pairs]


def print_row(row):
    print(WORKLOAD.title)
    for name in row.reports:
        line = f"  {name:<15}{duration(statistics.median(row.values(name))):>9}"
        if name in WITHOUT:
            line += f", {duration(statistics.median(overheads(row, name)))} more a call than with {WITHOUT[name]}"
        if name in ("strace", "libfiu") and "weir's rule" in row.reports:
            line += f": {statistics.median(advantage(row, name)):.3g} times as much as weir's rule"
        print(line, flush=True)
