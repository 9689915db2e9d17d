#!/usr/bin/env bats
# Bits that flip in a session's memory: all bytes arrive, or somebody is told.

load helpers

SANITIZED=${WEIR_TEST_SANITIZED:-$BUILD}

# damaged OPTION...: prints its figures. WEIR_DAMAGE_SEED repeats a run that failed.
damaged() {
	bounded "$PROGRAMS/damage" ${WEIR_DAMAGE_SEED:+--seed "$WEIR_DAMAGE_SEED"} "$@" \
		"$WEIR" "$PROGRAMS/exchange"
}

@test "bits flipped anywhere" {
	damaged --seconds 9
}

# The runtime stands first, so that it sees all that the library does.
@test "bits flipped anywhere, weir made with ASan and UBSan" {
	WEIR_LIBRARY=$SANITIZED/asan/libweir.so LD_PRELOAD=$(gcc -print-file-name=libasan.so) \
		ASAN_OPTIONS=detect_leaks=0 damaged --seconds 9
}

@test "a reader that checks no position is found out" {
	WEIR_LIBRARY=$BUILD/canaries/library/weir_pipe_reader_sees/libweir.so run damaged --seed 1 --area positions --mode stream --bits 1 --runs 400 --stop
	[ "$status" -eq 1 ]
	[[ $output =~ "not ok seed 1 run" ]]
	[[ $output =~ "wrong bytes"|"bytes are missing" ]]
}

@test "a writer that goes beyond its ring is found out" {
	WEIR_LIBRARY=$BUILD/canaries/library/weir_ring_copy_in/libweir.so run damaged --seed 1 --mode stream --area slots --runs 5 --stop
	[ "$status" -eq 1 ]
	[[ $output =~ "something was written outside of a ring" ]]
}
