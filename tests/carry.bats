#!/usr/bin/env bats
# Pairs that go along into a program that weir cannot reach: it gets ordinary sockets of the
# kernel's, and a process of weir's hands the bytes on.

load helpers

setup() {
	INPUT=$BATS_TEST_TMPDIR/input
	bounded "$PYTHON" -c 'for i in range(4000): print(i * 7919 % 4001)' >"$INPUT"
	WEIR_TEST_OPTIONS=(--verbose)
	export CARRIED_CHILD=$PROGRAMS/child-static
}

# Whatever a test did, the processes that hand on are gone soon after the programs are.
teardown() {
	local tries
	for ((tries = 0; tries < 400; tries++)); do
		[ -n "$(pumps)" ] || return 0
		sleep 0.05
	done
	echo "left behind: $(pumps)"
	return 1
}

# The processes that hand on for this build's library, one a line.
pumps() {
	local folder
	for folder in /proc/[0-9]*; do
		if [ "$(cat "$folder/comm" 2>&1)" = weir-carry ] && grep -qs "${PUMPING:-$LIBWEIR}" "$folder/maps"; then
			basename "$folder"
		fi
	done
}

# carries [LEFT_OUT...]: the cases of carried, natively and under weir.
carries() {
	local cases
	mapfile -t cases < <(cases_without carried "$@")
	[ "${#cases[@]}" -gt 9 ]
	native_then_weir carried "${cases[@]}"
	[ "$(says_carried)" -ge 9 ]
}

@test "what the kernel does still holds" { carries; }

@test "the fortified build" { native_then_weir carried-fortified; }

# With less room a program that receives slowly takes its time.
@test "at 64 bytes" {
	WEIR_TEST_OPTIONS+=(--capacity 64)
	carries a_slow_program_holds_the_writer_back
}

# Left out are those that write before anybody reads, too.
@test "at 1 byte" {
	WEIR_TEST_OPTIONS+=(--capacity 1)
	carries a_slow_program_holds_the_writer_back much_both_ways bytes_in_flight_before_the_start \
		unread_bytes_reset unread_bytes_stay_for_another_holder the_next_program_takes_over \
		an_exec_that_fails_leaves_all_as_it_was
}

@test "a program of another C library" {
	CARRIED_CHILD=$PROGRAMS/child-musl
	carries
}

# set_uid PROGRAM: a copy that runs as somebody else.
set_uid() {
	cp "$1" "$BATS_TEST_TMPDIR/set-uid"
	chown 1 "$BATS_TEST_TMPDIR/set-uid"
	chmod 4755 "$BATS_TEST_TMPDIR/set-uid"
	[ "$(stat -c %u:%a "$BATS_TEST_TMPDIR/set-uid")" = 1:4755 ]
}

@test "a set-uid program" {
	if [ "$(id -u)" -ne 0 ]; then
		exchanges execve+ su --version
		assert_passed any all
		[ "$(says_carried)" -eq 1 ]
		return
	fi
	set_uid "$(command -v id)"
	exchanges execve "$BATS_TEST_TMPDIR/set-uid" -u
	assert_passed any all
	[ "$(cat "$BATS_TEST_TMPDIR/weir")" = 1 ]
	[ "$(says_carried)" -eq 1 ]
	set_uid "$PROGRAMS/child-dynamic"
	CARRIED_CHILD=$BATS_TEST_TMPDIR/set-uid
	carries
}

@test "the same program is followed where nothing keeps weir out" {
	CARRIED_CHILD=$PROGRAMS/child-dynamic
	native_then_weir carried
	[ "$(says_carried)" -eq 0 ]
}

# ---- busybox, which Debian links statically ----

# carried_in COUNT WAY COMMAND...: all bytes pass, and the diagnostic line comes COUNT times.
carried_in() {
	local count=$1
	shift
	exchanges "$@" || { echo "$*"; return 1; }
	assert_passed all all || { echo "$*"; return 1; }
	[ "$(says_carried)" -eq "$count" ] || { echo "$(says_carried) lines: $*"; return 1; }
}

@test "applets of busybox" {
	carried_in 1 execve busybox cat
	carried_in 1 execve busybox grep 7
	carried_in 1 execve busybox sort -n
	carried_in 1 execve busybox wc
	carried_in 1 execve busybox sha256sum
	carried_in 1 execve busybox tail -n 100
	carried_in 1 execve busybox sh -c 'while read -r n; do echo "$((n * 2))"; done'
	exchanges execve busybox seq 1 5000
	assert_passed any all
}

@test "every way of starting it" {
	local way
	for way in execv execve execvp execvpe execl execlp execle fexecve fexecve-cloexec execveat \
		execveat-cloexec execveat-folder execveat-folder-cloexec execveat-path posix_spawn \
		posix_spawnp vfork system popen popen-w syscall syscall-at; do
		carried_in 1 "$way+" busybox sort
		carried_in 1 "$way@" busybox sort
	done
}

@test "one line for a program, however many descriptors it gets" {
	carried_in 1 execve busybox sort
	[ "$(grep -c '^weir: ' "$BATS_TEST_TMPDIR/weir.err")" -eq 3 ]
	WEIR_TEST_OPTIONS=()
	carried_in 0 execve=2 busybox sh -c 'busybox sort; echo complaint >&2'
	[ ! -s "$BATS_TEST_TMPDIR/weir.err" ]
}

@test "a chain of programs that are reached and are not" {
	carried_in 1 execve sh -c 'exec busybox sort'
	carried_in 1 execve busybox sh -c 'exec /usr/bin/sort'
	carried_in 2 execve sh -c 'busybox head -n 0; exec busybox sort'
	carried_in 1 execve sh -c 'busybox cat | sort'
	carried_in 2 execve sh -c 'busybox cat | sort; busybox echo end'
}

# ---- without the command, and without its place ----

# preloaded LIBRARY: no `weir run`, the first process keeps the session.
preloaded() {
	rm -f "$BATS_TEST_TMPDIR/stats"
	with_input "$BATS_TEST_TMPDIR/native" "$PROGRAMS/duplex" execve+ busybox sort
	with_input "$BATS_TEST_TMPDIR/weir" env LD_PRELOAD="$1" WEIR_STATS="$BATS_TEST_TMPDIR/stats" \
		WEIR_VERBOSE=1 "$PROGRAMS/duplex" execve+ busybox sort
	cmp "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/weir"
	assert_passed all all
	[ "$(says_carried)" -eq 1 ]
}

@test "a preloaded library" { preloaded "$LIBWEIR"; }

@test "a library that does not find the command" {
	PUMPING=$BATS_TEST_TMPDIR/libweir.so
	cp "$LIBWEIR" "$PUMPING"
	preloaded "$PUMPING"
	logged "$BATS_TEST_TMPDIR/weir" env LD_PRELOAD="$PUMPING" WEIR_STATS="$BATS_TEST_TMPDIR/stats" \
		"$PROGRAMS/carried"
	assert_hooked
}
