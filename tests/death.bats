#!/usr/bin/env bats
# Processes die at any moment: the survivors see what the kernel would show them, and
# what they shared goes with the last of them.

# shellcheck disable=SC2034 # WEIR_TEST_OPTIONS is for the helpers

load helpers

@test "death" { native_then_weir death; }

@test "death at 64 bytes" {
	WEIR_TEST_OPTIONS=(--capacity 64)
	native_then_weir death
}

@test "death at 1 byte" {
	local cases
	mapfile -t cases < <(bounded "$PROGRAMS/death" --list)
	WEIR_TEST_OPTIONS=(--capacity 1)
	under_weir death "${cases[@]}"
	assert_hooked
}

# orphaned COMMAND...: what is printed until the last process that can has gone, whoever
# of them dies before.
orphaned() {
	{ bounded "$@" || true; } 2>/dev/null | cat
}

@test "weir run is killed and the program goes on" {
	[ "$(orphaned bash -c '"$@"; true' launcher "$PROGRAMS/orphan")" = "goes on" ]
	[ "$(orphaned "$WEIR" run --capacity 64 -- "$PROGRAMS/orphan" 64)" = "goes on" ]
}

@test "the session's memory goes with its last process" {
	WEIR=$WEIR bounded "$PYTHON" "$BATS_TEST_DIRNAME/programs/last_process.py"
}
