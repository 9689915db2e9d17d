#!/usr/bin/env bats
# The sanitizers: weir made with one, and under programs made with one.

load helpers

SANITIZED=${WEIR_TEST_SANITIZED:-$BUILD}

# The runtime stands first, so that it sees all that the library does. What a thread
# that is cancelled leaves on its stack confuses it without weir, too: not here.
with_asan() {
	local program=$1
	shift
	natively "$program" "$@"
	mv "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/plain"
	LD_PRELOAD="$(gcc -print-file-name=libasan.so) $SANITIZED/asan/libweir.so" \
		WEIR_STATS=$BATS_TEST_TMPDIR/stats natively "$program" "$@"
	diff "$BATS_TEST_TMPDIR/plain" "$BATS_TEST_TMPDIR/native"
}

@test "weir made with ASan and UBSan: receive" {
	with_asan receive
}

@test "weir made with ASan and UBSan: send" {
	with_asan send
}

@test "weir made with ASan and UBSan: threads" {
	with_asan threads
}

# under_weir_made_with SANITIZER CASE...: tests/programs/threads.c
under_weir_made_with() {
	local PROGRAMS=$SANITIZED/$1/tests
	shift
	under_weir threads "$@"
	assert_hooked
}

@test "a program made with ASan and UBSan" {
	mapfile -t cases < <(bounded "$PROGRAMS/threads" --list | grep -v cancel)
	under_weir_made_with asan "${cases[@]}"
}

@test "a program made with TSan" {
	under_weir_made_with tsan
}
