"""CPython's own tests: every test case that passes natively passes under weir."""

import os
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree

from . import running
from .running import DEFAULT, NATIVE

PYTHON = ["/usr/bin/python3", "-m", "test", "-v"]
# Natively these wait for ever where a virtual machine monitor owns the vsock device; no pair is involved.
IGNORED = ["*VSOCK*"]
LISTED_TIMEOUT_S = 15
SINGLE_TIMEOUT_S = 60
FLAKE_TRIES = 3
FLAKES_MAX = 20


class Cases:
    """What one run says of each test case, and where it stopped when it did not finish."""

    def __init__(self, run, outcomes):
        self.run = run
        self.outcomes = outcomes

    @property
    def stopped_in(self):
        """The last case that began, from the verbose log: the one that hung or crashed."""
        begun = [line.split(" ... ")[0] for line in self.run.output.splitlines() if " ... " in line]
        return begun[-1] if begun else "no test case"


def outcome(case):
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in tags else "passed"


def read_outcomes(path):
    """The outcome of each case by name; nothing when the run ended before it could write them."""
    try:
        cases = ElementTree.parse(path).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError):
        return {}
    outcomes = {}
    for case in cases:
        name = case.get("name")
        if outcomes.get(name) != "failed":
            outcomes[name] = outcome(case)
    return outcomes


def run_cases(module, capacity, options, timeout_s):
    folder = tempfile.mkdtemp(prefix="check-programs-")
    report = os.path.join(folder, "report.xml")
    ignored = [word for pattern in IGNORED for word in ("-i", pattern)]
    try:
        command = [*PYTHON, "--junit-xml", report, *ignored, *options, module]
        run = running.run(command, capacity, timeout_s, folder)
        return Cases(run, read_outcomes(report))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def matching(names, option="-m"):
    return [word for name in names for word in (option, name)]


class Module:
    """One of CPython's test modules."""

    capacities = (DEFAULT, "64")

    def __init__(self, name, timeout_s, pairs=True, selection=()):
        self.name = name
        self.timeout_s = timeout_s
        self.pairs = pairs
        self.selection = matching(selection)

    def native(self):
        cases = run_cases(self.name, NATIVE, self.selection, self.timeout_s)
        if not cases.outcomes:
            raise RuntimeError(f"natively: {cases.run.ending}, in {cases.stopped_in}")
        return cases

    def compare(self, native, capacity, excused):
        """The problems of one run under weir, and a word on how it went."""
        listed = [name for name in excused if name in native.outcomes]
        problems, remark = [], "every case listed"
        if len(listed) < len(native.outcomes):
            problems, remark = self.compare_unlisted(native, capacity, listed)
        problems += self.stale(native, listed, capacity)
        problems += [f"{name}: listed, but no such case" for name in excused if self.never(name, native)]
        return problems, remark

    def compare_unlisted(self, native, capacity, listed):
        cases = run_cases(self.name, capacity, self.selection + matching(listed, "-i"), self.timeout_s)
        problems = self.unfinished(cases)
        if not problems:
            problems = self.confirmed(differences(native, cases, listed), capacity)
        if self.pairs and cases.run.pairs <= 0:
            problems.append(f"the hooks did not run: {cases.run.pairs} pairs counted")
        return problems, f"{len(cases.outcomes)} cases, {len(listed)} listed, {cases.run.pairs} pairs"

    def never(self, name, native):
        return not self.selection and name not in native.outcomes

    def unfinished(self, cases):
        if cases.outcomes:
            return []
        tail = "\n".join(cases.run.output.splitlines()[-30:])
        return [f"{cases.run.ending}, in {cases.stopped_in}\n{tail}"]

    def confirmed(self, differing, capacity):
        """Drops the cases that fail natively too, now and then."""
        if len(differing) > FLAKES_MAX:
            return [f"{name}: {how}" for name, how in differing.items()]
        return [f"{name}: {how}{self.again(name, capacity)}" for name, how in differing.items()
                if not self.flakes(name)]

    def flakes(self, name):
        if not name.startswith("test."):
            return False
        return any(self.single(name, NATIVE) != "passed" for _ in range(FLAKE_TRIES))

    def single(self, name, capacity, timeout_s=SINGLE_TIMEOUT_S):
        cases = run_cases(self.name, capacity, ["-m", name], timeout_s)
        return cases.outcomes.get(name, "unfinished")

    def again(self, name, capacity):
        """How the case does alone under weir, for whoever looks for the reason."""
        return f" (alone: {self.single(name, capacity)})"

    def stale(self, native, listed, capacity):
        """The listed cases that pass after all."""
        tried = [name for name in listed if native.outcomes[name] == "passed"]
        passing = [name for name in tried if self.single(name, capacity, LISTED_TIMEOUT_S) == "passed"]
        return [f"stale: {name} is listed and passes" for name in passing]


def differences(native, cases, listed):
    """Case name -> how it differs, for every case that did not fail natively."""
    found = {}
    for name, before in native.outcomes.items():
        after = cases.outcomes.get(name, "missing")
        if before != "failed" and after != before and name not in listed:
            found[name] = f"{before} natively, {after} under weir"
    return found


MODULES = [
    Module("test_select", 60, pairs=False),
    Module("test_poll", 120, pairs=False),
    Module("test_epoll", 60, pairs=False),
    Module("test_selectors", 180),
    Module("test_eintr", 180),
    Module("test_signal", 300),
    Module("test_socket", 400),
    Module("test_asyncio", 590),
    Module("test_multiprocessing_fork", 590),
]

ACROSS_MODULES = [
    Module("test_subprocess", 300, pairs=False),
    Module("test_multiprocessing_spawn", 590),
    Module("test_multiprocessing_forkserver", 590),
    Module("test_concurrent_futures", 590, pairs=False),
]

# What fits into a few minutes, chosen for the number of pairs that it makes.
SHORT = [
    Module("test_epoll", 60, pairs=False),
    Module("test_selectors", 180, selection=["EpollSelectorTestCase", "PollSelectorTestCase"]),
    Module("test_eintr", 180),
    Module("test_signal", 120, selection=["WakeupSignalTests", "WakeupSocketSignalTests", "StressTest"]),
    Module("test_socket", 180, selection=["BasicSocketPairTest", "GeneralModuleTests", "*SendrecvmsgUnixStream*",
                                          "*FileObjectClassTestCase*", "*SCMRights*"]),
    Module("test_asyncio", 180, selection=["test.test_asyncio.test_selector_events.*", "test.test_asyncio.test_streams.*",
                                           "test.test_asyncio.test_unix_events.*",
                                           "test.test_asyncio.test_sslproto.*",
                                           "test.test_asyncio.test_subprocess.SubprocessThreadedWatcherTests.*"]),
    Module("test_multiprocessing_fork", 180, selection=["*ProcessesTestConnection.test_[d-z]*",
                                                        "WithProcessesTestPoll", "WithManagerTestQueue"]),
]
