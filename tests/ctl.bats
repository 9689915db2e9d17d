#!/usr/bin/env bats
# `weir ctl` looks at running sessions and changes them: what it says, whom a change wakes,
# and what it refuses.

load helpers

setup() {
	export WEIR LIBWEIR PYTHONPATH=$BATS_TEST_DIRNAME PYTHONDONTWRITEBYTECODE=1
	cd "$BATS_TEST_TMPDIR" || return
}

# driver: the Python program on standard input, with tests/live.py.
driver() { timeout --kill-after=5 "$SECONDS_MAX" "$PYTHON" - "$@" 3>&-; }

# ---- what it says ----

@test "list names the sessions and pairs what is in one, with and without --json" {
	driver <<-'PROGRAM'
		from live import *

		with Run("""
		a, b = socket.socketpair()
		a.sendall(b"12345")
		def read():
		    b.recv(5)
		    b.recv(1)
		thread(read)
		sys.stdin.readline()
		a.close()
		""", "--capacity", "64", "--fault", "read:delay=1ms") as run:
		    (sleeper,) = run.until_blocked(1, "a_to_b", "read")
		    sessions = run.asked("list")["sessions"]
		    (mine,) = [s for s in sessions if s["pid"] == run.pid]
		    assert mine == {"pid": run.pid, "name": "weir", "pairs": 1, "open": 1, "rules": 1}
		    status, text, _ = ctl("list")
		    assert status == 0 and text.startswith("SESSION "), text
		    assert f"\n{run.pid} " in text, text

		    said = run.asked("pairs")
		    assert said["session"] == run.pid and len(said["pairs"]) == 1, said
		    pair = said["pairs"][0]
		    assert pair["number"] == 1 and pair["comm"] == "python3", pair
		    assert pair["holders"] == {"a": 1, "b": 1}, pair
		    for way in ("a_to_b", "b_to_a"):
		        assert pair[way]["capacity"] == 64 and pair[way]["buffered"] == 0, pair
		        assert not pair[way]["by_kernel"], pair
		        assert not pair[way]["writer_stalled"] and not pair[way]["reader_stalled"], pair
		    assert sleeper["pid"] == pair["pid"] and sleeper["tid"] != sleeper["pid"], sleeper
		    assert sleeper["fd"] > 2 and sleeper["seconds"] >= 0, sleeper
		    status, text, _ = run.ctl("pairs")
		    assert status == 0 and text.count("waits to read") == 1, text
		    assert f"pair 1, made by pid {pair['pid']} (python3), held by 1 and 1 processes" in text, text
		    assert "a to b: 0 of 64 bytes" in text and "b to a: 0 of 64 bytes" in text, text

		    rules = run.asked("fault", "list")
		    assert [r["rule"] for r in rules["rules"]] == ["read:delay=1ms"], rules
		    assert rules["rules"][0]["active"] and rules["rules"][0]["fired"] >= 1, rules
		    assert rules["rules"][0]["first"]["pair"] == 1, rules
		    status, text, _ = run.ctl("fault", "list")
		    assert text.startswith("active ") and text.endswith(" read:delay=1ms\n"), text
		    run.tell()
		    run.end()
		    assert str(run.pid) not in ctl("list")[1]
	PROGRAM
}

@test "--help and help ctl say the same" {
	run -0 "$WEIR" ctl --help
	local help=$output
	run -0 "$WEIR" help ctl
	[ "$output" = "$help" ]
	[[ $output == *"hangup PAIR"* ]]
}

@test "of several sessions one is named: by its holder or by any process in it" {
	driver <<-'PROGRAM'
		from live import *

		program = """
		a, b = socket.socketpair()
		child = os.fork()
		if child == 0:
		    b.recv(1)
		    os._exit(0)
		say(os.getpid(), child)
		sys.stdin.readline()
		a.send(b"x")
		os.waitpid(child, 0)
		"""
		with Run(program) as run, Run(program, "--capacity", "7") as other:
		    pids = run.line().split()
		    other.line()
		    message = refused("pairs")
		    assert "sessions are running: name one with --session PID" in message, message
		    assert "`weir ctl list`" in message, message
		    for pid in [run.pid, *pids]:
		        status, output, _ = ctl("--json", "--session", pid, "pairs")
		        assert status == 0 and json.loads(output)["session"] == run.pid, (pid, output)
		        status, output, _ = ctl("pairs", f"--session={pid}", "--json")
		        assert status == 0 and json.loads(output)["session"] == run.pid, (pid, output)
		    other.change("capacity", "1", "9")
		    assert run.pairs()[1]["a_to_b"]["capacity"] == 212992
		    assert other.pairs()[1]["a_to_b"]["capacity"] == 9
		    message = refused("--session", os.getpid(), "pairs")
		    assert f"no session of yours is that of process {os.getpid()}" in message, message
		    for one in (run, other):
		        one.tell()
		        one.end()
	PROGRAM
}

@test "wrong words: status 125, one line that says why, and nothing changed" {
	driver <<-'PROGRAM'
		from live import *

		wrong = {
		    "": "ctl needs a subcommand",
		    "no-such": "ctl: no subcommand no-such",
		    "pairs --no-such": "--no-such: no such option",
		    "pairs --sessions 1": "--sessions: no such option",
		    "pairs --session": "--session needs the number of a process",
		    "pairs --session 0": "--session needs the number of a process",
		    "pairs --session one": "--session needs the number of a process",
		    "pairs --session 4194305": "--session needs the number of a process",
		    "pairs 1": "ctl pairs takes no words",
		    "list 1": "ctl list takes no words",
		    "fault": "ctl fault takes list, clear, or add RULE...",
		    "fault no-such": "ctl fault takes list, clear, or add RULE...",
		    "fault list 1": "ctl fault takes list, clear, or add RULE...",
		    "fault clear 1": "ctl fault takes list, clear, or add RULE...",
		    "fault add": "ctl fault add needs a RULE",
		    "fault add read:no-such": "read:no-such",
		    "fault add read:eof read:shrt": "read:shrt",
		    "capacity": "ctl capacity takes PAIR",
		    "capacity 1": "ctl capacity takes PAIR",
		    "capacity 1 0": "is not a size",
		    "capacity 1 -1": "--session",
		    "capacity 1 many": "'many' is not a size",
		    "capacity 1 1T": "'1T' is not a size",
		    "capacity 1 1024G": "is not a size",
		    "capacity 1.c 5": "'1.c' is not the number of a pair",
		    "stall": "ctl stall takes PAIR",
		    "stall 1 2": "ctl stall takes PAIR",
		    "stall 2": "no pair 2 is open",
		    "stall 99999999999999999999": "is not the number of a pair",
		    "stall 000000000000000000000000000001": "is not the number of a pair",
		    "stall .a": "'.a' is not the number of a pair",
		    "stall 1.": "'1.' is not the number of a pair",
		    "stall 1.ab": "'1.ab' is not the number of a pair",
		    "stall one": "'one' is not the number of a pair",
		    "release 2.a": "no pair 2 is open",
		    "release 1 1": "ctl release takes PAIR",
		    "hangup": "ctl hangup takes PAIR",
		    "hangup 0": "no pair 0 is open",
		    "hangup a": "'a' is not the number of a pair",
		    "reset 1.A": "'1.A' is not the number of a pair",
		    "eof 1,a": "'1,a' is not the number of a pair",
		}
		with Run("""
		a, b = socket.socketpair()
		say("ready")
		sys.stdin.readline()
		a.send(b"x")
		say(b.recv(1))
		""") as run:
		    run.line()
		    before = run.pairs(), run.asked("fault", "list")
		    for words, why in wrong.items():
		        message = run.refused(*words.split())
		        assert why in message, (words, message)
		    assert (run.pairs(), run.asked("fault", "list")) == before
		    run.tell()
		    assert run.end() == ["b'x'"]
	PROGRAM
}

# ---- whom a change wakes ----

# Pairs that each have somebody waiting in b, in each way of waiting for each way to end;
# then what each of them was given. LAYOUT: the waiters are threads, or children; `dups`:
# threads whose pairs have lost their first numbers.
wakes() {
	driver "$1" <<-'PROGRAM'
		from live import *

		ways = ("read", "write", "poll", "level", "edge")
		effects = ("eof", "hangup", "reset")
		program = """
		layout = %r
		def epolled(end, flags):
		    poller = select.epoll()
		    poller.register(end, select.EPOLLIN | select.EPOLLRDHUP | flags)
		    ((_, events),) = poller.poll()
		    return names(events)
		def wait(end, way):
		    if way == "read":
		        return outcome(end.recv, 1)
		    if way == "write":
		        return outcome(end.send, b"x")
		    if way == "poll":
		        return polled(end, select.POLLIN | select.POLLRDHUP, None)
		    return epolled(end, select.EPOLLET if way == "edge" else 0)
		def waiter(end, way, effect):
		    given = wait(end, way)
		    say(way, effect, given, outcome(end.recv, 1), outcome(end.recv, 1), outcome(end.send, b"x"))
		keep = []
		for way in %r:
		    for effect in %r:
		        a, b = socket.socketpair()
		        if layout == "dups":
		            a, b = a.dup(), b.dup()
		        if way == "write":
		            fill(b)
		        keep.append((a, b))
		        if layout != "children":
		            thread(waiter, b, way, effect)
		        elif os.fork() == 0:
		            waiter(b, way, effect)
		            os._exit(0)
		say("ready")
		while layout == "children" and keep:
		    os.wait()
		    keep.pop()
		""" % (sys.argv[1], ways, effects)
		# What the waiter's call gave, two reads after it, and a write.
		expected = {
		    "read eof": "0 0 0 1", "read hangup": "0 0 0 EPIPE", "read reset": "ECONNRESET 0 0 EPIPE",
		    "write eof": "BLOCKED",
		    "write hangup": "EPIPE 0 0 EPIPE", "write reset": "EPIPE ECONNRESET 0 EPIPE",
		}
		polls = {"eof": "IN+RDHUP 0 0 1", "hangup": "IN+HUP+RDHUP 0 0 EPIPE",
		         "reset": "IN+ERR+HUP+RDHUP ECONNRESET 0 EPIPE"}
		for way in ways[2:]:
		    for effect in effects:
		        expected[f"{way} {effect}"] = polls[effect]
		with Run(program, "--capacity", "100") as run:
		    assert run.line() == "ready"
		    number = 0
		    for way in ways:
		        for effect in effects:
		            number += 1
		            if way in ("read", "write"):
		                run.until_blocked(number, "b_to_a" if way == "write" else "a_to_b", way)
		            run.change(effect, f"{number}.a")
		            want = expected[f"{way} {effect}"]
		            if want == "BLOCKED":       # what b writes has not ended
		                assert run.blocked(number, "b_to_a", "write")
		                run.change("hangup", number)
		                want = "EPIPE 0 0 EPIPE"
		            got = run.line()
		            assert got == f"{way} {effect} {want}", (got, want)
		    run.end()
	PROGRAM
}

@test "eof, hangup and reset wake threads of one process, and give what they say" { wakes threads; }

@test "eof, hangup and reset wake other processes" { wakes children; }

@test "eof, hangup and reset reach pairs that have lost their first descriptors" { wakes dups; }

@test "without a side both ends see eof, hangup and reset" {
	driver <<-'PROGRAM'
		from live import *

		expected = {
		    "eof": "5 0 EPIPE 5 0 EPIPE", "hangup": "5 0 EPIPE 5 0 EPIPE",
		    "reset": "ECONNRESET 0 EPIPE ECONNRESET 0 EPIPE",
		}
		with Run("""
		pairs = [socket.socketpair() for _ in range(3)]
		for pair in pairs:
		    for end in pair:
		        end.send(b"12345")
		say("ready")
		sys.stdin.readline()
		for pair in pairs:
		    say(*(word for end in pair for word in
		          (outcome(end.recv, 9), outcome(end.recv, 9), outcome(end.send, b"x"))))
		""") as run:
		    run.line()
		    for number, effect in enumerate(expected, 1):
		        run.change(effect, number)
		    run.tell()
		    for effect, want in expected.items():
		        got = run.line()
		        assert got == want, (effect, got)
		    run.end()
	PROGRAM
}

@test "a rule that is added reaches calls that wait already" {
	driver <<-'PROGRAM'
		from live import *

		with Run("""
		pairs = [socket.socketpair() for _ in range(4)]
		fill(pairs[1][0])
		fill(pairs[3][0])
		def child(call, *arguments):
		    if os.fork() == 0:
		        say(outcome(call, *arguments))
		        os._exit(0)
		child(pairs[0][0].recv, 1)
		child(pairs[1][0].send, b"x")
		thread(lambda: say(outcome(pairs[2][1].recv, 1)))
		thread(lambda: say(outcome(pairs[3][0].send, b"x")))
		os.wait(), os.wait()
		sys.stdin.readline()
		""", "--capacity", "50") as run:
		    for number, way, op, rule, want in (
		            (1, "b_to_a", "read", "read:error=EIO:pair=1", "EIO"),
		            (2, "a_to_b", "write", "write:error=ENOSPC:pair=2", "ENOSPC"),
		            (3, "a_to_b", "read", "read:hangup:pair=3", "0"),
		            (4, "a_to_b", "write", "write:eof:pair=4:side=a", "EPIPE")):
		        run.until_blocked(number, way, op)
		        run.change("fault", "add", rule)
		        got = run.line()
		        assert got == want, (rule, got)
		    rules = run.asked("fault", "list")["rules"]
		    assert [r["fired"] for r in rules] == [1, 1, 1, 1], rules
		    run.tell()
		    run.end()
		    assert run.messages().count("fired once") == 4, run.messages()
	PROGRAM
}

@test "fault clear lets go whom a stall held, and no rule acts from then on" {
	driver <<-'PROGRAM'
		from live import *

		with Run("""
		a, b = socket.socketpair()
		def read():
		    say("read", outcome(b.recv, 3))
		    say("read", outcome(b.recv, 3))
		a.send(b"abc")
		thread(read)
		sys.stdin.readline()
		say("wrote", outcome(a.send, b"def"))
		""", "--fault", "read:stall:when=1", "--fault", "write:error=EIO:when=2") as run:
		    run.until_blocked(1, "a_to_b", "read")
		    pair = run.pairs()[1]["a_to_b"]
		    assert pair["reader_stalled"] and pair["buffered"] == 3, pair
		    run.change("fault", "clear")
		    assert run.line() == "read 3"
		    run.tell()
		    assert sorted(run.end()) == ["read 3", "wrote 3"]
		    assert "fault write:error=EIO:when=2 never fired" in run.messages(), run.messages()
	PROGRAM
}

@test "a capacity that is raised wakes who waits for room, one that is lowered holds" {
	driver <<-'PROGRAM'
		from live import *

		with Run("""
		pairs = [socket.socketpair() for _ in range(4)]
		def watched(end, flags):
		    poller = select.epoll()
		    poller.register(end, select.EPOLLOUT | flags)
		    ((_, events),) = poller.poll()
		    return names(events)
		waits = (lambda end: outcome(end.send, b"x" * 30), lambda end: polled(end, select.POLLOUT, None),
		         lambda end: watched(end, 0), lambda end: watched(end, select.EPOLLET))
		for (a, b), wait in zip(pairs, waits):
		    assert fill(a) == 10
		    thread(lambda a, wait: say(wait(a)), a, wait)
		c, d = socket.socketpair()
		reading = select.epoll()
		reading.register(d, select.EPOLLIN)
		thread(lambda: (reading.poll(), say("read", outcome(d.recv, 9, socket.MSG_DONTWAIT))))
		say("ready")
		sys.stdin.readline()
		c.send(b"123")
		sys.stdin.readline()
		a, b = pairs[1]
		say(fill(a), fill(b))
		sys.stdin.readline()
		say(b.recv(5), polled(a, select.POLLOUT), a.fileno() < 0)
		say(len(b.recv(99)), fill(a), fill(b))
		""".replace("say(b.recv(5),", "say(len(b.recv(5)),"), "--capacity", "10") as run:
		    assert run.line() == "ready"
		    run.until_blocked(1, "a_to_b", "write")
		    for number, want in ((1, "30"), (2, "OUT"), (3, "OUT"), (4, "OUT")):
		        run.change("capacity", f"{number}.a", "40")
		        got = run.line()
		        assert got == want, (number, got)
		        pair = run.pairs()[number]
		        assert pair["a_to_b"]["capacity"] == 40 and pair["b_to_a"]["capacity"] == 10, pair
		    run.change("capacity", "5", "40")  # nothing to read in it, so nobody is called
		    run.tell()
		    assert run.line() == "read 3"
		    run.tell()
		    assert run.line() == "30 10"
		    run.change("capacity", "2", "7")
		    pair = run.pairs()[2]
		    assert pair["a_to_b"]["capacity"] == 7 and pair["a_to_b"]["buffered"] == 40, pair
		    run.tell()
		    assert run.line() == "5 nothing False"
		    assert run.line() == "35 7 0"
		    run.end()
	PROGRAM
}

@test "stall holds calls and readiness of an end until release" {
	driver <<-'PROGRAM'
		from live import *

		with Run("""
		pairs = [socket.socketpair() for _ in range(3)]
		a, b = pairs[0]
		a.send(b"12345")
		pollers = []
		for (x, y), flags in zip(pairs[1:], (0, select.EPOLLET)):
		    poller = select.epoll()
		    poller.register(y, select.EPOLLIN | flags)
		    pollers.append((poller, x))
		say("ready")
		sys.stdin.readline()
		say(polled(b), polled(a))
		thread(lambda: say("read", outcome(b.recv, 9)))
		thread(lambda: say("written", outcome(b.send, b"x")))
		sys.stdin.readline()
		for poller, x in pollers:
		    x.send(b"x")
		    say(len(poller.poll(0)))
		for poller, x in pollers:
		    say(len(poller.poll()))
		""") as run:
		    assert run.line() == "ready"
		    for target in ("1.b", "2.b", "3.b"):
		        run.change("stall", target)
		    run.tell()
		    assert run.line() == "nothing OUT"
		    run.until_blocked(1, "a_to_b", "read")
		    run.until_blocked(1, "b_to_a", "write")
		    pair = run.pairs()[1]
		    assert pair["a_to_b"]["reader_stalled"] and pair["b_to_a"]["writer_stalled"], pair
		    assert not pair["a_to_b"]["writer_stalled"] and not pair["b_to_a"]["reader_stalled"], pair
		    assert "its reader stalled" in run.ctl("pairs")[1]
		    run.change("release", "1.b")
		    assert sorted([run.line(), run.line()]) == ["read 5", "written 1"]
		    run.tell()
		    assert [run.line(), run.line()] == ["0", "0"]
		    run.change("release", "2")
		    assert run.line() == "1"
		    run.change("release")
		    assert run.line() == "1"
		    run.end()
	PROGRAM
}

@test "a stall takes hold of who waits already, and an end comes through it" {
	driver <<-'PROGRAM'
		from live import *

		with Run("""
		a, b = socket.socketpair()
		thread(lambda: say("read", outcome(b.recv, 9)))
		sys.stdin.readline()
		say("wrote", a.send(b"123"))
		sys.stdin.readline()
		a.close()
		""") as run:
		    run.until_blocked(1, "a_to_b", "read")
		    run.change("stall", "1.b")
		    run.tell()
		    assert run.line() == "wrote 3"
		    pair = run.pairs()[1]["a_to_b"]
		    assert pair["buffered"] == 3 and pair["blocked"] and pair["reader_stalled"], pair
		    run.change("hangup", "1")
		    assert run.line() == "read 3"
		    run.tell()
		    run.end()
	PROGRAM
}

# What comes is counted in a loop that goes on meanwhile, and is answered from memory until a rule may
# hold it back.
@test "rules that are added act in a loop with edges that runs" {
	driver <<-'PROGRAM'
		from live import *

		with Run("""
		pairs = [socket.socketpair() for _ in range(2)]
		poller = select.epoll()
		came = {}
		for a, b in pairs:
		    b.setblocking(False)
		    poller.register(b, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
		    came[b.fileno()] = [b, 0, 0]
		def write():
		    while True:
		        for a, b in pairs:
		            try:
		                a.send(b"123")
		            except (BrokenPipeError, BlockingIOError):
		                pass
		        time.sleep(0.001)
		def take(state):
		    while True:
		        got = outcome(state[0].recv, 2)
		        if isinstance(got, str) or got == 0:
		            state[2] = got
		            return
		        state[1] += got
		def tell():
		    for _ in sys.stdin:
		        say(*(f"{n}:{end}" for _, n, end in came.values()))
		threading.Thread(target=write, daemon=True).start()
		threading.Thread(target=tell, daemon=True).start()
		while True:
		    for fd, events in poller.poll():
		        take(came[fd])
		""") as run:
		    def state():
		        run.tell()
		        first, second = (word.split(":") for word in run.line().split())
		        return int(first[0]), first[1], int(second[0]), second[1]
		    def both_go_on():
		        one, _, two, _ = state()
		        until(lambda: state()[0] > one + 300 and state()[2] > two + 300, "more came")
		    both_go_on()
		    for rule in ("any:error=EIO:when=1000000", "read:short=1", "read:error=EAGAIN:when=1+3",
		                 "write:error=EAGAIN:when=1+3", "read:error=EAGAIN:p=0.3:pair=2",
		                 "any:stall:pair=3", "read:delay=5ms:p=0.1:pair=2:side=b"):
		        run.change("fault", "add", rule)
		        both_go_on()
		    for rule in run.asked("fault", "list")["rules"]:
		        never = "EIO" in rule["rule"] or "stall" in rule["rule"]
		        assert (rule["fired"] == 0) == never, rule
		    run.change("fault", "clear")
		    both_go_on()
		    run.change("stall", "1.b")
		    one, _, two, _ = state()
		    until(lambda: state()[2] > two + 300, "the other goes on")
		    assert state()[0] <= one + 2, (one, state())
		    run.change("release", "1.b")
		    both_go_on()
		    run.change("fault", "add", "write:eof:pair=1:side=a")
		    until(lambda: state()[1] == "0", "the end of the first")
		    assert run.pairs()[1]["a_to_b"]["buffered"] == 0
		    _, _, two, _ = state()
		    until(lambda: state()[2] > two + 300, "the other goes on")
		    run.change("fault", "add", "read:reset:pair=2:side=b")
		    until(lambda: state()[3] == "ECONNRESET", "the reset of the second")
	PROGRAM
}

# ---- programs of other kinds ----

@test "a program that was preloaded without the command is a session too" {
	driver <<-'PROGRAM'
		from live import *

		with Run("""
		a, b = socket.socketpair()
		say(outcome(b.recv, 1))
		""", preloaded=True) as run:
		    run.until_blocked(1, "a_to_b", "read")
		    assert run.asked("pairs")["session"] == run.pid
		    (mine,) = [s for s in run.asked("list")["sessions"] if s["pid"] == run.pid]
		    assert mine["name"] == "python3", mine
		    run.change("eof", "1.a")
		    assert run.line() == "0"
		    run.end()
	PROGRAM
}

# Its descriptors are out of reach, so nobody can be woken.
@test "a program that may not be traced sees a change from its next call on" {
	driver <<-'PROGRAM'
		from live import *

		user = () if os.getuid() else ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

		def as_user(run, *words):
		    done = subprocess.run([*user, WEIR, "ctl", "--session", str(run.pid), *words],
		                          capture_output=True, text=True, timeout=SECONDS_MAX)
		    return done.returncode, done.stdout, done.stderr

		with Run("""
		import ctypes
		a, b = socket.socketpair()
		assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
		say("ready")
		sys.stdin.readline()
		say(fill(a))
		say(outcome(b.recv, 1))
		""", user=user) as run:
		    assert run.line() == "ready"
		    status, output, messages = as_user(run, "hangup", "1")
		    assert status == 125 and output == "", (status, output, messages)
		    assert messages.count("\n") == 1, messages
		    assert "the descriptors of pair 1 cannot be reached: " in messages, messages
		    assert as_user(run, "capacity", "1", "11") == (0, "", "")
		    assert as_user(run, "fault", "add", "read:error=EIO") == (0, "", "")
		    run.tell()
		    assert run.end() == ["11", "EIO"]
	PROGRAM
}
