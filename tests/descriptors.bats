#!/usr/bin/env bats
# Descriptor numbers: duplicates, ranges, reuse, and none of ours.

load helpers

@test "dup, dup2, dup3 and F_DUPFD" {
	native_then_weir dups
}

@test "close_range, closefrom, and numbers reused behind our back" {
	native_then_weir descriptors
}

@test "the open descriptors are the same as natively" {
	native_then_weir inherited
}
