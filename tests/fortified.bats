#!/usr/bin/env bats
# Programs built with -O2 -D_FORTIFY_SOURCE=2 call other names; nothing else may change.

load helpers

# imports PROGRAM NAME...: the build really uses the checked twins.
imports() {
	local program=$1 undefined
	shift
	undefined=$(bounded nm -D --undefined-only "$PROGRAMS/$program")
	for name; do
		grep -qE " $name(@|$)" <<<"$undefined" || { echo "$program does not import $name"; return 1; }
	done
}

@test "receiving calls, fortified" {
	imports receive-fortified __read_chk __recv_chk __recvfrom_chk
	native_then_weir receive-fortified
}

@test "polls, fortified" {
	imports polling-fortified __poll_chk __ppoll_chk __fdelt_chk
	native_then_weir polling-fortified
}

@test "stdio, fortified" {
	imports stdio-fortified __printf_chk __dprintf_chk __vdprintf_chk
	native_then_weir_but stdio-fortified wide_characters
}

@test "bad arguments, fortified" {
	native_then_weir errors-fortified
}
