#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets $stderr
# Chaos does only what a correct kernel may do: it finds the examples' bugs, and a
# correct program stands it. `make chaos` shows it with real programs.

load helpers

SEEDS=20

# survivors PROGRAM: how many of the runs under so many seeds succeed.
survivors() {
	local seed count=0
	[ -x "$BUILD/examples/$1" ] || { echo "$1 is not built"; return 1; }
	for ((seed = 1; seed <= SEEDS; seed++)); do
		timeout 20 "$WEIR" run --quiet --fail-on-deadlock --chaos=$seed -- \
			"$BUILD/examples/$1" </dev/null >/dev/null 2>&1 3>&- && count=$((count + 1))
	done
	echo "$count"
}

@test "chaos finds what is wrong in the examples" {
	local found
	for program in short-write/lossy sigpipe/impatient deadlock/both-write; do
		found=$(survivors "$program")
		echo "$program: $found of $SEEDS survive"
		[ "$found" -lt "$SEEDS" ]
	done
}

@test "their correct twins stand all seeds" {
	for program in short-write/careful sigpipe/patient deadlock/as-ready; do
		[ "$(survivors "$program")" = "$SEEDS" ] || { echo "$program"; return 1; }
	done
}

@test "chaos tells what it did, and does it again" {
	run -0 --separate-stderr bounded "$WEIR" run --chaos -- "$PROGRAMS/faulty" bytes_are_conserved
	[[ $stderr =~ ^weir:\ chaos\ did\ [1-9][0-9]*\ things\;\ --chaos=([0-9]+)\ does\ them\ again$ ]]
	run -0 --separate-stderr bounded "$WEIR" run --chaos=11 -- "$PROGRAMS/steps" -n a.write:0=0
	[[ $stderr == *" --chaos=11 does them again" ]]
}

# What a blocking call of a program without signal handlers can rely on stays so.
@test "chaos leaves blocking calls what the kernel promises" {
	local seed
	for ((seed = 1; seed <= SEEDS; seed++)); do
		for name in blocking_calls_get_no_EAGAIN blocking_calls_move_all \
			refused_writes_leave_something_to_read; do
			bounded "$WEIR" run --chaos=$seed -- "$PROGRAMS/faulty" $name >"$BATS_TEST_TMPDIR/out" ||
				{ echo "seed $seed"; cat "$BATS_TEST_TMPDIR/out"; return 1; }
		done
	done
}

@test "no byte is lost or doubled in chaos" {
	for seed in 1 2 3 4; do
		for name in bytes_are_conserved bytes_are_conserved_without_blocking; do
			run -0 bounded "$WEIR" run --chaos=$seed -- "$PROGRAMS/faulty" $name
		done
	done
}
