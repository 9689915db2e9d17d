"""Programs that are run as they are: exit status and what they print must be the same."""

import os
import re

from . import running
from .running import DEFAULT, NATIVE

ACROSS = os.path.join(running.ROOT, "tests/programs/across.bash")
WHOLE = "-"
LISTED_TIMEOUT_S = 10


class Command:
    """A program, what of its output differs between any two runs, and how it is checked."""

    def __init__(self, name, words, noise=None, capacities=(DEFAULT, "64"), pairs=True, timeout_s=60):
        self.name = name
        self.words = words
        self.noise = noise
        self.capacities = capacities
        self.pairs = pairs
        self.timeout_s = timeout_s

    def shown(self, run):
        """What must be equal: the output without what depends on time and process numbers."""
        text = re.sub(self.noise, "…", run.output) if self.noise else run.output
        return f"{run.ending}\n{text}"

    def native(self):
        return self.shown(running.run(self.words, NATIVE, self.timeout_s))

    def compare(self, native, capacity, excused):
        """The problems of one run under weir, and a word on how it went."""
        listed = WHOLE in excused
        run = running.run(self.words, capacity, LISTED_TIMEOUT_S if listed else self.timeout_s)
        shown = self.shown(run)
        same = shown == native and (run.pairs > 0 or not self.pairs)
        if listed:
            return ([f"stale: {self.name} is listed and passes"] if same else []), "listed"
        problems = [] if shown == native else [f"natively:\n{native}", f"under weir:\n{shown}"]
        if self.pairs and run.pairs <= 0:
            problems.append(f"the hooks did not run: {run.pairs} pairs counted")
        return problems, f"{run.pairs} pairs"


def load(name, words, noise):
    return Command(name, words, noise, capacities=(DEFAULT, "64", "1"))


def across(name, capacities=(DEFAULT, "64", "1"), pairs=True):
    return Command(name, ["bash", ACROSS, name], None, capacities, pairs)


STRESS_NG = ["stress-ng", "--sockpair", "2", "--sockpair-ops", "20000", "--verify"]
STRESS_NG_NOISE = r"\[\d+\]|[\d.]+ ?s(ec)?\b|\d+(\.\d+)? secs?\b"
TIME_NOISE = r"\d+\.\d+"
PERF = ["perf", "bench", "sched", "messaging", "-g", "1", "-l", "5"]

LOADS = [
    load("stress-ng", STRESS_NG, STRESS_NG_NOISE),
    load("hackbench-threads", ["hackbench", "-T", "-g", "1", "-f", "5", "-l", "60"], TIME_NOISE),
    load("hackbench-processes", ["hackbench", "-P", "-g", "1", "-f", "5", "-l", "60"], TIME_NOISE),
    load("perf-processes", PERF, TIME_NOISE),
    load("perf-threads", PERF + ["-t"], TIME_NOISE),
]

ACROSS_PROGRAMS = [
    across("node_children", capacities=(DEFAULT, "64")),
    across("socat_cat"),
    across("socat_sort"),
    across("perl_socketpair"),
    across("perl_open3"),
    across("bash_coprocess"),
    across("ssh_loopback", capacities=(DEFAULT, "64")),
    across("sftp_loopback", capacities=(DEFAULT, "64")),
    across("git_over_ssh", capacities=(DEFAULT, "64")),
    across("rsync_local", capacities=(DEFAULT, "64")),
    across("nginx_channels", capacities=(DEFAULT, "64")),
    across("python_reduction", capacities=(DEFAULT, "64")),
]
