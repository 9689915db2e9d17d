#!/usr/bin/env bats
# include/weir.h: harmless where weir is not, and from inside what it promises.

load helpers

# compiled COMPILER [OPTION...]: builds the program that says whether weir is there, and what
# that is natively and under weir.
compiled() {
	local program=$BATS_TEST_TMPDIR/inside
	bounded "$@" -Wall -Wextra -Wshadow -pedantic -Werror -I"$ROOT/include" -o "$program" \
		"$BATS_TEST_DIRNAME/programs/static/inside.c"
	bounded "$program"
	bounded "$WEIR" run --quiet --allow-unreachable -- "$program"
}

@test "each function, its errors, threads and fork" {
	native_then_weir inside
	native_then_weir inside-fortified
}

@test "with a small capacity" {
	WEIR_TEST_OPTIONS=(--capacity 100)
	under_weir inside
	assert_hooked
}

@test "rules of a run that are not from inside stay" {
	WEIR_TEST_OPTIONS=(--fault read:short:when=1000000..)
	under_weir inside
}

@test "a run has 62 places for rules" {
	WEIR_TEST_PLACES=1 under_weir inside places
}

# shellcheck disable=SC2154 # run sets stderr
@test "rules from inside are told as others, and counted when they lost their place" {
	run -0 --separate-stderr bounded "$WEIR" run -- "$PROGRAMS/inside" fault_at_a_byte
	[[ "$stderr" == *"fault read:eof:at=5 fired once: pair 1, side "*", byte 5"* ]]
	run -0 --separate-stderr bounded "$WEIR" run --seed 1 -- "$PROGRAMS/inside" places_are_used_again
	[ "${stderr_lines[-1]}" = "weir: 299 earlier faults of programs: 299 fired, 0 never did" ]
	run -123 --separate-stderr bounded "$WEIR" run --strict -- "$PROGRAMS/inside" rules_keep_their_order
}

@test "a pair that --mark left to the kernel can be marked later" {
	# shellcheck disable=SC2034 # of helpers.bash
	WEIR_TEST_OPTIONS=(--mark nth=1)
	WEIR_TEST_MARK=1 under_weir inside mark_later
	[ "$(pairs_carried)" -eq 3 ]
}

@test "without the command, the library alone" {
	run -0 --separate-stderr bounded env LD_PRELOAD="$LIBWEIR" "$PROGRAMS/inside-dynamic"
	[ "$output" = active ]
	logged "$BATS_TEST_TMPDIR/alone" env LD_PRELOAD="$LIBWEIR" "$PROGRAMS/inside"
}

@test "from C++" {
	run -0 --separate-stderr bounded "$PROGRAMS/inside_plus"
	[ "$output" = absent ]
	run -0 --separate-stderr bounded "$WEIR" run --quiet -- "$PROGRAMS/inside_plus"
	[ "${lines[0]}" = "pair 1 capacity 64" ]
	[[ ${lines[1]} == "'nothing': column 1 ('nothing'): expected "* ]]
}

@test "static and musl programs find it absent" {
	for program in inside-static inside-musl; do
		run -0 --separate-stderr bounded "$PROGRAMS/$program"
		[ "$output" = absent ]
		run -0 --separate-stderr bounded "$WEIR" run --quiet --allow-unreachable -- "$PROGRAMS/$program"
		[ "$output" = absent ]
	done
}

@test "C11 and C++11, gcc and clang, with and without position independence" {
	both=$'absent\nactive'
	for compiler in "gcc -std=c11" "clang -std=c11" "g++ -x c++ -std=c++11" "clang++ -x c++ -std=c++11" \
		"gcc -std=c11 -O2 -fno-pie -no-pie" "gcc -std=c11 -O2 -flto" \
		"gcc -std=c11 -fPIC -fvisibility=hidden"; do
		read -ra words <<<"$compiler"
		run -0 --separate-stderr compiled "${words[@]}"
		echo "$compiler: $output"
		[ "$output" = "$both" ]
	done
}

# A weak symbol would not be found in the last of these.
@test "further standards, and programs that are not position-independent" {
	both=$'absent\nactive'
	for compiler in "gcc -std=c17" "clang -std=gnu11 -O2" "g++ -x c++ -std=c++20" "clang++ -x c++ -std=c++20" \
		"gcc -std=c11 -O2 -D_FORTIFY_SOURCE=2" "gcc -std=c11 -fno-plt -O2" \
		"clang -std=c11 -O2 -fno-pie -no-pie"; do
		read -ra words <<<"$compiler"
		run -0 --separate-stderr compiled "${words[@]}"
		echo "$compiler: $output"
		[ "$output" = "$both" ]
	done
	run -0 --separate-stderr compiled clang -std=c11 -static-pie
	[ "$output" = $'absent\nabsent' ]
}

# The same for languages that cannot include a header.
@test "the functions are found by name" {
	bounded "$WEIR" run --quiet -- "$PYTHON" -c '
import ctypes, errno, socket
weir = ctypes.CDLL(None, use_errno=True)
a, b = socket.socketpair()
assert weir.weir_inside_active() == 1
assert weir.weir_inside_set_capacity(a.fileno(), ctypes.c_uint64(5)) == 0
assert weir.weir_inside_fault(b.fileno(), b"read:error=EIO:when=1") == 0
assert weir.weir_inside_fault(-1, b"read:eof") == -1 and ctypes.get_errno() == errno.EBADF
a.setblocking(False)
assert a.send(b"0123456789") == 5
try:
    b.recv(10)
    assert False
except OSError as error:
    assert error.errno == errno.EIO
assert b.recv(10) == b"01234"
'
}

@test "make install and uninstall take the header with them" {
	bounded env -u MAKEFLAGS make -s -C "$ROOT" B="$BUILD" PREFIX=/usr DESTDIR="$BATS_TEST_TMPDIR/root" install
	cmp "$ROOT/include/weir.h" "$BATS_TEST_TMPDIR/root/usr/include/weir.h"
	bounded env -u MAKEFLAGS make -s -C "$ROOT" B="$BUILD" PREFIX=/usr DESTDIR="$BATS_TEST_TMPDIR/root" uninstall
	[ ! -e "$BATS_TEST_TMPDIR/root/usr/include/weir.h" ]
}
