#!/usr/bin/env bats
# The options of `weir run`: what they accept, what they refuse, and that the help
# and the manual know all of them.

bats_require_minimum_version 1.5.0

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	WEIR=${WEIR:-$root/build/weir}
	unset WEIR_CAPACITY WEIR_SESSION LD_PRELOAD
}

# refuses TEXT ARG...: status 125 and one line that holds TEXT.
refuses() {
	local text=$1
	shift
	run -125 --separate-stderr timeout 20 "$WEIR" run "$@"
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "weir: "*"$text"* ]]
}

@test "bad values are refused with what is allowed" {
	refuses "--capacity: '0' is not a size from 1 to 4G" --capacity 0 true
	refuses "--capacity: '' is not a size" --capacity= true
	refuses "--capacity: '64x' is not a size" --capacity 64x true
	refuses "--capacity: '-1' is not a size" --capacity -1 true
	refuses "--capacity: '5G' is not a size" --capacity 5G true
	refuses "--capacity: '99999999999999999999' is not a size" --capacity 99999999999999999999 true
	refuses "--writable-at: '0%' is not a size" --writable-at 0% true
	refuses "--writable-at: '101%' is not a size" --writable-at=101% true
	refuses "--max-pairs: '0' is not a number from 1 to 65536" --max-pairs 0 true
	refuses "--max-pairs: '65537' is not a number" --max-pairs 65537 true
	refuses "--stats: '' is not the name of a file" --stats= true
}

@test "unknown options, missing and superfluous values" {
	refuses "--frobnicate: no such option; \`weir help run\`" --frobnicate true
	refuses "-c: no such option" -c true
	refuses "--cap: no such option" --cap 64 true
	refuses "--capacity needs a value: [WHERE:]N[K|M|G]" --capacity
	refuses "--verbose takes no value" --verbose=1 true
	refuses "run needs a PROGRAM"
	refuses "run needs a PROGRAM" --capacity 64 --
}

@test "a message stays one line whatever the argument holds" {
	refuses "--capacity: 'a?b' is not" --capacity $'a\nb' true
	refuses "no such option" "--$(printf 'x%.0s' {1..3000})" true
}

@test "both spellings of a value, and the last one wins" {
	run -0 --separate-stderr timeout 20 "$WEIR" run --verbose --capacity 64 true
	[[ ${stderr_lines[0]} == *" 64 bytes per direction"* ]]
	run -0 --separate-stderr timeout 20 "$WEIR" run --verbose --capacity=16K true
	[[ ${stderr_lines[0]} == *" 16384 bytes per direction"* ]]
	run -0 --separate-stderr timeout 20 "$WEIR" run --verbose --capacity 1 --capacity=2 true
	[[ ${stderr_lines[0]} == *" 2 bytes per direction"* ]]
	run -0 --separate-stderr timeout 20 "$WEIR" run --verbose true
	[[ ${stderr_lines[0]} == *" 212992 bytes per direction"* ]]
}

@test "options end at the program and at --" {
	run -0 timeout 20 "$WEIR" run echo --capacity 0 -- --help
	[ "$output" = "--capacity 0 -- --help" ]
	run -0 timeout 20 "$WEIR" run -- echo -- x
	[ "$output" = "-- x" ]
	run -127 timeout 20 "$WEIR" run -- --no-such-program
}

@test "variables are defaults, options win, empty variables say nothing" {
	WEIR_CAPACITY=64 run -0 timeout 20 "$WEIR" run --verbose true
	[[ ${lines[0]} == *" 64 bytes per direction"* ]]
	WEIR_CAPACITY=64 run -0 timeout 20 "$WEIR" run --verbose --capacity 7 true
	[[ ${lines[0]} == *" 7 bytes per direction"* ]]
	WEIR_CAPACITY= run -0 timeout 20 "$WEIR" run --verbose true
	[[ ${lines[0]} == *" 212992 bytes per direction"* ]]
	WEIR_VERBOSE=1 run -0 --separate-stderr timeout 20 "$WEIR" run true
	[ "${#stderr_lines[@]}" -eq 2 ]
	WEIR_VERBOSE=0 run -0 --separate-stderr timeout 20 "$WEIR" run true
	[ -z "$stderr" ]
}

@test "bad variables are refused by their name" {
	WEIR_CAPACITY=much refuses "WEIR_CAPACITY: 'much' is not a size" true
	WEIR_VERBOSE=yes refuses "WEIR_VERBOSE: 'yes' is not 0 or 1" true
}

@test "options do not leak into the program's environment" {
	run -0 timeout 20 "$WEIR" run --capacity 64 --max-pairs 3 env
	[[ $output != *WEIR_CAPACITY* && $output != *WEIR_MAX_PAIRS* ]]
	[[ $output == *WEIR_SESSION=/proc/* ]]
	WEIR_CAPACITY=5 run -0 timeout 20 "$WEIR" run env
	[[ $output == *WEIR_CAPACITY=5* ]]
}

@test "weir alone, help, --help and --version explain themselves" {
	run -0 --separate-stderr "$WEIR"
	[[ $output == Usage:* && -z $stderr ]]
	run -0 "$WEIR" --help
	[[ $output == Usage:* ]]
	run -0 "$WEIR" help run
	[[ $output == "Usage: weir run "* ]]
	local help=$output
	run -0 "$WEIR" run --help
	[ "$output" = "$help" ]
	run -0 "$WEIR" --version
	[ "$output" = "weir $(sed -n 's/.*WEIR_VERSION "\(.*\)"/\1/p' "$root/src/base/version.h")" ]
	run -0 "$WEIR" run --version
	[[ $output == "weir "* ]]
	run -125 "$WEIR" frobnicate
	[[ $output == *"no such command"* ]]
	run -125 "$WEIR" help frobnicate
	run -125 bash -c '"$1" help run >/dev/full' - "$WEIR"
}

@test "help fits a terminal" {
	run -0 bash -c '"$1" help run | awk "length > 80"' - "$WEIR"
	[ -z "$output" ]
}

@test "the manual has every option and every variable, and nothing else" {
	"$WEIR" help run | grep -oE -- '(--[a-z][a-z-]+|WEIR_[A-Z_]+)' | sort -u >"$BATS_TEST_TMPDIR/help"
	sed -E 's/^\.(It )?Fl -/--/; s/ Fl -/ --/g; s/^\.It Ev //; s/\\-/-/g' "$root/man/weir-run.1" |
		grep -oE -- '(--[a-z][a-z-]+|WEIR_[A-Z_]+)' | sort -u >"$BATS_TEST_TMPDIR/man"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/help")" -gt 10 ]
	diff "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/man"
}
