"""Reads tests/exceptions.txt: what may differ under weir, by name."""

import collections

Exception_ = collections.namedtuple("Exception_", "program capacity test reason line")


def parse_line(number, line):
    words = line.split(None, 3)
    if len(words) != 4:
        raise SystemExit(f"exceptions.txt:{number}: wants PROGRAM CAPACITY TEST REASON")
    return Exception_(*words, number)


def read(path):
    with open(path, encoding="utf-8") as text:
        lines = [(number, line.strip()) for number, line in enumerate(text, 1)]
    return [parse_line(number, line) for number, line in lines if line and not line.startswith("#")]


def select(exceptions, program, capacity):
    """The exceptions for one program at one capacity, by test name."""
    return {e.test: e for e in exceptions if (e.program, e.capacity) == (program, capacity)}


def unknown(exceptions, programs, capacities):
    """Problems with exceptions that can never apply."""
    for e in exceptions:
        if e.program not in programs:
            yield f"exceptions.txt:{e.line}: no program is called {e.program}"
        elif e.capacity not in capacities(e.program):
            yield f"exceptions.txt:{e.line}: {e.program} never runs at capacity {e.capacity}"
