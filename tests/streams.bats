#!/usr/bin/env bats
# Large transfers keep every byte and the order, at any bound.

load helpers

# at_capacity N BYTES: all transfers with that bound; smaller bounds move less.
at_capacity() {
	export TRANSFER_BYTES=$2
	WEIR_TEST_OPTIONS=(--capacity "$1")
	native_then_weir transfers
}

@test "8 MB each way at the default capacity" {
	native_then_weir transfers
}

@test "4 MB each way at capacity 4096" {
	at_capacity 4096 4194304
}

@test "300 KB each way at capacity 64" {
	at_capacity 64 300000
}

@test "60 KB each way at capacity 7" {
	at_capacity 7 60000
}

@test "20 KB each way at capacity 1" {
	at_capacity 1 20000
}
