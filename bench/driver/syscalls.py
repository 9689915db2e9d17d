"""System calls per operation, as strace counts them: those a longer run makes more than a shorter one."""

import os
import shutil
import subprocess
import tempfile

from .sides import RUN_SECONDS_MAX, Cannot, STATUS_CANNOT

FEW, MANY = 500, 1500
FEW_STARTS, MANY_STARTS = 5, 15
LISTED_MIN = 0.01


def counts(side, workload, count):
    """System calls of a whole run, by name."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = os.path.join(folder, "counts")
        command = ["strace", "-f", "-c", "-o", log]
        own = side.environment(workload.capacity)
        for name in ("LD_PRELOAD", "WEIR_CAPACITY", "WEIR_FAULT", "WEIR_CHAOS", "WEIR_QUIET"):
            if name in own:                 # the program's, not strace's
                command += ["-E", f"{name}={own.pop(name)}"]
        done = subprocess.run(command + side.command(workload.arguments, count, workload.capacity), env=own,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_SECONDS_MAX, check=False)
        if done.returncode == STATUS_CANNOT:
            raise Cannot(done.stderr.decode().strip())
        done.check_returncode()
        with open(log, encoding="utf-8") as lines:
            return parse(lines)


def parse(lines):
    calls = {}
    for line in lines:
        words = line.split()
        if len(words) >= 5 and words[0][0].isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls


def per_operation(side, workload):
    if side.only and workload.arguments[0] not in side.only:
        raise Cannot(f"{side.name} has no {workload.arguments[0]}")
    few, many = (FEW_STARTS, MANY_STARTS) if workload.arguments[0] == "start-up" else (FEW, MANY)
    before = counts(side, workload, few)
    after = counts(side, workload, many)
    each = {name: (after[name] - before.get(name, 0)) / (many - few) for name in after}
    return {name: calls for name, calls in sorted(each.items()) if calls >= LISTED_MIN}


def print_all(sides, workloads):
    rows = []
    for workload in workloads:
        row = {"workload": workload.title, "calls": {}}
        print(workload.title)
        for side in sides:
            try:
                each = per_operation(side, workload)
            except Cannot as reason:
                print(f"  {side.name:<10}       -  {reason}")
                continue
            row["calls"][side.name] = each
            listed = ", ".join(f"{name} {calls:.2f}" for name, calls in each.items())
            print(f"  {side.name:<10} {sum(each.values()):7.2f}  {listed}", flush=True)
        rows.append(row)
    return rows


def available():
    return shutil.which("strace") is not None
