"""The memory of a session is gone when its last process is, in whatever way they end."""

import os
import re
import signal
import subprocess
import sys
import time

PROGRAM = r"""
import os, re, signal, socket, sys
pairs = [socket.socketpair() for _ in range(8)]
for a, b in pairs:
    a.send(b"unread")
child = os.fork()
if child:
    maps = open("/proc/self/maps").read()
    inode = re.search(r" (\d+) +/memfd:weir-session", maps).group(1)
    print(inode, os.getpid(), child, flush=True)
signal.pause()
"""
WAIT_S_MAX = 20


def processes():
    return [name for name in os.listdir("/proc") if name.isdigit()]


def maps_it(pid, inode):
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            return re.search(rf" {inode} +/memfd:weir-session", maps.read()) is not None
    except OSError:
        return False


def holds_it(pid, inode):
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    for name in names:
        path = f"/proc/{pid}/fd/{name}"
        try:
            if os.readlink(path).startswith("/memfd:weir-session") and os.stat(path).st_ino == inode:
                return True
        except OSError:
            pass
    return False


def users(inode):
    return [pid for pid in processes() if maps_it(pid, inode) or holds_it(pid, inode)]


def wait_until_unused(inode):
    end = time.monotonic() + WAIT_S_MAX
    while users(inode):
        assert time.monotonic() < end, f"still used by {users(inode)}"
        time.sleep(0.02)


def check(numbers):
    """Kills weir, the program and its child, each by its signal, in that order."""
    with subprocess.Popen([os.environ["WEIR"], "run", "--", sys.executable, "-c", PROGRAM],
                          stdout=subprocess.PIPE, text=True) as weir:
        inode, program, child = map(int, weir.stdout.readline().split())
        assert len(users(inode)) == 3, users(inode)
        for pid, number in zip((weir.pid, program, child), numbers):
            os.kill(pid, number)
    wait_until_unused(inode)


for order in ([signal.SIGKILL] * 3, [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM],
              [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT]):
    check(order)
