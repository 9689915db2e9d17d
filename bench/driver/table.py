"""Figures as text."""

import statistics

from .sampling import spread

TITLE_WIDTH = 46
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


def print_head(sides):
    cells = "".join(f"{side.name:>{CELL_WIDTH}}" for side in sides)
    print("median of an operation, and half the range between the quartiles; the last column: kernel / weir")
    print(f"{'':<{TITLE_WIDTH}}{cells}{'kernel/weir':>{CELL_WIDTH}}")


def print_group(name):
    print(f"-- {name}")


def print_row(row, sides):
    cells = "".join(f"{cell(row, side.name):>{CELL_WIDTH}}" for side in sides)
    print(f"{row.workload.title:<{TITLE_WIDTH}}{cells}{ratio(row):>{CELL_WIDTH}}", flush=True)
    if row.workload.arguments[0] == "sleeper":
        cells = "".join(f"{cell(row, side.name, 'each_cpu_ns'):>{CELL_WIDTH}}" for side in sides)
        print(f"{'    CPU time of it':<{TITLE_WIDTH}}{cells}", flush=True)
