#!/usr/bin/env bats
# The sanitizers: weir made with one, and under programs made with one.

load helpers

SANITIZED=${WEIR_TEST_SANITIZED:-$BUILD}

# The runtime stands first, so that it sees all that the library does.
with_asan() {
	local WEIR_LIBRARY=$SANITIZED/asan/libweir.so LD_PRELOAD
	natively "$@"
	LD_PRELOAD=$(gcc -print-file-name=libasan.so)
	export WEIR_LIBRARY LD_PRELOAD
	under_weir "$@"
	unset LD_PRELOAD
	assert_hooked
	diff "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/weir"
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

@test "weir made with ASan and UBSan, preloaded without the command" {
	local program='import socket
a, b = socket.socketpair()
a.setblocking(False)
print(a.send(b"0123456789"), b.recv(10))'
	run -0 bounded env WEIR_CAPACITY=7 ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD="$(gcc -print-file-name=libasan.so) $SANITIZED/asan/libweir.so" \
		"$PYTHON" -c "$program"
	[ "$output" = "7 b'0123456'" ]
}

# under_weir_made_with SANITIZER CASE...: tests/programs/threads.c
under_weir_made_with() {
	local PROGRAMS=$SANITIZED/$1/tests
	shift
	under_weir threads "$@"
	assert_hooked
}

# What a thread that is cancelled leaves on its stack confuses ASan without weir, too.
@test "a program made with ASan and UBSan" {
	mapfile -t cases < <(bounded "$PROGRAMS/threads" --list | grep -v cancel)
	under_weir_made_with asan "${cases[@]}"
}

@test "a program made with TSan" {
	under_weir_made_with tsan
}
