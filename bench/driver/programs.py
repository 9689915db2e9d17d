"""Whole programs, as they are installed: natively, under weir, and with a rule that never matches."""

import json
import os
import re
import shutil
import sys
import tempfile

from .sampling import Row
from .sides import BUILD, NEVER_MATCHES, ROOT, bounded, read_stats
from .workloads import Workload

HERE = os.path.join(ROOT, "bench/programs")
WEIR = os.path.join(BUILD, "weir")
GROUP = "whole programs"


class Program:
    """A command, and how to find in its output what one operation took."""

    def __init__(self, title, words, each_ns, quick=False):
        self.workload = Workload(title, GROUP, (title,), quick=quick)
        self.words = words
        self.each_ns = each_ns

    def absent(self):
        return "" if shutil.which(self.words[0]) else f"{self.words[0]} is not installed"


class Way:
    """How a whole program is run; the names are those of the sides."""

    def __init__(self, name, options):
        self.name = name
        self.options = options      # of weir run; None: natively

    def run(self, program, library):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            stats = os.path.join(folder, "stats")
            weir = [] if self.options is None else [WEIR, "run", *self.options, "--stats", stats, "--"]
            what = f"{self.name}: {' '.join(program.words)}"
            status, output, errors = bounded(weir + program.words, environment(library), folder)
            if status != 0:
                sys.exit(f"bench: {what}: status {status}: {errors.strip()}")
            if weir:
                prove(what, stats)
            return {"each_ns": program.each_ns(output + errors)}


WAYS = [Way("kernel", None), Way("weir", []), Way("weir+rule", ["--quiet", "--fault", NEVER_MATCHES])]


def environment(library):
    """The same natively and under weir: the command alone decides."""
    variables = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("WEIR")}
    variables.update(LC_ALL="C.UTF-8", WEIR_LIBRARY=library)
    return variables


def prove(what, stats_file):
    """The program's pairs were weir's. What it did with them, only it can know."""
    stats = read_stats(what, stats_file)
    moved = sum(pair[name]["bytes_written"] for pair in stats["list"] for name in ("a_to_b", "b_to_a"))
    if stats["pairs"] == 0 or moved == 0:
        sys.exit(f"bench: {what}: weir carried {stats['pairs']} pairs and {moved} bytes")


def figure(pattern, scale):
    def find(output):
        found = re.search(pattern, output)
        if not found:
            sys.exit(f"bench: no figure in: {output}")
        return scale(*map(float, found.groups()))
    return find


def own_json(output):
    return json.loads(output.splitlines()[0])["each_ns"]


HACKBENCH = ["hackbench", "-g", "1", "-f", "5", "-l", "3000"]
HACKBENCH_TIME = figure(r"Time: ([\d.]+)", lambda seconds: seconds * 1e9)
STRESS_NG = ["stress-ng", "--sockpair", "1", "--sockpair-ops", "3000", "--metrics-brief"]
STRESS_NG_TIME = figure(r"\] sockpair +(\d+) +([\d.]+) ", lambda operations, seconds: seconds / operations * 1e9)

PROGRAMS = [
    Program("hackbench, threads", HACKBENCH + ["-T"], HACKBENCH_TIME, quick=True),
    Program("hackbench, processes", HACKBENCH + ["-P"], HACKBENCH_TIME),
    Program("stress-ng --sockpair, an operation", STRESS_NG, STRESS_NG_TIME),
    Program("node child_process, an echo", ["node", os.path.join(HERE, "node_echo.js")], own_json),
    Program("ssh, 30 MB there and back", ["bash", os.path.join(HERE, "ssh_file.bash")], own_json),
]


def chosen(only, quick):
    return [p for p in PROGRAMS if only in p.workload.title and (p.workload.quick or not quick)]


def measure_program(program, rounds, library):
    if program.absent():
        return Row(program.workload, {}, {way.name: program.absent() for way in WAYS})
    reports = {way.name: [] for way in WAYS}
    for way in WAYS:
        way.run(program, library)       # once unmeasured: the files are read, the caches are warm
    for _ in range(rounds):
        for way in WAYS:
            reports[way.name].append(way.run(program, library))
    return Row(program.workload, reports, {})
