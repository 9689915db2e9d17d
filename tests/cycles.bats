#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets $stderr
# Deadlocks of many: processes, threads and pairs. Those of one pair, and what is told
# of them, are in deadlock.bats.

load helpers

setup() {
	unset WEIR_FAULT WEIR_FAULTS WEIR_SEED WEIR_CHAOS WEIR_STRICT WEIR_QUIET WEIR_MARK \
		WEIR_FAIL_ON_DEADLOCK
	cd "$BATS_TEST_TMPDIR" || return
}

# deadlocks WORD...: programs/waiting ends with status 123 long before it would by
# itself, and what weir says, one line, is in $line. Nobody is left.
deadlocks() {
	run -123 --separate-stderr timeout 60 "$WEIR" run --capacity 64 --fail-on-deadlock \
		"${WEIR_TEST_OPTIONS[@]}" -- "$PROGRAMS/waiting" "$@" 3>&-
	line=$stderr
	[ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
	[[ $line == "weir: deadlock in pair"*": everybody who holds an end waits for another; "* ]]
	nobody_left
}

# Those that the line names are gone: a number may be another's, elsewhere.
nobody_left() {
	local pid end=$((SECONDS + 20))
	grep -o 'pid [0-9]*' <<<"$line" | while read -r _ pid; do
		while [ -e "/proc/$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$PWD" ]; do
			[ "$SECONDS" -lt "$end" ] || { echo "left behind: $pid"; return 1; }
			sleep 0.02
		done
	done
}

# waits SIDE WHAT: is in the line.
waits() {
	grep -Eq "side $1, pid [0-9]+ \(waiting\), waits to $2( |;|\$)" <<<"$line " ||
		{ echo "not told of side $1 that it waits to $2: $line"; return 1; }
}

# no_alarm WORD...: ends by itself, and nothing is said.
no_alarm() {
	run -0 --separate-stderr timeout 60 "$WEIR" run --capacity 64 --fail-on-deadlock \
		"${WEIR_TEST_OPTIONS[@]}" -- "$PROGRAMS/waiting" "$@" 3>&-
	[ -z "$stderr" ] || { echo "$stderr"; return 1; }
}

# ---- told ----

@test "one process is left, that holds both ends of a pair which others held too" {
	deadlocks / only:1a a.write:5 / b.write:100
	waits b 'write b to a \(64 of 64 bytes\)'
}

@test "three processes" {
	deadlocks / only:1a a.read / only:1a a.write:100 / only:1b b.write:100
	waits a 'read b to a \([0-9]+ of 64 bytes\)' || waits a 'write a to b \(64 of 64 bytes\)'
}

@test "threads, all of them blocked" {
	deadlocks threads / a.read / b.read
	waits a 'read b to a \(0 of 64 bytes\)'
	waits b 'read a to b \(0 of 64 bytes\)'
	deadlocks 3 threads / 1a.read / 2b.read / 3a.write:100
	[[ $line == *"in pairs "*"pair 1, "*"pair 2, "* || $line == *"pair 2, "*"pair 1, "* ]]
}

@test "a cycle over two pairs, and over three" {
	deadlocks 2 / only:1a,2a 1a.read / only:1b,2b 2b.read
	[[ $line == *"in pairs 1, 2:"* || $line == *"in pairs 2, 1:"* ]]
	[[ $line == *"pair 1, side a, pid "*" waits to read b to a (0 of 64 bytes)"* ]]
	[[ $line == *"pair 2, side b, pid "*" waits to read a to b (0 of 64 bytes)"* ]]
	deadlocks 3 / only:1a,3b 1a.read / only:1b,2a 2a.write:100 / only:2b,3a 3a.read
	[[ $line == *"pair 2, side a, pid "*" waits to write a to b (64 of 64 bytes)"* ]]
}

@test "a part of the run, while another goes on" {
	deadlocks 2 / only:1a a.read / only:1b b.read / only:2a sleep:1200 / only:2b 2b.read
	[[ $line == *"in pair 1:"* ]]
}

@test "a sleeper that was killed is not told of" {
	# The killed one's record stays where a second takes its place.
	run -123 --separate-stderr timeout 60 "$WEIR" run --capacity 64 --fail-on-deadlock \
		"$PYTHON" -c '
import os, signal, socket, sys, time
a, b = socket.socketpair()
def child(act):
    pid = os.fork()
    if pid == 0:
        act()
        os._exit(0)
    return pid
def asleep(pid):
    while open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "S":
        time.sleep(.01)
first = child(lambda: a.recv(1))
asleep(first)
os.kill(first, signal.SIGKILL)
os.waitpid(first, 0)
child(lambda: (b.close(), a.recv(1)))
child(lambda: (a.close(), b.recv(1)))
a.close(), b.close()
print(first)
sys.stdout.flush()
os.wait()' 3>&-
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"deadlock in pair 1:"*"side a"*"side b"* || $stderr == *"side b"*"side a"* ]]
	[[ $stderr != *"pid $output "* ]]
}

@test "preloaded without the command" {
	LD_PRELOAD=$LIBWEIR WEIR_CAPACITY=64 WEIR_FAIL_ON_DEADLOCK=1 run -137 --separate-stderr \
		timeout 60 "$PROGRAMS/waiting" / a.write:100
	[[ $stderr == "weir: deadlock in pair 1: "*"(64 of 64 bytes)" ]]
}

@test "the example" {
	[ -x "$BUILD/examples/deadlock/both-write" ] || make -C "$ROOT" examples >/dev/null
	run -123 --separate-stderr timeout 60 "$WEIR" run --capacity 4096 --fail-on-deadlock \
		-- "$BUILD/examples/deadlock/both-write"
	[[ $stderr == *"both-write"*"(4096 of 4096 bytes)"*"both-write"* ]]
	run -0 timeout 60 "$WEIR" run --capacity 1 --fail-on-deadlock -- "$BUILD/examples/deadlock/as-ready"
}

# ---- not told ----

@test "no alarm: another thread is elsewhere" {
	no_alarm threads / a.read / sleep:700 b.write
	no_alarm 2 threads / 1a.read / 2a.read / sleep:700 1b.write 2b.write
}

@test "no alarm: somebody else holds an end, in waitpid or asleep" {
	run -124 --separate-stderr timeout 2 "$WEIR" run --capacity 64 --fail-on-deadlock -- \
		"$PROGRAMS/waiting" hold / only:1a a.read / only:1b b.read 3>&-
	[ -z "$stderr" ]
	no_alarm / only:1a a.read:5 / only:1b b.read:5 / sleep:1300 a.write:5 b.write:5
}

@test "no alarm: a peer in poll, or in epoll" {
	no_alarm / only:1a a.write:100 / only:1b b.poll:in sleep:600 b.read:100
	no_alarm 2 / only:1a,2a a.write:100 2a.write / only:1b,2b 2b.epoll:in b.read:100 \
		/ only:2a sleep:600 2a.write
}

@test "no alarm: a direction that is stalled, late or paced" {
	WEIR_TEST_OPTIONS=(--quiet --fault read:delay=700ms:side=a)
	no_alarm / only:1a a.read / only:1b b.write b.read
	WEIR_TEST_OPTIONS=(--quiet --fault write:rate=100/s)
	no_alarm / only:1a a.write:60 a.read / only:1b b.waitall:60 b.write
	WEIR_TEST_OPTIONS=(--quiet --fault write:stall:when=1)
	run -124 --separate-stderr timeout 2 "$WEIR" run --capacity 64 --fail-on-deadlock \
		"${WEIR_TEST_OPTIONS[@]}" -- "$PROGRAMS/waiting" \
		/ only:1a a.write / only:1b b.read 3>&-
	[ -z "$stderr" ]
}

# Whoever was woken by the end of a direction may not have run yet, where it runs only
# when nobody else wants to.
@test "no alarm: the end of a direction while the peer sleeps" {
	cat >shut.py <<-'END'
		import os, socket
		for how in (socket.SHUT_WR, socket.SHUT_RDWR, None) * 20:
		    a, b = socket.socketpair()
		    c, d = socket.socketpair()
		    pid = os.fork()
		    if pid == 0:
		        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
		        a.close(), c.close()
		        assert b.recv(1) == b""
		        d.send(b"x") if how is None else how == socket.SHUT_WR and b.send(b"x")
		        os._exit(0)
		    b.close(), d.close()
		    os.sched_yield()
		    while open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "S":
		        os.sched_yield()
		    if how is None:
		        a.close()
		        assert c.recv(1) == b"x"
		    else:
		        a.shutdown(how)
		        assert a.recv(1) == (b"x" if how == socket.SHUT_WR else b"")
		    assert os.waitpid(pid, 0)[1] == 0
		    a.close(), c.close(), b.close(), d.close()
	END
	run -0 --separate-stderr timeout 60 "$WEIR" run --fail-on-deadlock "$PYTHON" shut.py
	[ -z "$stderr" ]
	run -0 --separate-stderr timeout 60 taskset -c 0 "$WEIR" run --fail-on-deadlock "$PYTHON" shut.py
	[ -z "$stderr" ]
}

# Requests over one pair, answers over another: each sleeps in vain most of the time.
@test "no alarm: ping-pong over two pairs" {
	cat >pong.py <<-'END'
		import os, socket
		a, b = socket.socketpair()
		c, d = socket.socketpair()
		pid = os.fork()
		for i in range(20000):
		    if pid == 0:
		        b.recv(1) and d.send(b"x")
		    else:
		        a.send(b"x") and c.recv(1)
		if pid:
		    assert os.waitpid(pid, 0)[1] == 0
	END
	run -0 --separate-stderr timeout 60 "$WEIR" run --fail-on-deadlock "$PYTHON" pong.py
	[ -z "$stderr" ]
}

@test "no alarm: CPython's tests of socket pairs" {
	run -0 --separate-stderr timeout 100 "$WEIR" run --fail-on-deadlock -- "$PYTHON" -m test \
		test_socket -m BasicSocketPairTest -m GeneralModuleTests -m '*SendrecvmsgUnixStream*' \
		-m '*FileObjectClassTestCase*' -m '*SCMRights*'
	[[ $stderr != *deadlock* ]]
}
