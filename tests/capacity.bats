#!/usr/bin/env bats
# The exact bound. Only under weir: the kernel's own bound is not exact.

load helpers

# A program asks the kernel's default of the machine; weir's is always this one.
DEFAULT=212992

# bounds CAPACITY given|default WRITABLE_AT OPTION...
bounds() {
	WEIR_TEST_OPTIONS=("${@:4}")
	under_weir bounds "$1" "$2" "$3"
	assert_hooked
}

# No direction ever held more than its bound, and the bound is what was asked for.
assert_bound() {
	"$PYTHON" - "$BATS_TEST_TMPDIR/stats" "$1" <<'PROOF'
import json, sys

bound = int(sys.argv[2])
full = 0
for pair in json.load(open(sys.argv[1]))["list"]:
    for direction in (pair["a_to_b"], pair["b_to_a"]):
        assert direction["capacity"] == bound, pair
        assert direction["max_buffered"] <= bound, pair
        full += direction["max_buffered"] == bound
assert full > 0, "no direction was ever full"
PROOF
}

# exact N: a bound that the user gave, by the rule that room for one byte is writable.
exact() {
	bounds "$1" given 1 --capacity "$1"
	assert_bound "$1"
}

@test "capacity 1" { exact 1; }

@test "capacity 2" { exact 2; }

@test "capacity 7" { exact 7; }

@test "capacity 64" { exact 64; }

@test "capacity 4096" { exact 4096; }

@test "capacity 4097, no power of two" { exact 4097; }

@test "the default, given" { exact $DEFAULT; }

@test "the default, not given: writable when at most a quarter full" {
	bounds $DEFAULT default $((DEFAULT - DEFAULT / 4))
}

@test "--writable-at in bytes" {
	bounds 4096 given 100 --capacity 4096 --writable-at 100
	bounds 4096 given 4096 --capacity 4096 --writable-at 4096
	bounds $DEFAULT default 1 --writable-at 1
}

@test "--writable-at in percent" {
	bounds 4096 given 1024 --capacity 4096 --writable-at 25%
	bounds 64 given 64 --capacity 64 --writable-at 100%
	bounds 1000 given 10 --capacity 1000 --writable-at 1%
}

@test "by variables alone, without the command" {
	LD_PRELOAD=$LIBWEIR WEIR_CAPACITY=64 logged "$BATS_TEST_TMPDIR/weir" \
		"$PROGRAMS/bounds" 64 given 1
	LD_PRELOAD=$LIBWEIR WEIR_CAPACITY=4096 WEIR_WRITABLE_AT=25% logged "$BATS_TEST_TMPDIR/weir" \
		"$PROGRAMS/bounds" 4096 given 1024
}
