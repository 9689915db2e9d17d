#!/usr/bin/env bats
# Random programs of calls, compared with the kernel and with a model (tests/differ). Short forms; the long ones
# are `make fuzz`.

load helpers

DIFFER=$BUILD/differ/differ

# fuzz OPTION...: its output passes through a file, as who hangs keeps it open.
fuzz() {
	local status=0
	bounded "$DIFFER" fuzz --weir "$WEIR" --keep "$BATS_TEST_TMPDIR" "$@" \
		>"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
	cat "$BATS_TEST_TMPDIR/out"
	return "$status"
}

@test "programs that once differed agree" {
	bounded "$DIFFER" check --weir "$WEIR" --times 3 "$ROOT"/tests/differ/regressions/*.txt
}

@test "programs that are meant to differ still do" {
	for program in "$ROOT"/tests/differ/differences/*.txt; do
		run -1 bounded "$DIFFER" check --weir "$WEIR" "$program"
		[[ $output == *"0 programs agree, 1 differ"* && $output == *kernel* ]]
	done
}

# What differs once in millions of calls, and not again in twenty runs of the same program, is a
# matter of when threads were stopped: it is told, and the long form takes none of it.
@test "the kernel and weir agree on programs of a fixed seed" {
	fuzz --seed 1 --programs 1000 --fleeting 1
}

@test "the kernel and weir agree on fresh programs" {
	fuzz --programs 1000000 --seconds 40 --fleeting 3
}

@test "a model of a bounded queue and weir agree, whatever the bound" {
	for capacity in 1 2 3 7 64 100 1000 4096 4097 65536 300000 $((1 + RANDOM * 9)); do
		echo "capacity $capacity"
		fuzz --programs 1000000 --seconds 1 --capacity "$capacity" --fleeting 1
	done
}

# caught CANARY OPTION...: a broken library, whose pairs are carried, differs.
caught() {
	local WEIR_LIBRARY=$BUILD/canaries/$1.so
	export WEIR_LIBRARY
	run -1 fuzz --seed 1 --shrink 0 --differences 1 "${@:2}"
	unset WEIR_LIBRARY
	[[ $output == *"differs: seed "* ]]
}

@test "a library that rings too seldom is caught" {
	caught weir_bell_ring --programs 20000
}

@test "a library that forgets to take bells is caught" {
	caught weir_bell_settle --programs 10000
}

@test "a library whose bytes are wrong where they wrap is caught by the model" {
	caught weir_ring_copy_out --programs 1000 --capacity 4096
}

@test "a program of a seed is always the same" {
	[ "$("$DIFFER" generate 17)" = "$("$DIFFER" generate 17)" ]
	[ "$("$DIFFER" generate 17)" != "$("$DIFFER" generate 18)" ]
}

@test "a bounded pair keeps the rules of tokio's duplex" {
	for capacity in 1 2 7 64 4096; do
		WEIR_TEST_OPTIONS=(--capacity "$capacity")
		under_weir halves "$capacity"
		assert_hooked
	done
}
