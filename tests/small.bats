#!/usr/bin/env bats
# The same programs at a small bound: what a program sees does not depend on it.
#
# Left out by name are cases that cannot hold at 64 bytes: they write more before anybody
# reads, or they expect SO_SNDBUF to count, which a bound of the user's overrides.

load helpers

# at_64 PROGRAM [LEFT_OUT...]
at_64() {
	local program=$1 cases
	mapfile -t cases < <(cases_without "$@")
	[ "${#cases[@]}" -gt 0 ]
	WEIR_TEST_OPTIONS=(--capacity 64)
	native_then_weir "$program" "${cases[@]}"
}

@test "receiving at 64 bytes" { at_64 receive a_stream_has_no_borders readv_with_many_buffers; }

@test "sending at 64 bytes" { at_64 send writev_with_many_buffers; }

@test "flags at 64 bytes" { at_64 flags; }

@test "options at 64 bytes" { at_64 sockopts a_smaller_send_buffer_takes_less; }

@test "out-of-band data at 64 bytes" { at_64 oob order_is_kept_around_the_mark; }

@test "errors at 64 bytes" { at_64 errors; }

@test "the end of a pair at 64 bytes" { at_64 closing; }

@test "signals at 64 bytes" { at_64 signals; }

@test "threads at 64 bytes" { at_64 threads; }

@test "poll and select at 64 bytes" { at_64 polling; }

@test "epoll at 64 bytes" { at_64 epolling every_write_is_an_edge; }

@test "duplicates at 64 bytes" { at_64 dups; }

@test "descriptors at 64 bytes" { at_64 descriptors; }

@test "stdio at 64 bytes" {
	at_64 stdio wide_characters threads_share_a_stream dprintf_writes_at_once fully_buffered_with_an_own_buffer
}

@test "fork at 64 bytes" { at_64 forking; }

@test "passing descriptors at 64 bytes" { at_64 scm; }
