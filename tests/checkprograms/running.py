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
CHAOS = "chaos="                # and a seed, in the place of a capacity; perhaps ":" and one
running_now = set()


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
    if capacity.startswith(CHAOS):
        chaos, _, room = capacity.partition(":")
        chosen = ["--quiet", "--" + chaos] + (["--capacity", room] if room else [])
    return [WEIR, "run", *chosen, "--stats", stats, "--", *command]


def counted_pairs(stats):
    """The number of pairs weir says it carried; -1 when it wrote no statistics."""
    try:
        with open(stats, encoding="utf-8") as text:
            pairs = json.load(text)["pairs"]
    except (OSError, ValueError, KeyError):
        return -1
    return len(pairs) if isinstance(pairs, list) else int(pairs)


def session_of(pid):
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def end_session(leader):
    """Kills what a run left behind; some programs put their children into process groups of their own."""
    for name in os.listdir("/proc"):
        if name.isdigit() and session_of(int(name)) == leader:
            try:
                os.kill(int(name), signal.SIGKILL)
            except ProcessLookupError:
                pass


def end_all(number, _frame):
    """The runner itself was told to end: so must everything it started."""
    for leader in list(running_now):
        end_session(leader)
    os._exit(128 + number)


def end_all_on_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_all)


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
        running_now.add(process.pid)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            end_session(process.pid)
            process.wait()
            running_now.discard(process.pid)
    with open(log, encoding="utf-8", errors="replace") as text:
        output = text.read()
    return Run(process.returncode, output, counted_pairs(stats), time.monotonic() - start, timed_out)
