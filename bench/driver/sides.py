"""The contenders: how each is run, and the proof that a run was what it says."""

import json
import os
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
RUN_SECONDS_MAX = 120
STATUS_CANNOT = 3
NEVER_MATCHES = "any:error=EIO:when=1000000000"


class Cannot(Exception):
    """This side cannot do that workload; says why."""


class Side:
    """One way to run a workload: a program, natively or with a library preloaded, under a tool or not.

    `only` names the workloads that its program knows; None means all of them."""

    def __init__(self, name, program, preload, rule="", strace="", chaos="", over="--socketpair", tool=(), only=None,
                 needs=""):
        self.name = name
        self.program = program
        self.preload = preload
        self.rule = rule
        self.strace = strace
        self.chaos = chaos
        self.over = over
        self.tool = list(tool)
        self.only = only
        self.needs = needs
        if strace:
            self.tool = ["strace", "-o", "/dev/null", "-e", "trace=write", "-e", f"inject={strace}"]

    def absent(self):
        """Why it cannot run on this machine at all, or nothing."""
        if not os.path.exists(self.program):
            return f"{os.path.relpath(self.program, ROOT)} is not there{self.needs and ': ' + self.needs}"
        return ""

    def environment(self, capacity=None, stats=None):
        variables = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("WEIR_")}
        if self.preload:
            variables["LD_PRELOAD"] = self.preload
            if capacity:
                variables["WEIR_CAPACITY"] = str(capacity)
            if stats:
                variables["WEIR_STATS"] = stats
        if self.rule:
            variables.update(WEIR_FAULT=self.rule, WEIR_QUIET="1")
        if self.chaos:
            variables.update(WEIR_CHAOS=self.chaos, WEIR_QUIET="1")
        return variables

    def command(self, arguments, count, capacity=None):
        bound = ["--capacity", str(capacity)] if capacity and not self.preload else []
        return self.tool + [self.program, self.over, *bound, arguments[0], str(count), *arguments[1:]]

    def run(self, arguments, count, capacity=None):
        """What the program reports of `count` operations, after it was checked."""
        if self.only and arguments[0] not in self.only:
            raise Cannot(f"{self.name} has no {arguments[0]}")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            stats = os.path.join(folder, "stats")
            status, output, errors = bounded(self.command(arguments, count, capacity),
                                             self.environment(capacity, stats))
            if status == STATUS_CANNOT:
                raise Cannot(errors.strip())
            what = f"{self.name}: {' '.join(arguments)}"
            if status != 0:
                sys.exit(f"bench: {what}: status {status}: {errors.strip()}")
            result = json.loads(output)
            if self.preload:
                prove(what, result, stats, capacity)
            return result


def bounded(command, environment, folder=None):
    """Runs a command to its end, RUN_SECONDS_MAX at most: status, output, errors."""
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=folder,
                          stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            output, errors = process.communicate(timeout=RUN_SECONDS_MAX)
        except BaseException as reason:             # an interruption, too, must leave nothing behind
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(reason, subprocess.TimeoutExpired):
                sys.exit(f"bench: still running after {RUN_SECONDS_MAX} s: {' '.join(command)}")
            raise
    return process.returncode, output, errors


def read_stats(what, path):
    try:
        with open(path, encoding="utf-8") as text:
            return json.load(text)
    except (OSError, ValueError) as error:
        sys.exit(f"bench: {what}: weir did not run: {error}")


def prove(what, result, stats_file, capacity):
    """weir carried every pair and every byte that the program says it used."""
    stats = read_stats(what, stats_file)
    pipes = [pair[name] for pair in stats["list"] for name in ("a_to_b", "b_to_a")]
    seen = {
        "pairs": stats["pairs"],
        "bytes written": sum(pipe["bytes_written"] for pipe in pipes),
        "bytes read": sum(pipe["bytes_read"] for pipe in pipes),
    }
    meant = {"pairs": result["pairs"], "bytes written": result["bytes"], "bytes read": result["bytes"]}
    if seen != meant:
        sys.exit(f"bench: {what}: the program used {meant}, weir carried {seen}")
    if capacity and {pipe["capacity"] for pipe in pipes} != {capacity}:
        sys.exit(f"bench: {what}: not every pair has room for {capacity} bytes")


def path(name):
    return os.path.join(BUILD, "bench", name)


def contenders(program, library):
    """All sides, in the order of the table."""
    transfers = ("write-read", "ping-pong", "stream")
    tokio = {"only": (*transfers, "create"), "needs": "librust-tokio-dev and cargo build it"}
    return [
        Side("kernel", program, ""),
        Side("pipe", program, "", over="--pipe"),
        Side("weir", program, library),
        Side("weir+rule", program, library, rule=NEVER_MATCHES),
        Side("tokio, 1", path("tokio"), "", over="--current", **tokio),
        Side("tokio, n", path("tokio"), "", over="--multi", **tokio),
        Side("ring", path("ring"), "", over="--ring", only=transfers),
        Side("mutex", path("mutex"), "", over="--mutex", only=(*transfers, "sleeper")),
        Side("memcpy", path("memcpy"), "", over="--memcpy", only=("write-read", "stream")),
    ]


def present(sides):
    """Those that can run here; each reason for an absence is said once."""
    reasons = {}
    for side in sides:
        reasons.setdefault(side.absent(), []).append(side.name)
    for reason, names in reasons.items():
        if reason:
            print(f"bench: left out: {' and '.join(names)}: {reason}", flush=True)
    return [side for side in sides if not side.absent()]
