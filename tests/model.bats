#!/usr/bin/env bats
# The protocol as a model: its small scenarios, and mutants that must be caught in them.

load helpers

@test "the model holds, and does not without any one of its fences, re-checks and bells" {
	run -0 bounded env MODEL_BUILD="$BATS_TEST_TMPDIR" "$ROOT/tests/model/run" --short
	[ "$(grep -c '^ok ' <<<"$output")" -ge 52 ]
	[ "${lines[-1]}" = "0 failed" ]
}
