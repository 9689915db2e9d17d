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

# Its rings may wait for the set, or what is in it, and nobody here is asked.
@test "where liburing is, the kernel answers for epoll" {
	local uring=$BATS_TEST_TMPDIR/liburing.so.2
	cc -shared -fPIC -o "$uring" -x c - <<<'int io_uring_nothing;'
	bounded strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=epoll_wait -E "LD_PRELOAD=$uring" \
		"$WEIR" run --stats "$BATS_TEST_TMPDIR/stats" -- "$PROGRAMS/loops" a_ready_loop
	assert_hooked
	[ "$(wc -l <"$BATS_TEST_TMPDIR/trace")" -ge 5000 ]
}
