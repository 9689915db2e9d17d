#!/usr/bin/env bats
# EINTR, SA_RESTART, partial counts, and calls from signal handlers.

load helpers

@test "signals" {
	native_then_weir signals
}

@test "handlers as the program sees them" {
	native_then_weir handlers
}

@test "a handler that comes as a call begins to wait ends it" {
	native_then_weir interrupted
}
