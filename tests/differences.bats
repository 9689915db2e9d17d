#!/usr/bin/env bats
# The differences that are meant: each passes natively and fails under weir. One that
# passes must leave the list.

load helpers

listed() {
	grep -v '^#' "$BATS_TEST_DIRNAME/differences.txt"
}

@test "every listed difference passes natively" {
	while read -r program name _; do
		natively "$program" "$name"
	done < <(listed)
}

@test "every listed difference still differs under weir" {
	while read -r program name _; do
		if under_weir "$program" "$name" >/dev/null; then
			echo "$program $name passes: take it from differences.txt"
			return 1
		fi
	done < <(listed)
}

@test "a refusal is said in words" {
	run under_weir aio aio_read_waits
	grep -q '^weir: aio_read on a socket that weir carries is not supported (ENOSYS)$' \
		"$BATS_TEST_TMPDIR/weir.err"
}
