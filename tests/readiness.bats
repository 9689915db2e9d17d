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
