#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # each test has a shell of its own; bats sets $stderr
# weir ctl: looks at running sessions, and changes them under programs that wait.

load helpers

setup() {
	unset WEIR_FAULT WEIR_FAULTS WEIR_SEED WEIR_CHAOS WEIR_STRICT WEIR_QUIET WEIR_MARK \
		WEIR_FAIL_ON_DEADLOCK
	cd "$BATS_TEST_TMPDIR" || return
	started=()
	SESSION=
}

# What a test started is ended by its number, and what that started with it.
teardown() {
	local pid
	for pid in "${started[@]}"; do
		kill -KILL -- "-$pid" 2>/dev/null || true
	done
}

# background COMMAND...: in a process group of its own; its number in $SESSION.
background() {
	setsid "$@" >out 2>err </dev/null 3>&- &
	SESSION=$!
	started+=("$SESSION")
	disown
}

# start WORD...: programs/waiting under weir, with room for 64 bytes. $SESSION is its
# session; what it says is in the file `out`.
start() {
	background "$WEIR" run --capacity 64 "${WEIR_TEST_OPTIONS[@]}" -- "$PROGRAMS/waiting" "$@"
}

ctl() {
	timeout 20 "$WEIR" ctl --session "$SESSION" "$@"
}

# until_true COMMAND...: again and again, for as long as a busy machine may take.
until_true() {
	local end=$((SECONDS + 30))
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "never true: $*"
			cat out err
			return 1
		fi
		sleep 0.02
	done
}

said() { grep -qx -- "$1" out; }

# gives LINE...: the program came to say so.
gives() {
	local line
	for line; do
		until_true said "$line"
	done
}

# not_yet LINE...: it has not said so, nor does it in a moment.
not_yet() {
	local line
	sleep 0.15
	for line; do
		! said "$line" || { cat out; return 1; }
	done
}

# pairs EXPRESSION: true of the object `o`, with p(N) for pair N and w(N, DIRECTION) for
# who is blocked there, as "op fd" words.
pairs() {
	ctl pairs --json 2>pairs.err | "$PYTHON" -c '
import json, sys
try:
    o = json.load(sys.stdin)
except ValueError:
    sys.exit(1)
def p(n):
    return next(pair for pair in o["pairs"] if pair["number"] == n)
def w(n, d):
    return ["%s %d" % (s["op"], s["fd"]) for s in p(n)[d]["blocked"]]
try:
    sys.exit(not eval(sys.argv[1]))
except StopIteration:
    sys.exit(1)
' "$1"
}

# shows EXPRESSION: comes to be true.
shows() {
	until_true pairs "$1"
}

valid_json() {
	"$PYTHON" -m json.tool >/dev/null
}

# polls: a process of the session waits in poll or epoll_wait, as it said it would.
polls() {
	until_true said "$1 begins"
	sleep 0.05 # usually enough to be in it; nothing below depends on that
}

# ---- looking ----

@test "list: sessions, in words and as JSON" {
	start / a.read
	shows 'w(1, "b_to_a")'
	ctl list | grep -q "^$SESSION  *weir "
	ctl --json list | "$PYTHON" -c '
import json, sys
o = json.load(sys.stdin)["sessions"]
s = next(s for s in o if s["pid"] == int(sys.argv[1]))
assert (s["name"], s["pairs"], s["open"], s["rules"]) == ("weir", 1, 1, 0), s
' "$SESSION"
}

@test "pairs: who is blocked in it, how full it is, for how long" {
	start 2 / only:1a,2a 1a.fill 1a.write:10 / only:1b,2b 2b.read
	shows 'w(1, "a_to_b")[0][:5] == "write" and w(2, "a_to_b")[0][:4] == "read"'
	pairs 'p(1)["a_to_b"]["buffered"] == p(1)["a_to_b"]["capacity"] == 64'
	pairs 'p(2)["a_to_b"]["buffered"] == 0 and not w(1, "b_to_a") and not w(2, "b_to_a")'
	pairs 'p(1)["holders"] == {"a": 1, "b": 1} and p(1)["comm"] == "waiting"'
	shows 'p(1)["a_to_b"]["blocked"][0]["seconds"] > 0.2'
	ctl pairs >text
	grep -q '^pair 1, made by pid [0-9]* (waiting), held by 1 and 1 processes$' text
	grep -q '^    a to b: 64 of 64 bytes$' text
	grep -Eq '^        pid [0-9]+ \(waiting\), descriptor [0-9]+, waits to write for [0-9.]+ s$' text
}

@test "pairs: threads of one process, and what runs freely" {
	start 2 threads / 1a.read / 1b.read / 2a.source / 2b.sink
	shows 'len(w(1, "a_to_b")) == len(w(1, "b_to_a")) == 1'
	pairs 'len({s["tid"] for d in ("a_to_b", "b_to_a") for s in p(1)[d]["blocked"]}) == 2'
	pairs '0 <= p(2)["a_to_b"]["buffered"] <= 64'
	ctl hangup 2
	gives '2a.source gives EPIPE'
	until_true grep -Eqx '2b.sink gives (0|ECONNRESET)' out
	not_yet '1a.read gives 0'
}

@test "a killed sleeper is shown no more" {
	start / a.read / sleep:100000
	shows 'w(1, "b_to_a")'
	pid=$(ctl --json pairs | "$PYTHON" -c 'import json, sys
print(json.load(sys.stdin)["pairs"][0]["b_to_a"]["blocked"][0]["pid"])')
	kill -KILL "$pid"
	shows 'not w(1, "b_to_a")'
	run -0 ctl pairs
	[[ $output != *"waits to"* ]]
}

@test "each subcommand answers with one JSON object" {
	start 4 / sleep:100000
	shows 'len(o["pairs"]) == 4'
	for words in list pairs 'fault list' 'fault add read:short' 'fault list' 'fault clear' \
		'capacity 1 100' 'stall 1' 'release 1' release 'eof 1.a' 'hangup 2' 'reset 3.b'; do
		# shellcheck disable=SC2086 # words
		ctl --json $words >json
		valid_json <json
		# shellcheck disable=SC2086
		ctl $words >text
		[ "$(wc -l <json)" -eq 1 ]
		case $words in
		list | pairs) [ -s text ] ;;
		'fault list') ;;
		*)
			[ ! -s text ]
			[ "$(cat json)" = '{"ok":true}' ]
			;;
		esac
	done
}

# ---- rules ----

@test "fault add reaches a call that already waits" {
	start 2 / 1a.read:9 1a.read:9 / 2a.fill 2a.write:9 2a.write:9 / sleep:100000
	shows 'w(1, "b_to_a") and w(2, "a_to_b")'
	ctl fault add 'read:error=EIO:pair=1:times=1' 'write:error=ENOSPC:pair=2:times=1'
	gives '1a.read:9 gives EIO' '2a.write:9 gives ENOSPC'
	ctl fault list >text
	grep -Eq '^active +fired 1 +read:error=EIO:pair=1:times=1$' text
	ctl --json fault list | "$PYTHON" -c '
import json, sys
r = json.load(sys.stdin)["rules"]
assert [x["fired"] for x in r] == [1, 1] and all(x["active"] for x in r), r
assert (r[0]["first"]["pair"], r[0]["first"]["side"], r[0]["first"]["op"]) == (1, "a", "read"), r
'
	shows 'w(1, "b_to_a") and w(2, "a_to_b")' # both wait again
}

@test "fault clear lets go whom a stall held, and no rule holds any more" {
	WEIR_TEST_OPTIONS=(--fault read:stall:side=b)
	start / only:1a a.write:5 a.write:6 sleep:100000 / only:1b b.waitall:11
	shows 'p(1)["a_to_b"]["reader_stalled"] and w(1, "a_to_b")'
	ctl fault clear
	gives 'b.waitall:11 gives 11'
	ctl fault list | grep -q '^cleared '
}

# ---- capacity ----

@test "capacity raised wakes a blocked writer, and who polls" {
	start 4 / 1a.fill 1a.write:10 / 2a.fill 2a.poll:out / 3a.fill 3a.epoll:out \
		/ 4a.fill 4a.epollet:out / sleep:100000
	shows 'w(1, "a_to_b")'
	polls 2a.poll:out
	polls 3a.epoll:out
	polls 4a.epollet:out
	not_yet '2a.poll:out gives OUT' '3a.epoll:out gives OUT' '4a.epollet:out gives OUT'
	for pair in 1 2 3 4; do
		ctl capacity $pair.a 4K
	done
	gives '1a.write:10 gives 10' '2a.poll:out gives OUT' '3a.epoll:out gives OUT' \
		'4a.epollet:out gives OUT'
	pairs 'p(1)["a_to_b"]["capacity"] == 4096 and p(1)["b_to_a"]["capacity"] == 64'
}

@test "capacity lowered takes effect, below what is buffered too" {
	start 2 / 1a.write:50 1b.read:1 2a.fill 1a.fill 1b.read:50 1a.fill sleep:100000
	# The program may be anywhere in this: what counts is what comes after.
	gives '1a.fill gives 15'
	ctl capacity 2 10
	pairs 'p(2)["a_to_b"]["capacity"] == p(2)["b_to_a"]["capacity"] == 10'
	pairs 'p(2)["a_to_b"]["buffered"] == 64'
	start / a.read a.fill sleep:100000 / sleep:100000
	shows 'w(1, "b_to_a")'
	ctl capacity 1 10
	ctl fault add read:error=EIO
	gives 'a.read gives EIO' 'a.fill gives 10'
}

# ---- stall and release ----

@test "stall: a blocked reader, poll and epoll do not see what comes, until release" {
	start 4 / 1a.read:9 / 2a.poll:in / 3a.epoll:in / 4a.epollet:in / 4b.read \
		1b.write:3 2b.write:3 3b.write:3 4b.write:3 sleep:100000
	shows 'w(1, "b_to_a") and w(4, "a_to_b")'
	polls 2a.poll:in
	polls 3a.epoll:in
	polls 4a.epollet:in
	for pair in 1 2 3 4; do
		ctl stall $pair.a
	done
	pairs 'p(1)["b_to_a"]["reader_stalled"] and p(1)["a_to_b"]["writer_stalled"]'
	pairs 'not p(1)["b_to_a"]["writer_stalled"] and not p(1)["a_to_b"]["reader_stalled"]'
	ctl fault add read:error=EIO:pair=4:side=b # lets the writer go
	gives '4b.write:3 gives 3'
	not_yet '1a.read:9 gives 3' '2a.poll:in gives IN' '3a.epoll:in gives IN' \
		'4a.epollet:in gives IN'
	ctl pairs | grep -q 'a: 3 of 64 bytes, its reader stalled$'
	shows 'w(1, "b_to_a")'
	ctl release 1.a
	gives '1a.read:9 gives 3'
	ctl release
	gives '2a.poll:in gives IN' '3a.epoll:in gives IN' '4a.epollet:in gives IN'
	pairs 'not any(d[k] for q in o["pairs"] for d in (q["a_to_b"], q["b_to_a"]) for k in ("reader_stalled", "writer_stalled"))'
}

@test "stall: a blocked writer and who waits for room, until release" {
	start 4 / 1a.fill 1a.write:10 / 2a.fill 2a.poll:out / 3a.fill 3a.epoll:out \
		/ 4a.fill 4a.epollet:out \
		/ 1a.read 1b.read:64 2b.read:64 3b.read:64 4b.read:64 sleep:100000
	shows 'w(1, "a_to_b") and w(1, "b_to_a")'
	polls 2a.poll:out
	polls 3a.epoll:out
	polls 4a.epollet:out
	for pair in 1 2 3 4; do
		ctl stall $pair.a
	done
	not_yet '1a.write:10 gives 10' '2a.poll:out gives OUT' '3a.epoll:out gives OUT' \
		'4a.epollet:out gives OUT'
	for pair in 1 2 3 4; do
		ctl release $pair.a
	done
	ctl fault add read:error=EIO:side=a # lets the last process begin to read
	gives '1a.write:10 gives 10' '2a.poll:out gives OUT' '3a.epoll:out gives OUT' \
		'4a.epollet:out gives OUT'
}

# cpu_ticks: what all processes of the session have used, in clock ticks (proc(5)).
cpu_ticks() {
	cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v group="$SESSION" '{ sub(/^.*\) /, "") } $3 == group { sum += $12 + $13 } END { print sum + 0 }'
}

@test "stall: nobody loops meanwhile" {
	start 4 / 1a.read / 2a.poll:in / 3a.epoll:in / 4a.fill 4a.epoll:out / 4b.read:64 \
		1b.write 2b.write 3b.write sleep:100000
	polls 2a.poll:in
	polls 3a.epoll:in
	for pair in 1 2 3 4; do
		ctl stall $pair.a
		ctl stall $pair.a
	done
	before=$(cpu_ticks)
	sleep 1
	# A hundred ticks make a second of one processor; four that loop use all there is.
	[ "$(($(cpu_ticks) - before))" -lt 40 ]
}

# ---- the end ----

@test "eof: the reader drains and ends, the writer gets EPIPE, the other direction goes on" {
	start 3 / only:1a 1a.fill 1a.write:10 1a.read:9 / only:2b 2b.read 2b.write:3 \
		/ only:1b,2a,3a,3b 3a.read 1b.read:100 1b.read:100 1b.write:5 2a.readnow 2a.read:9 sleep:100000
	shows 'w(1, "a_to_b") and w(2, "a_to_b") and w(3, "b_to_a")'
	ctl eof 1.a
	gives '1a.write:10 gives EPIPE'
	ctl eof 2.a
	gives '2b.read gives 0' '2b.write:3 gives 3'
	ctl eof 3.b
	gives '3a.read gives 0' '1b.read:100 gives 64' '1b.read:100 gives 0' '1b.write:5 gives 5' \
		'1a.read:9 gives 5' '2a.readnow gives 1' '2a.read:9 gives 2'
}

@test "eof, hangup and reset wake poll and epoll" {
	for word in eof hangup reset; do
		start 4 / 1a.poll:in / 2a.epoll:in / 3a.epollet:in / 4a.fill 4a.poll:out / sleep:100000
		for step in 1a.poll:in 2a.epoll:in 3a.epollet:in 4a.poll:out; do
			polls $step
		done
		not_yet '1a.poll:in gives IN'
		for pair in 1 2 3; do
			ctl $word $pair.b
		done
		[ $word = eof ] || ctl $word 4.a
		for step in 1a.poll:in 2a.epoll:in 3a.epollet:in; do
			until_true grep -Eq "^$step gives IN" out
		done
		[ $word = eof ] || until_true grep -Eq "^4a.poll:out gives " out
		kill -KILL -- "-$SESSION"
	done
}

@test "hangup: both directions end, with whom they held" {
	start 2 / only:1a,2a 1a.fill 1a.write:10 1a.read:9 sleep:100000 / only:1b,2b 2b.read 1b.read:100 1b.read:9 1b.write:9
	shows 'w(1, "a_to_b") and w(2, "a_to_b")'
	ctl hangup 1
	gives '1a.write:10 gives EPIPE' '1a.read:9 gives 0'
	ctl hangup 2.a
	gives '2b.read gives 0' '1b.read:100 gives 64' '1b.read:9 gives 0' '1b.write:9 gives EPIPE'
}

@test "reset: what was not read is lost, the peer reads ECONNRESET once, then 0" {
	start 2 / only:1a,2a 1a.fill 1a.write:10 sleep:100000 / only:1b,2b 2b.read:5 2b.read:5 1b.read:5 1b.read:6
	shows 'w(1, "a_to_b") and w(2, "a_to_b")'
	ctl reset 1.a
	gives '1a.write:10 gives EPIPE'
	ctl reset 2.a
	gives '2b.read:5 gives ECONNRESET' '2b.read:5 gives 0' '1b.read:5 gives ECONNRESET' \
		'1b.read:6 gives 0'
}

# ---- how a pair is reached ----

@test "a pair that never left its process, whose descriptors got other numbers" {
	start 2 threads / 1a.move:50 1b.move:60 1a.read 1a.fill 1a.write:10 / 2a.read
	shows 'w(1, "b_to_a") == ["read 50"]'
	ctl fault add read:error=EIO:times=1:pair=1
	gives '1a.read gives EIO'
	shows 'w(1, "a_to_b") == ["write 50"]'
	ctl capacity 1.a 1K
	gives '1a.write:10 gives 10'
	ctl hangup 2
	gives '2a.read gives 0'
}

@test "a pair that a fork shares, and numbers that were given to other files" {
	start / only:1a a.move:70 a.read a.read / only:1b b.move:80 b.read / sleep:100000
	shows 'w(1, "b_to_a") == ["read 70"] and w(1, "a_to_b") == ["read 80"]'
	ctl stall 1.a
	ctl release 1.a
	ctl eof 1.b
	gives 'a.read gives 0'
	ctl eof 1.a
	gives 'b.read gives 0'
}

# needs_root: what only root can do fails for anybody else.
needs_root() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "only root can become another user: run the tests as root"
		return 1
	fi
}

@test "descriptors that may not be had: a clear line, and rules hold from the next call on" {
	needs_root
	mkdir open
	cp "$WEIR" "$LIBWEIR" "$PROGRAMS/waiting" open/
	chmod a+rx open open/*
	chmod a+x . .. ../.. ../../..
	: >out
	: >err
	local another=(setpriv --reuid=12345 --regid=12345 --clear-groups)
	background "${another[@]}" "$PWD/open/weir" run --capacity 64 -- "$PWD/open/waiting" \
		2 / nondumpable 1a.rcvtimeo:500 1a.read 1a.read:2 1a.read:2 2a.fill sleep:100000
	until_true said '1a.rcvtimeo:500 gives 0'
	run -125 --separate-stderr "${another[@]}" "$PWD/open/weir" ctl --session "$SESSION" hangup 1
	[ "$stderr" = "weir: ctl hangup: the descriptors of pair 1 cannot be reached: Operation not permitted" ]
	"${another[@]}" "$PWD/open/weir" ctl --session "$SESSION" fault add read:error=EIO:when=2 # counts from now on
	"${another[@]}" "$PWD/open/weir" ctl --session "$SESSION" capacity 2 10
	gives '1a.read gives EAGAIN'
	gives '1a.read:2 gives EIO'
}

# ---- which session ----

@test "several sessions: one must be named, by weir's number or a program's in it" {
	start / a.read
	first=$SESSION
	shows 'w(1, "b_to_a")'
	start / b.read
	shows 'w(1, "a_to_b")'
	run -125 --separate-stderr timeout 20 "$WEIR" ctl pairs
	[[ $stderr == "weir: "*" sessions are running: name one with --session PID; \`weir ctl list\` shows them" ]]
	[ -z "$output" ]
	program=$(ctl --json pairs | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["pairs"][0]["pid"])')
	[ "$program" -ne "$SESSION" ]
	SESSION=$program
	pairs 'w(1, "a_to_b") and not w(1, "b_to_a")'
	SESSION=$first
	pairs 'w(1, "b_to_a") and not w(1, "a_to_b")'
	run -125 --separate-stderr timeout 20 "$WEIR" ctl --session 1 pairs
	[ "$stderr" = "weir: no session of yours is that of process 1; \`weir ctl list\` shows them" ]
}

@test "another user's session is neither shown nor touched" {
	needs_root
	mkdir open
	cp "$WEIR" "$LIBWEIR" open/
	chmod a+rx open open/*
	chmod a+x . .. ../.. ../../..
	start / a.read
	shows 'w(1, "b_to_a")'
	local another=(setpriv --reuid=12345 --regid=12345 --clear-groups)
	run -0 --separate-stderr "${another[@]}" "$PWD/open/weir" ctl --json list
	[ "$output" = '{"sessions":[]}' ]
	for words in pairs 'hangup 1' 'fault add read:error=EIO'; do
		# shellcheck disable=SC2086 # words
		run -125 --separate-stderr "${another[@]}" "$PWD/open/weir" ctl --session "$SESSION" $words
		[ "$stderr" = "weir: no session of yours is that of process $SESSION; \`weir ctl list\` shows them" ]
	done
	pairs 'w(1, "b_to_a")'
	# Nor is root's business what another user runs.
	background "${another[@]}" "$PWD/open/weir" run sleep 100
	until_true "${another[@]}" "$PWD/open/weir" ctl --session "$SESSION" pairs
	run -125 ctl pairs
}

@test "preloaded without the command" {
	LD_PRELOAD=$LIBWEIR WEIR_CAPACITY=64 background "$PROGRAMS/waiting" 2 threads / 1a.read / 2a.fill 2a.write:10
	shows 'w(1, "b_to_a") and w(2, "a_to_b")'
	ctl list | grep -q "^$SESSION  *waiting "
	ctl capacity 2.a 1K
	gives '2a.write:10 gives 10'
	ctl eof 1.b
	gives '1a.read gives 0'
}

@test "wrong words: status 125, one line, nothing changed" {
	start / a.read
	shows 'w(1, "b_to_a")'
	ctl --json pairs | sed 's/"seconds":[0-9.]*//' >before
	while read -r words; do
		# shellcheck disable=SC2086 # words
		run -125 --separate-stderr ctl $words
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "weir: "* ]]
	done <<-'WORDS'

		frobnicate
		list more
		pairs 1
		--frob pairs
		--session
		--session 0 pairs
		--session x pairs
		fault
		fault frob
		fault list more
		fault clear more
		fault add
		fault add nonsense
		fault add read:error=EIO read:error=ENOSUCH
		capacity
		capacity 1
		capacity 1 0
		capacity 1 x
		capacity 1 1000G
		capacity 1.c 10
		capacity 9 10
		stall
		stall 1 2
		stall 0
		stall -1
		stall 1.
		stall 1.ab
		stall .a
		stall 99999999999999999999999999999
		release 2
		release x
		eof
		eof 2.a
		hangup 1 a
		reset 1a
	WORDS
	ctl --json pairs | sed 's/"seconds":[0-9.]*//' >after
	diff before after
	ctl fault list >rules
	[ ! -s rules ]
	not_yet 'a.read gives EIO'
}
