#!/usr/bin/env bats
# The lines that no test runs (`make coverage` finds them) are explained, each by its text: an
# explanation goes when its line does.

load helpers

@test "what is explained is there" {
	run -0 bounded "$ROOT/tests/coverage" --check
	[[ $output =~ ^[0-9]+\ explanations$ ]]
}

@test "canary: an explanation of nothing is noticed" {
	cat >"$BATS_TEST_TMPDIR/explained" <<'END'
src/pipe/lock.c | no such line; | it was there once
src/pipe/lock.c | come_near() | it is there
src/base/os.c | os_close() | nobody asks for that one
END
	run -1 bounded "$ROOT/tests/coverage" --check --explained "$BATS_TEST_TMPDIR/explained"
	[ "$(grep -c '^there is no such line: ' <<<"$output")" -eq 2 ]
}
