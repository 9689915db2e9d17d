#!/usr/bin/env bats
# poll, select and epoll agree with the bytes and the room.

load helpers

@test "poll, ppoll, select and pselect" {
	native_then_weir polling
}

@test "epoll: level, edge, one-shot, nested" {
	native_then_weir epolling
}

@test "loops over epoll, and all that may happen to them" {
	native_then_weir loops
}

@test "loops over epoll, with little room" {
	WEIR_TEST_OPTIONS=(--capacity 100)
	under_weir loops
	assert_hooked
}

# A loop that finds what it waits for in memory asks the kernel now and then, and no more. Without
# weir it makes three calls a turn, of 5000.
@test "a ready loop costs no system calls" {
	local name calls
	for name in a_ready_loop a_ready_loop_with_edges; do
		bounded strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=%desc,%network \
			"$WEIR" run --stats "$BATS_TEST_TMPDIR/stats" -- "$PROGRAMS/loops" "$name"
		assert_hooked
		calls=$(wc -l <"$BATS_TEST_TMPDIR/trace")
		[ "$calls" -lt 1000 ]
	done
	bounded strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=%desc,%network \
		"$PROGRAMS/loops" a_ready_loop
	[ "$(wc -l <"$BATS_TEST_TMPDIR/trace")" -ge 15000 ]
}

# calls RULE CASE: how many a loop makes under a rule.
calls() {
	bounded strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=%desc,%network \
		"$WEIR" run --quiet --stats "$BATS_TEST_TMPDIR/stats" --fault "$1" -- \
		"$PROGRAMS/loops" "$2" >&2 && assert_hooked >&2 && wc -l <"$BATS_TEST_TMPDIR/trace"
}

# Nor does one that rules concern, unless they may hold one of its ends back: the kernel need not be
# asked to tell again of what a failed call has left.
@test "a ready loop under rules costs no system calls" {
	local reads=a_loop_that_reads_until_nothing_is_left writes=a_loop_that_writes_when_there_is_room
	[ "$(calls any:error=EIO:when=1000000000 "$reads")" -lt 1000 ]
	[ "$(calls any:error=EIO:when=1000000000 "$writes")" -lt 1000 ]
	[ "$(calls read:error=EAGAIN:when=2+3:side=b "$reads")" -lt 1000 ]
	[ "$(calls write:error=EAGAIN:when=2+3:side=b "$writes")" -lt 1000 ]
	[ "$(calls any:delay=1ns:pair=5 "$reads")" -lt 1000 ]
	[ "$(calls any:delay=1ns:when=1000000000:pair=4 "$reads")" -ge 5000 ]
}

# Its rings may wait for the set, or what is in it, and nobody here is asked.
@test "where liburing is, the kernel answers for epoll" {
	local uring=$BATS_TEST_TMPDIR/liburing.so.2
	cc -shared -fPIC -o "$uring" -x c - <<<'int io_uring_nothing;'
	bounded strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=epoll_wait -E "LD_PRELOAD=$uring" \
		"$WEIR" run --stats "$BATS_TEST_TMPDIR/stats" -- "$PROGRAMS/loops" a_ready_loop
	assert_hooked
	[ "$(wc -l <"$BATS_TEST_TMPDIR/trace")" -ge 5000 ]
}
