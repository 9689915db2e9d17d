#!/usr/bin/env bats
# Every call that moves bytes, its flags, options and errors: natively, then under weir.

load helpers

@test "all calls that receive" {
	native_then_weir receive
}

@test "all calls that send" {
	native_then_weir send
}

@test "flags, peeking, SO_PEEK_OFF and calls of length zero" {
	native_then_weir flags
}

@test "socket options and ioctls" {
	native_then_weir sockopts
}

@test "out-of-band data" {
	native_then_weir oob
}

@test "bad arguments" {
	native_then_weir errors
}

@test "sockets and files that are not ours" {
	native_then_weir others
	native_then_weir others-fortified
}

@test "calls by their numbers" {
	native_then_weir numbers
}

@test "arguments that are seldom given" {
	native_then_weir corners
	WEIR_TEST_OPTIONS=(--quiet --fault read:delay=5ms)
	under_weir corners epoll_in_three_ways
}
