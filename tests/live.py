"""A program under weir, watched and changed by `weir ctl` while it runs.

    with Run(PROGRAM, *options) as run:
        run.until_blocked(1, "a_to_b", "write")
        run.change("hangup", "1")
        assert run.line() == "EPIPE"

PROGRAM is Python; it has what PRELUDE defines. Nothing here waits for a time: `until` looks
again until a state is there, and fails after a minute.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

WEIR = os.environ["WEIR"]
LIBWEIR = os.environ["LIBWEIR"]
SECONDS_MAX = 60

PRELUDE = r'''
import errno, os, select, signal, socket, struct, sys, threading, time
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())
def outcome(call, *arguments):
    """What a call gives, in a word."""
    try:
        result = call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return len(result) if isinstance(result, bytes) else result
def fill(end):
    """Returns how much it took."""
    end.setblocking(False)
    total = 0
    try:
        while True:
            total += end.send(bytes(4096))
    except BlockingIOError:
        end.setblocking(True)
        return total
def names(events):
    bits = (("IN", 1), ("OUT", 4), ("ERR", 8), ("HUP", 16), ("RDHUP", 0x2000))
    return "+".join(name for name, bit in bits if events & bit) or "nothing"
def polled(end, events=select.POLLIN | select.POLLOUT | select.POLLRDHUP, ms=0):
    poller = select.poll()
    poller.register(end, events)
    return names(dict(poller.poll(ms)).get(end.fileno(), 0))
def thread(function, *arguments):
    threading.Thread(target=function, args=arguments).start()
'''


def until(look, what):
    """Gives the first true result of `look`."""
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        result = look()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError(f"never: {what}")


def ctl(*words):
    """Its status, output and messages."""
    done = subprocess.run([WEIR, "ctl", *map(str, words)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=SECONDS_MAX)
    return done.returncode, done.stdout, done.stderr


def refused(*words):
    """The one line of a command that changes nothing."""
    status, output, messages = ctl(*words)
    assert status == 125 and output == "", (words, status, output)
    assert messages.startswith("weir: ") and messages.count("\n") == 1, (words, messages)
    return messages.rstrip("\n")


class Run:
    def __init__(self, program, *options, user=(), preloaded=False):
        self.log = tempfile.TemporaryFile("w+")
        environment = dict(os.environ)
        command = [WEIR, "run", *options, "--"]
        if preloaded:
            command = []
            environment["LD_PRELOAD"] = LIBWEIR
        self.process = subprocess.Popen(
            [*user, *command, sys.executable, "-c", PRELUDE + program], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            start_new_session=True)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind:
            print(self.messages(), self.ctl("pairs")[1], file=sys.stderr)
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def messages(self):
        self.log.seek(0)
        return self.log.read()

    def line(self):
        """The next line that the program says."""
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, word=""):
        """A line for the program to read."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def end(self, status=0):
        """Its last lines; the program ends by itself, with that status."""
        rest, _ = self.process.communicate(timeout=SECONDS_MAX)
        assert self.process.returncode == status, (self.process.returncode, self.messages())
        return rest.splitlines()

    def ctl(self, *words):
        return ctl("--session", self.pid, *words)

    def asked(self, *words):
        """What a subcommand says, as an object."""
        status, output, messages = self.ctl("--json", *words)
        assert status == 0 and messages == "", (words, status, messages)
        assert output.count("\n") == 1 and output.endswith("\n"), output
        return json.loads(output)

    def change(self, *words):
        assert self.asked(*words) == {"ok": True}

    def refused(self, *words):
        return refused("--session", self.pid, *words)

    def pairs(self):
        return {pair["number"]: pair for pair in self.asked("pairs")["pairs"]}

    def blocked(self, number, way, op):
        """The threads that wait there."""
        if self.ctl("pairs")[0] != 0:
            return []           # the program has not begun
        pair = self.pairs().get(number)
        return pair and [s for s in pair[way]["blocked"] if s["op"] == op]

    def until_blocked(self, number, way, op):
        return until(lambda: self.blocked(number, way, op), f"pair {number}: {op} of {way}")
