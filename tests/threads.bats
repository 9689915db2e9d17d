#!/usr/bin/env bats
# Threads on one pair, and their cancellation.

load helpers

@test "threads and pthread_cancel" {
	native_then_weir threads
}
