#!/usr/bin/env bats
# Every interleaving of the real code, in its short form, and what it must notice.
# shellcheck disable=SC2030,SC2031 # each test has its own status and output

load helpers

EXPLORE=$BUILD/explore/explore

@test "the double of the kernel answers as the kernel does" {
	run -0 bounded "$BUILD/explore/kernel_test"
	[ "$(grep -c '^ok' <<<"$output")" -eq 2 ]
}

# The number of schedules is the same whether known states are skipped or not.
@test "no schedule is lost to a state that only looks known" {
	local scenario
	for scenario in 1x1-room close-at-once; do
		run -0 bounded "$EXPLORE" --bound 2 "$scenario"
		[[ $output =~ ([0-9]+\ schedules),\ exhausted ]]
		local schedules=${BASH_REMATCH[1]}
		run -0 bounded "$EXPLORE" --bound 2 --every-path "$scenario"
		[[ $output == *": $schedules, exhausted"* ]]
	done
}

@test "all scenarios, with few preemptions" {
	SECONDS_MAX=400 run -0 bounded "$EXPLORE" # less than one minute where nothing else runs
	[ "$(grep -c '^ok .*, exhausted' <<<"$output")" -eq "$("$EXPLORE" --list | wc -l)" ]
}

# found CANARY: the broken code fails, and the line that is printed shows it again.
found() {
	local canary=$BUILD/explore/canaries/$1 scenario line
	scenario=$(sed -n '1s/^# [^ ]* //p' "$ROOT/tests/explore/canaries/$1.sed")
	run bounded "$canary" --bound 1 "$scenario"
	if [ "$status" -eq 0 ]; then
		run bounded "$canary" --bound 2 "$scenario"
	fi
	echo "$1: $output"
	[ "$status" -eq 1 ]
	line=$(sed -n "s/^explore \($scenario:.*\)/\1/p" <<<"$output")
	local failure=${output#*preemptions: }
	failure=${failure%%$'\n'*}
	if [[ $failure == "no end after "* ]]; then # with a trace each state is looked at
		failure='a loop: this state came before in the same schedule'
	fi
	run -1 bounded "$canary" "$line"
	[[ ${lines[-1]} == "explore $scenario: $failure" ]]
}

@test "each canary is found, and its schedule can be had again" {
	local sed count=0
	for sed in "$ROOT"/tests/explore/canaries/*.sed; do
		found "$(basename "$sed" .sed)"
		count=$((count + 1))
	done
	[ "$count" -ge 15 ]
}
