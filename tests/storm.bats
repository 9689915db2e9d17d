#!/usr/bin/env bats
# Forks, kills, signals and full tables at once: no byte is lost, nobody waits for ever, and
# all that was used is back.

load helpers

# storm OPTION...: of `weir run`. STORM_SECONDS, STORM_SEED.
storm() {
	WEIR_COMMAND=$WEIR STORM_SLOTS=48 bounded "$WEIR" run --max-pairs 48 "$@" -- \
		"$PROGRAMS/storm" "${STORM_SECONDS:-4}" ${STORM_SEED:+"$STORM_SEED"} 2>&1
}

@test "a storm" {
	bounded "$PROGRAMS/storm" 1
	storm
	storm --capacity 100
}

# His reader looks at the bells again and again, so that now and then nobody sleeps at the moment of the look.
@test "a storm in which a writer is not woken says who waits" {
	for _ in 1 2 3 4 5 6; do
		WEIR_LIBRARY=$BUILD/canaries/library/weir_bell_settle/libweir.so STORM_PATIENCE=2 \
			STORM_SECONDS=1 run storm --capacity 1000
		[ "$status" -ne 0 ]
		[[ $output =~ "somebody waits for ever" ]]
		[[ $output =~ waits\ to\ (read|write)\ for ]] && return
	done
	false
}

@test "a storm after which slots are missing is noticed" {
	WEIR_LIBRARY=$BUILD/canaries/library/weir_pair_reclaim/libweir.so STORM_SECONDS=1 run storm
	[ "$status" -eq 1 ]
	[[ $output =~ "slots are not all back" ]]
}
