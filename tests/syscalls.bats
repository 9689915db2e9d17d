#!/usr/bin/env bats
# System calls of common operations, counted by strace in the benchmark's own program.

load helpers

# counted NAMES WORKLOAD COUNT [ARG...]: calls of these names in COUNT operations under weir.
counted() {
	local names=$1
	shift
	cd "$BATS_TEST_TMPDIR" || return
	bounded strace -f -qq -o calls -e trace="/^(${names//,/|})$" -E LD_PRELOAD="$LIBWEIR" -E WEIR_QUIET=1 -E WEIR_STATS=stats \
		"$BUILD/bench/sockets" --socketpair "$@" >figures
	grep -q '"bytes_read":[1-9]' stats
	calls=$(grep -c -E "[0-9]+ +(${names//,/|})\(" calls || true)
}

# The first sleeps know of no other thread yet.
@test "who sleeps does not ask how many threads there are" {
	counted stat,newfstatat,openat sleeper 1 threads 1 block
	local before=$calls
	counted stat,newfstatat,openat sleeper 101 threads 1 block
	echo "$before calls for 1 message, $calls for 101"
	[ "$((calls - before))" -le 20 ]
}

@test "a thread that has both ends moves bytes without a call" {
	counted read,write,sendto,recvfrom,poll,futex write-read 10 64
	local before=$calls
	counted read,write,sendto,recvfrom,poll,futex write-read 1010 64
	echo "$before calls for 10 messages, $calls for 1010"
	[ "$((calls - before))" -le 10 ]
}

# The kernel's three, and signals held off twice while the list of slots is changed.
@test "a pair is made and closed with seven calls" {
	counted '[a-z_0-9]+' create 1
	local before=$calls
	counted '[a-z_0-9]+' create 1001
	echo "$before calls for 1 pair, $calls for 1001"
	[ "$((calls - before))" -le 7300 ]
}
