#!/usr/bin/env bats
# stdio on marked descriptors.

load helpers

@test "fdopen, dprintf and the standard streams" {
	native_then_weir_but stdio wide_characters
}
