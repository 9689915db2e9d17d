#!/usr/bin/env bats
# Calls before main, from constructors of other libraries, and while the process ends.

load helpers

# library OUTPUT [FLAG...]: the library whose constructor and destructor use a pair.
library() {
	local output=$1
	shift
	bounded "${CC:-cc}" -std=gnu11 -O1 -Wall -Wextra -shared -fPIC "$@" -o "$output" \
		"$BATS_TEST_DIRNAME/programs/libraries/early.c"
}

@test "before main, in constructors, in atexit handlers and destructors" {
	native_then_weir early
	grep -qx 'preinit ok' "$BATS_TEST_TMPDIR/weir"
	grep -qx 'destructor ok' "$BATS_TEST_TMPDIR/weir"
}

# LD_PRELOAD that is already set is kept, and the library in it uses the hooks.
beside() {
	local other=$1
	logged "$BATS_TEST_TMPDIR/native" env LD_PRELOAD="$other" "$PROGRAMS/early"
	logged "$BATS_TEST_TMPDIR/weir" "$WEIR" run --stats "$BATS_TEST_TMPDIR/stats" -- \
		env LD_PRELOAD="$LIBWEIR:$other" "$PROGRAMS/early"
	grep -qx 'library constructor ok' "$BATS_TEST_TMPDIR/weir"
	grep -qx 'library destructor ok' "$BATS_TEST_TMPDIR/weir"
	assert_hooked
	! grep FAILED "$BATS_TEST_TMPDIR/weir"
}

@test "constructors and destructors of another preloaded library" {
	library "$BATS_TEST_TMPDIR/early.so"
	beside "$BATS_TEST_TMPDIR/early.so"
}

@test "another preloaded library that is initialised first" {
	library "$BATS_TEST_TMPDIR/first.so" -Wl,-z,initfirst
	beside "$BATS_TEST_TMPDIR/first.so"
}

@test "another library before ours in LD_PRELOAD" {
	library "$BATS_TEST_TMPDIR/early.so"
	logged "$BATS_TEST_TMPDIR/weir" "$WEIR" run --stats "$BATS_TEST_TMPDIR/stats" -- \
		env LD_PRELOAD="$BATS_TEST_TMPDIR/early.so:$LIBWEIR" "$PROGRAMS/early"
	assert_hooked
	! grep FAILED "$BATS_TEST_TMPDIR/weir"
}

# alone_says BEGINNING STATUS VARIABLE=VALUE: of a program with the library and that variable.
alone_says() {
	run -"$2" --separate-stderr bounded env LD_PRELOAD="$LIBWEIR" "$3" "$PROGRAMS/corners" epoll_in_three_ways
	[[ $stderr == "weir: $1"* ]] || { echo "$stderr"; return 1; }
}

@test "wrong words in the environment" {
	alone_says "WEIR_CAPACITY: 'wrong' is not a size " 125 WEIR_CAPACITY=wrong
	alone_says "WEIR_FAULT 'wrong': column 1 " 125 WEIR_FAULT=wrong
	alone_says "/no/such/folder/stats: No such file or directory" 0 WEIR_STATS=/no/such/folder/stats
}
