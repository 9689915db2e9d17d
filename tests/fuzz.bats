#!/usr/bin/env bats
# The parsers of what people write, under libFuzzer.

load helpers

@test "rules: five seconds of any bytes" {
	run -0 bounded env -u MAKEFLAGS make -C "$ROOT" B="$BUILD" FUZZ_SECONDS=5 fuzz-rules
	[[ $output =~ Done\ [0-9]{4,}\ runs\ in ]]
}

# The canary notes an operation before it knows that the rest of the rule is right.
@test "rules: a parser that breaks its promise is found" {
	run ! bounded "$BUILD/fuzz/rule-canary" -max_total_time=30 \
		-artifact_prefix="$BATS_TEST_TMPDIR/" "$BATS_TEST_TMPDIR" "$ROOT/tests/fuzz/corpus/rule"
	[[ $output == *"broken: untouched(&rule, sizeof rule)"* ]]
}
