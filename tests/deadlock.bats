#!/usr/bin/env bats
# A deadlock is told: once, in a line that says who waits for what. Nothing else is.

load helpers

setup() {
	export WEIR LIBWEIR PYTHONPATH=$BATS_TEST_DIRNAME PYTHONDONTWRITEBYTECODE=1
	cd "$BATS_TEST_TMPDIR" || return
}

# What the programs below have before them.
common() {
	cat <<-'COMMON'
		import re
		from live import *

		START = "weir: deadlock in pair %d: everybody who holds an end waits for another; "

		def told(run):
		    return [line for line in run.messages().splitlines() if "deadlock" in line]

		def is_told(run, number, *waits):
		    """Exactly that: `waits` as in the line, with PID for numbers."""
		    (line,) = until(lambda: told(run), "deadlock")
		    assert line.startswith(START % number), line
		    got = re.sub(r"pid \d+", "pid PID", line[len(START % number):]).split("; ")
		    assert sorted(got) == sorted(waits), line

		# A wait looks for a deadlock before it begins, so who has come out of it has looked.
		def is_not_told(run, status=0):
		    run.end(status)
		    assert not told(run), run.messages()

		# Or waits for whoever adopted it to look at its status.
		def is_gone(pid):
		    try:
		        return ") Z " in open(f"/proc/{pid}/stat").read()
		    except OSError:
		        return True

		# Two processes that do the same at their ends.
		def peers(each):
		    return f"""
		a, b = socket.socketpair()
		child = os.fork()
		(b if child else a).close()
		def each(end):
		    {each}
		each(a if child else b)
		if child == 0:
		    os._exit(0)
		os.waitpid(child, 0)
		"""
	COMMON
}

# driver: the Python program on standard input.
driver() { { common && cat; } | timeout --kill-after=5 "$SECONDS_MAX" "$PYTHON" - 3>&-; }

@test "both peers writing into full pipes" {
	driver <<-'PROGRAM'
		with Run(peers("end.sendall(bytes(100)); end.recv(100, socket.MSG_WAITALL)"),
		         "--capacity", "64") as run:
		    is_told(run, 1, "side a, pid PID (python3), waits to write a to b (64 of 64 bytes)",
		            "side b, pid PID (python3), waits to write b to a (64 of 64 bytes)")
		    run.until_blocked(1, "a_to_b", "write")
		    run.until_blocked(1, "b_to_a", "write")
		    # It is a message, not an end: a change lets them go on.
		    run.change("capacity", "1", "200")
		    run.end()
		    assert len(told(run)) == 1, run.messages()
	PROGRAM
}

@test "both peers reading, told once however often they look again" {
	driver <<-'PROGRAM'
		with Run(peers("end.recv(1)")) as run:
		    is_told(run, 1, "side a, pid PID (python3), waits to read b to a (0 of 212992 bytes)",
		            "side b, pid PID (python3), waits to read a to b (0 of 212992 bytes)")
		    for _ in range(3):          # each change makes both look
		        run.change("capacity", "1", "99")
		    run.until_blocked(1, "b_to_a", "read")
		    run.change("hangup", "1")
		    run.end()
		    assert len(told(run)) == 1, run.messages()
	PROGRAM
}

@test "a process that holds both ends alone, in each way" {
	driver <<-'PROGRAM'
		for call, wait in (("b.recv(1)", "side b, pid PID (python3), waits to read a to b (0 of 5 bytes)"),
		                   ("a.send(bytes(5)), a.send(b'x')",
		                    "side a, pid PID (python3), waits to write a to b (5 of 5 bytes)")):
		    with Run(f"a, b = socket.socketpair()\n{call}", "--capacity", "5") as run:
		        is_told(run, 1, wait)
	PROGRAM
}

@test "threads: told when the last of them waits, not while one is elsewhere" {
	driver <<-'PROGRAM'
		with Run("""
		a, b = socket.socketpair()
		thread(a.recv, 1)
		thread(b.recv, 1)
		sys.stdin.readline()
		a.recv(1)
		""") as run:
		    run.until_blocked(1, "b_to_a", "read")
		    run.until_blocked(1, "a_to_b", "read")
		    assert not told(run)
		    run.tell()
		    is_told(run, 1, "side a, pid PID (python3), waits to read b to a (0 of 212992 bytes)",
		            "side a, pid PID (python3), waits to read b to a (0 of 212992 bytes)",
		            "side b, pid PID (python3), waits to read a to b (0 of 212992 bytes)")
	PROGRAM
}

@test "two peers that each wait in another pair" {
	driver <<-'PROGRAM'
		with Run("""
		a, b = socket.socketpair()
		c, d = socket.socketpair()
		child = os.fork()
		if child:
		    b.close(), d.close()
		    a.recv(1)
		else:
		    a.close(), c.close()
		    d.recv(1)
		""") as run:
		    (line,) = until(lambda: told(run), "deadlock")
		    assert line.startswith("weir: deadlock in pairs 1, 2: everybody who holds an end "), line
		    for wait in ("pair 1, side a, pid ", "pair 2, side b, pid "):
		        assert wait in line, line
	PROGRAM
}

@test "--fail-on-deadlock ends the run with status 123, and nobody is left" {
	driver <<-'PROGRAM'
		for each in ("end.sendall(bytes(100))", "end.recv(1)"):
		    with Run("say(os.getpid())\n" + peers("say(os.getpid()); " + each),
		             "--capacity", "64", "--fail-on-deadlock") as run:
		        pids = run.end(123)
		        assert len(told(run)) == 1 and len(set(pids)) == 2, (pids, run.messages())
		        for pid in pids:
		            until(lambda: is_gone(pid), f"the end of {pid}")
		with Run("a, b = socket.socketpair()\na.send(b'x')\nb.recv(1)", "--fail-on-deadlock") as run:
		    is_not_told(run)
	PROGRAM
}

@test "no false alarm: timeouts of the sockets" {
	driver <<-'PROGRAM'
		for option in ("SO_RCVTIMEO", "SO_SNDTIMEO"):
		    with Run("""
		a, b = socket.socketpair()
		a.setsockopt(socket.SOL_SOCKET, socket.%s, struct.pack("ll", 0, 200000))
		say(outcome(%s))
		""" % (option, "a.recv, 1" if "RCV" in option else "lambda: [a.send(bytes(9)) for _ in range(3)]"),
		             "--capacity", "10") as run:
		        assert run.line() == "EAGAIN"
		        is_not_told(run)
	PROGRAM
}

@test "no false alarm: a handler that a signal may run" {
	driver <<-'PROGRAM'
		with Run("""
		a, b = socket.socketpair()
		def handler(*_):
		    b.send(b"x")
		signal.signal(signal.SIGALRM, handler)
		signal.setitimer(signal.ITIMER_REAL, 0.2)
		say(outcome(a.recv, 1))
		""") as run:
		    assert run.line() == "1"
		    is_not_told(run)
	PROGRAM
}

@test "no false alarm: another thread that is elsewhere, a peer in poll" {
	driver <<-'PROGRAM'
		for elsewhere in ("sys.stdin.readline()", "polled(b, select.POLLIN, None)"):
		    with Run("""
		a, b = socket.socketpair()
		thread(lambda: say(outcome(a.recv, 1)))
		%s
		b.send(b"x")
		""" % elsewhere) as run:
		        run.until_blocked(1, "b_to_a", "read")
		        run.tell()
		        if "poll" in elsewhere:
		            run.change("hangup", "1")
		        run.line()
		        run.process.wait(SECONDS_MAX)
		        assert not told(run), run.messages()
		with Run("""
		a, b = socket.socketpair()
		if os.fork() == 0:
		    a.close()
		    polled(b, select.POLLIN, None)
		    os._exit(0)
		b.close()
		say(outcome(a.recv, 1))
		""") as run:
		    run.until_blocked(1, "b_to_a", "read")
		    run.change("eof", "1")
		    assert run.line() == "0"
		    is_not_told(run)
	PROGRAM
}

@test "no false alarm: somebody who holds an end and waits for a child" {
	driver <<-'PROGRAM'
		with Run("""
		a, b = socket.socketpair()
		first = os.fork()
		if first == 0:
		    b.close()
		    say(outcome(a.recv, 1))
		    os._exit(0)
		if os.fork() == 0:
		    a.close()
		    say(outcome(b.recv, 1))
		    os._exit(0)
		os.waitpid(first, 0)
		os.wait()
		""") as run:
		    run.until_blocked(1, "b_to_a", "read")
		    run.until_blocked(1, "a_to_b", "read")
		    run.change("hangup", "1")
		    assert [run.line(), run.line()] == ["0", "0"]
		    is_not_told(run)
	PROGRAM
}

@test "no false alarm: a direction that is stalled" {
	driver <<-'PROGRAM'
		with Run("""
		a, b = socket.socketpair()
		say("ready")
		sys.stdin.readline()
		b.send(b"x")
		say(outcome(a.recv, 1))
		""", "--fault", "read:stall") as run:
		    run.line()
		    run.tell()
		    run.until_blocked(1, "b_to_a", "read")
		    run.change("fault", "clear")
		    assert run.line() == "1"
		    is_not_told(run)
	PROGRAM
}
