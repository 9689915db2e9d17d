"""Everything that is measured."""

import dataclasses

KINDS = ("threads", "processes")
WAITS = ("block", "poll", "level", "edge")
CAPACITIES = (64, 4096, 65536, None)
STREAM_SIZES = (64, 4096, 65536, 262144)
SLEEPS = 100
IDLE_PAIRS = 1000


@dataclasses.dataclass(frozen=True)
class Workload:
    title: str
    group: str
    arguments: tuple            # of the program: its name, and what follows the count
    capacity: int = None        # of each direction; None: what it is
    count: int = None           # None: as many as fill the time of a run
    key: str = "each_ns"        # the figure that is reported
    quick: bool = False         # is measured with --quick, too, and stands in the chart


def size_name(size):
    for unit, one in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= one:
            return f"{size // one} {unit}"
    return f"{size} B"


def peers(kind, cpus):
    return f"{kind}, {cpus} CPU{'s' if cpus > 1 else ''}"


def waiting(wait):
    return {"block": "", "poll": ", poll", "level": ", epoll level", "edge": ", epoll edge"}[wait]


def write_read(size):
    return Workload(f"write+read {size_name(size)}, one thread", "one thread", ("write-read", str(size)), quick=True)


def ping_pong(size, kind, cpus, wait="block"):
    return Workload(f"ping-pong {size_name(size)}, {peers(kind, cpus)}{waiting(wait)}", "ping-pong",
                    ("ping-pong", str(size), kind, str(cpus), wait), quick=size == 64 and wait == "block")


def stream(size, kind, cpus, wait="block", capacity=None):
    bound = f", room for {size_name(capacity)}" if capacity else ""
    plain = kind == "threads" and wait == "block" and not capacity
    return Workload(f"stream {size_name(size)}, {peers(kind, cpus)}{waiting(wait)}{bound}", "one-way stream",
                    ("stream", str(size), kind, str(cpus), wait), capacity, quick=plain)


def sleeper(kind, cpus, wait="block"):
    return Workload(f"a receiver that sleeps, {peers(kind, cpus)}{waiting(wait)}", "a message each millisecond",
                    ("sleeper", kind, str(cpus), wait), count=SLEEPS, quick=wait == "block" and kind == "threads")


def loop(wait, pairs):
    return Workload(f"loop over {pairs} pairs{waiting(wait)}", "one active pair of many",
                    ("loop", wait, str(pairs)), quick=pairs in (8, 1000))


CREATE = Workload("create and close a pair", "other costs", ("create",), quick=True)
START = Workload("start of a short program", "other costs", ("start-up",), quick=True)


def unmarked(flavour):
    return Workload(f"a call on an unmarked descriptor, {flavour}", "other costs", ("unmarked", flavour), key="hook_ns",
                    quick=True)


def idle(flavour):
    return Workload(f"memory of an idle pair, {flavour}", "other costs", ("idle", flavour), count=IDLE_PAIRS,
                    key="each_bytes", quick=flavour == "used")


def every_workload():
    yield from (write_read(size) for size in (1, 64, 1024, 16384, 65536))
    for size in (1, 64, 4096):
        for cpus in (1, 2):
            yield from (ping_pong(size, kind, cpus, wait) for kind in KINDS for wait in WAITS)
    for capacity in reversed(CAPACITIES):
        for size in STREAM_SIZES:
            for cpus in (1, 2):
                yield from (stream(size, kind, cpus, wait, capacity) for kind in KINDS for wait in WAITS)
    for cpus in (1, 2):
        yield from (sleeper(kind, cpus, wait) for kind in KINDS for wait in WAITS)
    yield from (loop(wait, pairs) for pairs in (8, 10, 1000, 4000) for wait in ("poll", "level", "edge")
                if wait != "poll" or pairs < 4000)
    yield CREATE
    yield from (unmarked(flavour) for flavour in ("null-zero", "pipe"))
    yield START
    yield from (idle(flavour) for flavour in ("fresh", "used"))


def chosen(only, quick, cpus):
    def fits(workload):
        return only in workload.title and (workload.quick or not quick) and (cpus > 1 or "2 CPUs" not in workload.title)
    return [workload for workload in every_workload() if fits(workload)]
