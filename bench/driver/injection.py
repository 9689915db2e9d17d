"""What it costs that every second write fails: the same program under rules of weir's, strace and libfiu.

A tool's overhead is what a call takes longer with it than without; a write and a read are two calls."""

import shutil
import statistics

from .sampling import Row, measure_row
from .sides import Side
from .table import duration
from .workloads import Workload

WORKLOAD = Workload("write+read 64 B, every second write fails", "injected faults", ("write-read", "64"), 64, quick=True)
CALLS = 2
EVERY_SECOND = "write:error=EINTR:when=1+2"
EINTR = 4
FIU_RUN = ["fiu-run", "-x", "-c", f"enable_random name=posix/io/rw/write,probability=0.5,failinfo={EINTR}"]

# Each way to inject, and what it is compared with.
WITHOUT = {"weir, rule": "weir", "strace": "kernel", "libfiu": "kernel"}


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
        Side("kernel", program, ""),
        Side("weir", program, library),
        Injecting("weir, rule", program, library, rule=EVERY_SECOND),
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
    pairs = zip(overheads(row, other), overheads(row, "weir, rule"))
    return [theirs / ours if ours > 0 else float("inf") for theirs, ours in pairs]


def print_row(row: Row):
    print(f"-- {WORKLOAD.group}: {WORKLOAD.title}")
    for name in row.reports:
        line = f"  {name:<12}{duration(statistics.median(row.values(name))):>9}"
        if name in WITHOUT:
            line += f", {duration(statistics.median(overheads(row, name)))} more a call than {WITHOUT[name]}"
        if name in ("strace", "libfiu") and "weir, rule" in row.reports:
            line += f": {statistics.median(advantage(row, name)):.0f} times weir's"
        print(line, flush=True)
