"""Runs a command natively or under weir: bounded, in a folder of its own, with what weir counted."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WEIR = os.environ.get("WEIR") or os.path.join(ROOT, "build/weir")
NATIVE = "native"
DEFAULT = "default"


@dataclasses.dataclass
class Run:
    status: int
    output: str
    pairs: int
    seconds: float
    timed_out: bool

    @property
    def ending(self):
        if self.timed_out:
            return f"still running after {self.seconds:.0f} s"
        return f"status {self.status}"


def environment():
    kept = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("WEIR")}
    kept["LC_ALL"] = "C.UTF-8"
    return kept


def under_weir(command, capacity, stats):
    chosen = [] if capacity == DEFAULT else ["--capacity", capacity]
    return [WEIR, "run", *chosen, "--stats", stats, "--", *command]


def counted_pairs(stats):
    """The number of pairs weir says it carried; -1 when it wrote no statistics."""
    try:
        with open(stats, encoding="utf-8") as text:
            pairs = json.load(text)["pairs"]
    except (OSError, ValueError, KeyError):
        return -1
    return len(pairs) if isinstance(pairs, list) else int(pairs)


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run(command, capacity, timeout_s, folder=None):
    """Runs `command` natively (capacity NATIVE) or under weir, for timeout_s at most."""
    own = folder or tempfile.mkdtemp(prefix="check-programs-")
    try:
        return run_in(own, command, capacity, timeout_s)
    finally:
        if folder is None:
            shutil.rmtree(own, ignore_errors=True)


def run_in(folder, command, capacity, timeout_s):
    stats = os.path.join(folder, "stats.json")
    log = os.path.join(folder, "output")
    words = command if capacity == NATIVE else under_weir(command, capacity, stats)
    start = time.monotonic()
    timed_out = False
    with open(log, "wb") as output:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   cwd=folder, env=environment(), start_new_session=True)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            end_group(process)
    with open(log, encoding="utf-8", errors="replace") as text:
        output = text.read()
    return Run(process.returncode, output, counted_pairs(stats), time.monotonic() - start, timed_out)
