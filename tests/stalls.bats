#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # each test has a shell of its own; bats sets $stderr
# weir ctl under programs that sleep in the kernel already: stalls, which nobody may see
# through, and whom else a change may reach. What each subcommand says is in ctl.bats.

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

