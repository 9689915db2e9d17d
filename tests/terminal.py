#!/usr/bin/env python3
"""Drives a job-control shell on a terminal of its own, with `weir run` as the job.

Usage: terminal.py WEIR CASE; prints what it saw, ends with status 1 where the
expected text did not come in time.
"""
import os
import pty
import re
import select
import sys
import time

WAIT_S_MAX = 15
WEIR, CASE = sys.argv[1:]

COUNTER = r"""
import os, signal, time
seen = []
signal.signal(signal.SIGINT, lambda n, f: seen.append(n))
print("rea" + "dy", flush=True)
end = time.time() + 10
while not seen and time.time() < end:
    time.sleep(0.05)
time.sleep(0.5)
print("int" + "errupts", len(seen), flush=True)
"""


class Terminal:
    def __init__(self):
        self.seen = ""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.environ.update(PS1="<prompt>", TERM="dumb", WEIR=WEIR, COUNTER=COUNTER)
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        """Waits for the pattern in what came since the last match."""
        end = time.time() + WAIT_S_MAX
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return found
            left = end - time.time()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                sys.exit(f"no {pattern!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                sys.exit(f"the shell ended; no {pattern!r} in {self.seen!r}")


def interrupt(t):
    """^C reaches a program that handles it exactly once."""
    t.send('"$WEIR" run python3 -c "$COUNTER"; echo "sta""tus $?"\n')
    t.expect("ready")
    t.send("\x03")
    t.expect(r"interrupts 1\s")
    t.expect("status 0")


def die(t):
    """^C kills an ordinary program, and weir dies of the same."""
    t.send('"$WEIR" run sh -c \'echo "rea""dy"; exec sleep 20\'\n')
    t.expect("ready")
    t.send("\x03")
    t.expect("<prompt>")
    t.send('echo "sta""tus $?"\n')
    t.expect("status 130")


def stop(t):
    """^Z stops both; fg continues both."""
    t.send('"$WEIR" run sh -c \'echo "rea""dy"; read x; echo "got"" $x"; exit 5\'\n')
    t.expect("ready")
    t.send("\x1a")
    t.expect("Stopped")
    t.expect("<prompt>")
    t.send("fg\n")
    t.expect("run sh")
    t.send("line\n")
    t.expect("got line")
    t.expect("<prompt>")
    t.send('echo "sta""tus $?"\n')
    t.expect("status 5")


def background(t):
    """A background job that reads the terminal stops; fg lets it read."""
    t.send('"$WEIR" run sh -c \'read x; echo "got"" $x"\' &\n')
    t.expect("<prompt>")
    for _ in range(50):
        t.send("jobs\n")
        if "Stopped" in t.expect(r"(Running|Stopped)(?s:.*?)<prompt>").group(0):
            break
        time.sleep(0.1)
    else:
        sys.exit("never stopped")
    t.send("fg\n")
    t.expect("run sh")
    t.send("line\n")
    t.expect("got line")


def shell(t):
    """An interactive shell as the program has job control of its own, and `suspend`
    brings the outer shell back."""
    t.send('"$WEIR" run bash --norc --noprofile --noediting -i\n')
    t.expect("<prompt>")
    t.send('PS1="<in""ner>"\n')
    t.expect("<inner>")
    t.send("sleep 20\n")
    time.sleep(0.5)
    t.send("\x1a")
    t.expect("Stopped")
    t.expect("<inner>")
    t.send("kill %1; suspend\n")
    t.expect("<prompt>")
    t.send("fg\n")
    time.sleep(0.5)
    t.send('echo "ba""ck"; exit 6\n')
    t.expect("back")
    t.expect("<prompt>")
    t.send('echo "sta""tus $?"\n')
    t.expect("status 6")


def resize(t):
    """A change of the window's size is told once."""
    import fcntl, struct, termios
    t.send('"$WEIR" run python3 -c "${COUNTER//SIGINT/SIGWINCH}"\n')
    t.expect("ready")
    fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    t.expect(r"interrupts 1\s")


CASES = {f.__name__: f for f in (interrupt, die, stop, background, shell, resize)}
terminal = Terminal()
terminal.expect("<prompt>")
CASES[CASE](terminal)
