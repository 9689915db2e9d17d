#!/usr/bin/env bats
# Slots go round, whoever closes, forks or dies; without one, a pair is the kernel's.

# shellcheck disable=SC2034 # WEIR_TEST_OPTIONS is for the helpers

load helpers

# statistic EXPRESSION: of the last run's statistics, as `s`.
statistic() {
	"$PYTHON" -c "import json, sys; s = json.load(open(sys.argv[1])); print($1)" "$BATS_TEST_TMPDIR/stats"
}

@test "50,000 pairs, one after the other" {
	native_then_weir slots churn "${WEIR_CHURN:-50000}"
	[ "$(statistic 's["pairs"]')" -eq "${WEIR_CHURN:-50000}" ]
}

@test "with few slots, too" {
	WEIR_TEST_OPTIONS=(--max-pairs 80)
	native_then_weir slots churn 3000
	[ "$(statistic 's["pairs"]')" -eq 3000 ]
}

@test "4,000 pairs at once" {
	native_then_weir slots live 4000
	[ "$(statistic 's["pairs"]')" -eq 4000 ]
}

@test "without a slot a pair stays with the kernel, counted and said once" {
	WEIR_TEST_OPTIONS=(--max-pairs 50)
	natively slots live 200
	under_weir slots live 200
	diff "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/weir"
	[ "$(statistic 's["pairs"]')" -eq 50 ]
	[ "$(statistic 's["left_to_kernel"]["reasons"]["slots"]')" -eq 150 ]
	[ "$(grep -c '^weir: all 50 pairs' "$BATS_TEST_TMPDIR/weir.err")" -eq 1 ]
}

@test "after closing, and after deaths, new pairs are marked again" {
	WEIR_TEST_OPTIONS=(--max-pairs 50)
	native_then_weir slots rounds 40
	[ "$(statistic 's["left_to_kernel"]["reasons"]["slots"]')" -eq 0 ]
	[ "$(statistic 's["pairs"]')" -eq $((41 * 50)) ]
}
