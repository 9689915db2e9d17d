#!/usr/bin/env bats
# EINTR, SA_RESTART, partial counts, and calls from signal handlers.

load helpers

@test "signals" {
	native_then_weir signals
}
