"""The targets of the project, each as a figure, a relation and a bound. Every figure compares what was
measured in turns, round by round; it is the median of the rounds."""

import dataclasses
import math
import statistics
import typing

from . import injection, programs, syscalls
from .sampling import spread
from .sides import Cannot
from .workloads import CREATE, KINDS, START, Workload, idle, loop, ping_pong, size_name, sleeper, stream, unmarked
from .workloads import write_read

NEAR = 0.9                  # "the same, within 10 %"
FLAT = 1.25                 # what "flat from 10 to 4,000 pairs" is taken to allow
EVENTS = ("poll", "level", "edge")


@dataclasses.dataclass
class Target:
    row: str                # of the table of targets
    what: str               # is compared
    relation: str
    bound: float
    workloads: tuple        # that it needs
    figures: typing.Callable        # of their rows: one value a round
    unit: str = "×"

    def met(self, value):
        return value >= self.bound if self.relation == "≥" else value <= self.bound


def ratio(row, what, over, under, relation, bound, workload, key=None):
    def figures(measured):
        return measured.ratios(over, under, key)
    return Target(row, f"{workload.title}: {what}", relation, bound, (workload,), figures)


def speed(row, bound, workload):
    """At least so many times the kernel's speed."""
    return ratio(row, "kernel / weir", "kernel", "weir", "≥", bound, workload)


def cpu(row, workload):
    return ratio(row, "CPU time, weir / kernel", "weir", "kernel", "≤", 1.0, workload, "each_cpu_ns")


def added(row, side, base, bound, workload, unit, scale=1.0):
    def figures(measured):
        return [(a - b) / scale for a, b in zip(measured.values(side), measured.values(base))]
    return Target(row, f"{workload.title}: {side} - {base}", "≤", bound, (workload,), figures, unit)


def one_thread():
    row = "write+read, one thread, up to 1 KiB"
    for size in (1, 64, 1024):
        yield speed(row, 60, write_read(size))
        yield ratio(row, "tokio in one thread / weir", "tokio, 1", "weir", "≥", 1.0, write_read(size))
        yield ratio(row, "weir / ring with one mutex", "weir", "mutex", "≤", 1.5, write_read(size))
    row = "write+read, one thread, 64 KiB"
    yield speed(row, 6, write_read(65536))
    yield ratio(row, "two memcpy / weir", "memcpy", "weir", "≥", 0.9, write_read(65536))


def exchanges():
    row = "ping-pong on two CPUs"
    yield speed(row, 10, ping_pong(64, "threads", 2))
    yield ratio(row, "weir / spinning ring", "weir", "ring", "≤", 3.0, ping_pong(64, "threads", 2))
    row = "ping-pong on one CPU, or a receiver that sleeps"
    quiet = [ping_pong(size, kind, 1) for size in (1, 64, 4096) for kind in KINDS]
    quiet += [sleeper(kind, cpus) for cpus in (1, 2) for kind in KINDS]
    for workload in quiet:
        yield speed(row, 1.0, workload)
        yield cpu(row, workload)


TWO_CPUS = {64: 20, 4096: 6, 65536: 2, 262144: 1.3}
ONE_CPU = {64: 20, 4096: 3, 65536: 1.2, 262144: 1.0}
LIMIT = 0.8


def streams(kind, row, near):
    for size, bound in TWO_CPUS.items():
        workload = stream(size, kind, 2)
        yield speed(f"{row} on two CPUs, {size_name(size)}", near * bound, workload)
        if size > 64:
            for limit, name in (("ring", "spinning ring"), ("memcpy", "two memcpy")):
                part = f"{row} on two CPUs, {size_name(size)}"
                yield ratio(part, f"{name} / weir", limit, "weir", "≥", near * LIMIT, workload)
    for size, bound in ONE_CPU.items():
        yield speed(f"{row} on one CPU, {size_name(size)}", near * bound, stream(size, kind, 1))


def calls(row, relation, bound, workload):
    """System calls per operation, against the kernel's; strace counts them."""
    def figures(counted):
        return [counted["weir"] / counted["kernel"]]
    return Target(row, f"{workload.title}: system calls, weir / kernel", relation, bound, (Calls(workload),), figures)


@dataclasses.dataclass(frozen=True)
class Calls:
    """What is counted, not timed."""
    workload: Workload
    group: typing.ClassVar[str] = "system calls"

    @property
    def title(self):
        return f"system calls of {self.workload.title}"


FEWER = 0.99


def loops():
    row = "poll and epoll loops, level and edge"
    for wait in EVENTS:
        for workload in (loop(wait, 8), ping_pong(64, "threads", 2, wait), stream(4096, "threads", 2, wait)):
            yield speed(row, 2, workload)
        yield calls(row, "≤", FEWER, loop(wait, 8))                 # data is ready there
        yield calls(row, "≤", 1.0, ping_pong(64, "threads", 1, wait))
    row = "1,000 live pairs, epoll"
    for wait in EVENTS[1:]:
        yield speed(row, 1.5, loop(wait, 1000))
        few, many = loop(wait, 10), loop(wait, 4000)
        yield Target(row, f"loop{', epoll ' + wait}: weir at 4000 pairs / at 10", "≤", FLAT, (few, many),
                     lambda a, b: [y / x for x, y in zip(a.values("weir"), b.values("weir"))])


def other_costs():
    yield ratio("create and close", "weir / kernel", "weir", "kernel", "≤", 1.3, CREATE)
    for flavour in ("null-zero", "pipe"):
        yield added("unmarked descriptor", "weir", "kernel", 3.0, unmarked(flavour), "ns")
    yield added("start of a program", "weir", "kernel", 0.5, START, "ms", 1e6)
    yield ratio("a rule that never matches", "with / without", "weir+rule", "weir", "≤", 1.1, write_read(64))
    yield Target("an injected fault", "overhead of a call, strace / weir", "≥", 100, (injection.WORKLOAD,),
                 lambda row: injection.advantage(row, "strace"))
    for flavour in ("fresh", "used"):
        memory = idle(flavour)
        yield Target("idle pair", memory.title, "≤", 8192, (memory,), lambda row: row.values("weir"), "B")
    for program in programs.PROGRAMS[:3]:
        yield speed("hackbench, stress-ng", 3, program.workload)


def every_target():
    yield from one_thread()
    yield from exchanges()
    yield from streams("threads", "stream", 1.0)
    yield speed("ping-pong between processes", NEAR * 10, ping_pong(64, "processes", 2))
    yield from streams("processes", "stream between processes", NEAR)
    yield from loops()
    yield from other_costs()


def needed(only, cpus):
    """The targets whose row or comparison contains a text, and the workloads that they need, each once, by group."""
    wanted = [t for t in every_target() if (only in t.row or only in t.what) and (cpus > 1 or "2 CPUs" not in t.what)]
    once = list(dict.fromkeys(w for t in wanted for w in t.workloads))
    groups = list(dict.fromkeys(w.group for w in once))
    return wanted, sorted(once, key=lambda w: groups.index(w.group))


def among(rows):
    """The targets for which everything was measured."""
    return [target for target in every_target() if all(w.title in rows for w in target.workloads)]


def count_calls(sides, workload):
    """Calls of each side that was counted, per operation."""
    counted = {}
    for side in sides:
        try:
            counted[side.name] = sum(syscalls.per_operation(side, workload).values())
        except Cannot:
            pass
    return counted


def judge(target, rows):
    """What a target came to: plain data, with the value missing where something was not measured."""
    found = {"row": target.row, "what": target.what, "relation": target.relation, "bound": target.bound,
             "unit": target.unit, "value": None, "spread_percent": None, "met": None}
    measured = [rows[w.title] for w in target.workloads if w.title in rows]
    values = target.figures(*measured) if len(measured) == len(target.workloads) and all(measured) else []
    if values:
        value = statistics.median(values)
        found.update(value=value if math.isfinite(value) else None, met=target.met(value))
        if len(values) > 1 and all(map(math.isfinite, values)):
            found["spread_percent"] = round(spread(values), 1)
    return found


def shown_value(found):
    if found["value"] is None:
        return "too small to measure" if found["met"] is not None else "not measured"
    noise = "" if found["spread_percent"] is None else f" ±{found['spread_percent']:.0f}%"
    return f"{found['value']:.3g} {found['unit']}{noise}"


def print_table(judged):
    before = None
    for found in judged:
        if found["row"] != before:
            print(f"-- {found['row']}")
            before = found["row"]
        verdict = {True: "met", False: "NOT MET", None: "-"}[found["met"]]
        bound = f"{found['relation']} {found['bound']:.4g} {found['unit']}"
        print(f"  {found['what']:<78} {shown_value(found):>17}   {bound:<12} {verdict}")
    met, missed = (sum(f["met"] is verdict for f in judged) for verdict in (True, False))
    print(f"{met} of {len(judged)} met, {missed} not met, {len(judged) - met - missed} not measured")
