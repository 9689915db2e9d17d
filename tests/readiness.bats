#!/usr/bin/env bats
# poll, select and epoll agree with the bytes and the room.

load helpers

@test "poll, ppoll, select and pselect" {
	native_then_weir polling
}

@test "epoll: level, edge, one-shot, nested" {
	native_then_weir epolling
}
