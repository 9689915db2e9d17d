#!/usr/bin/env bats
# Pairs shared through fork, and the death of their holders.

load helpers

@test "fork" {
	native_then_weir forking
}
