"""Figures as text."""

import statistics

from .sampling import spread

CELL_WIDTH = 13


def duration(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(ns) >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def amount(key, value):
    return f"{value:.0f} B" if key == "each_bytes" else duration(value)


def cell(row, side, key=None):
    values = row.values(side, key)
    if not values:
        return "-"
    return f"{amount(key or row.workload.key, statistics.median(values))} {spread(values):.0f}%"


def ratio(row):
    """How many times faster than the kernel weir is; of other figures a ratio says nothing."""
    ratios = row.ratios("kernel", "weir")
    if not ratios or row.workload.key != "each_ns":
        return "-"
    return f"{statistics.median(ratios):.3g} ±{spread(ratios):.0f}%"


class Table:
    """A line for each workload, a column for each side."""

    def __init__(self, sides, titles):
        self.sides = sides
        self.width = max(map(len, titles), default=0) + 1
        self.group = None

    def print_line(self, title, cells):
        print(f"{title:<{self.width}}{''.join(f'{cell:>{CELL_WIDTH}}' for cell in cells)}", flush=True)

    def print_head(self):
        print("median of an operation, and half the range between the quartiles; the last column: kernel / weir")
        self.print_line("", [side.name for side in self.sides] + ["kernel/weir"])

    def print_group(self, group):
        if group != self.group:
            self.group = group
            print(f"-- {group}")

    def print_row(self, row):
        self.print_line(row.workload.title, [cell(row, side.name) for side in self.sides] + [ratio(row)])
        if row.workload.arguments[0] == "sleeper":
            self.print_line("    CPU time of it", [cell(row, side.name, "each_cpu_ns") for side in self.sides])
