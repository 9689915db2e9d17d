#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2054,SC2086,SC2154 # options for helpers; steps are words; bats sets $stderr
# Faults: what each rule does to which call, at which byte, and what people are told.

load helpers

setup() {
	unset WEIR_FAULT WEIR_FAULTS WEIR_SEED WEIR_CHAOS WEIR_STRICT WEIR_QUIET WEIR_MARK
	set -f # steps hold no globs, and rules do
}

# told RULE COUNT FILE: the report says so.
told() {
	local rule=$1 line="fault $1 fired $2 times: first pair "
	[ "$2" != 0 ] || line="fault $rule never fired"
	[ "$2" != 1 ] || line="fault $rule fired once: pair "
	grep -qF "weir: $line" "$3" || { echo "no such line: $line"; cat "$3"; return 1; }
}

# fires COUNT RULE STEP...: the steps come out as they say, and the rule fired so often.
fires() {
	local count=$1 rule=$2 err=$BATS_TEST_TMPDIR/err
	shift 2
	bounded "$WEIR" run --seed 1 --fault "$rule" "${WEIR_TEST_OPTIONS[@]}" -- \
		"$PROGRAMS/steps" "$@" 2>"$err" ||
		{ echo "$rule: status $? of: $*"; cat "$err"; return 1; }
	told "$rule" "$count" "$err"
}

# case_fires RULE CASE [COUNT]: a case of programs/faulty.
case_fires() {
	local rule=$1 name=$2 err=$BATS_TEST_TMPDIR/err
	bounded "$WEIR" run --seed 1 --fault "$rule" "${WEIR_TEST_OPTIONS[@]}" -- \
		"$PROGRAMS/faulty" "$name" >"$BATS_TEST_TMPDIR/out" 2>"$err" ||
		{ echo "$rule: $name"; cat "$BATS_TEST_TMPDIR/out" "$err"; return 1; }
	if [ $# -gt 2 ]; then
		told "$rule" "$3" "$err"
	else
		grep -qF "weir: fault $rule fired" "$err" || { cat "$err"; return 1; }
	fi
}

SENDS="write writev pwritev2 send sendto sendmsg sendmmsg syswrite"
RECEIVES="read readv preadv2 recv recvfrom recvmsg recvmmsg sysread splice"

@test "each call that sends: short, an error, the end" {
	local steps
	for call in $SENDS sendfile; do
		steps+=" a.$call:10=3 b.read:10=3"
	done
	fires 9 write:short=3 $steps
	steps=
	for call in $SENDS sendfile splicein fwrite; do
		steps+=" a.$call:10=EIO a.$call:7=7 b.read:10=7"
	done
	fires 11 write:error=EIO:when=1+2 $steps
	for call in $SENDS sendfile; do
		fires 1 write:eof:at=5:side=a a.$call:10=5 a.$call:1=EPIPE sigpipe=1 \
			b.read:10=5 b.read:10=0 b.write:4=4 a.read:9=4
	done
}

@test "each call that receives: short, an error, the end" {
	local steps
	for call in $RECEIVES; do
		steps+=" a.write:3=3 b.$call:10=2 b.$call:9=1"
	done
	fires 9 read:short=2:when=1+2 $steps
	steps=
	for call in $RECEIVES fread; do
		steps+=" a.write:7=7 b.$call:7=EIO b.$call:7=7"
	done
	fires 10 read:error=EIO:when=1+2:side=b $steps
	for call in $RECEIVES; do
		fires 1 read:eof:when=2 a.write:5=5 b.$call:3=3 b.$call:5=2 b.$call:5=0 \
			a.write:1=EPIPE sigpipe=1 b.write:3=3 a.read:9=3
	done
}

@test "vectors are cut inside, and a text is found across them and across calls" {
	for call in writev pwritev2 sendmsg sendmmsg; do
		fires 1 write:short=5:when=1 a.$call:4+6=5 b.read:99=5
		fires 1 write:error=EIO:at=5 a.$call:4+6=5 a.$call:2+3=EIO a.$call:2+3=5 b.read:99=10
	done
	for call in readv preadv2 recvmsg recvmmsg; do
		fires 1 read:short=5:when=1 a.write:20=20 b.$call:4+6=5 b.$call:4+6=10
		fires 1 read:error=EIO:at=5 a.write:20=20 b.$call:4+6=5 b.$call:2+3=EIO b.$call:2+20=15
	done
	fires 1 'write:error=EIO:match=GET ' a.say:xGE=3 'a.say:T /y=2' a.say:/y=EIO a.say:/y=2 b.read:99=7
	fires 1 'read:error=EIO:match=abab' a.say:xaba=4 a.say:bz=2 b.read:2=2 b.readv:1+9=3 \
		b.read:9=EIO b.read:9=1
	fires 1 'write:eof:match=\n' 'a.say:ab=2' $'a.say:c\nd=2' a.say:e=EPIPE b.read:9=4 b.read:9=0
	fires 2 'write:short:match=aa:times=2' a.say:xaay=3 a.say:yyy=1 a.say:aab=2 a.say:bcd=1 \
		a.say:aab=3 b.read:99=10
	fires 0 'write:eof:match=aaab' a.say:aaaaaac=7 b.read:9=7
}

@test "a text is found wherever it comes, by calls of every family cut anyhow" {
	native_then_weir places
}

@test "calls are counted as strace does: F, F..L, F..L+S, F+S, times and p" {
	local x=a.write:1
	fires 1 write:error=EIO:when=3 $x=1 $x=1 $x=EIO $x=1 $x=1
	fires 2 write:error=EIO:when=2..3 $x=1 $x=EIO $x=EIO $x=1 $x=1
	fires 3 write:error=EIO:when=3.. $x=1 $x=1 $x=EIO $x=EIO $x=EIO
	fires 2 write:error=EIO:when=1..4+2 $x=EIO $x=1 $x=EIO $x=1 $x=1 $x=1
	fires 2 write:error=EIO:when=2+3 $x=1 $x=EIO $x=1 $x=1 $x=EIO $x=1
	fires 4 write:error=EIO:when=2+ $x=1 $x=EIO $x=EIO $x=EIO $x=EIO
	fires 2 write:error=EIO:when=2+:times=2 $x=1 $x=EIO $x=EIO $x=1 $x=1
	fires 3 write:error=EIO:p=1 $x=EIO $x=EIO $x=EIO
	fires 0 write:error=EIO:p=0.000001 $x=1 $x=1 $x=1
	# Each side, and each kind of call, counts its own.
	fires 4 any:error=EIO:when=2 $x=1 b.write:1=1 $x=EIO b.write:1=EIO b.read:1=1 b.read:1=EIO \
		a.read:1=1 a.read:1=EIO
}

@test "where: side, and several words at once" {
	local x=write:1
	fires 1 write:error=EIO:pair=2 1a.$x=1 2a.$x=EIO 1b.$x=1 3a.$x=1
	fires 2 write:error=EIO:side=b a.$x=1 b.$x=EIO 2b.$x=EIO 2a.$x=1
	fires 1 write:error=EIO:pair=2:side=b a.$x=1 b.$x=1 2b.$x=EIO 2a.$x=1
	fires 1 write:error=EIO:comm=st*s a.$x=EIO
	fires 0 write:error=EIO:comm=stepson a.$x=1
	fires 0 write:error=EIO:pid=1 a.$x=1
}

@test "where: a process by its number" {
	# shellcheck disable=SC2016
	run -0 --separate-stderr bounded bash -c '
		"$1" run --fault "write:error=EIO:pid=$$" -- true
		exec "$1" run --fault "write:error=EIO:comm=steps" -- "$2" a.write:1=EIO' - \
		"$WEIR" "$PROGRAMS/steps"
	[[ $stderr == *"pid="*" never fired"*"comm=steps fired once: pair 1, side a, pid "*" (steps), call 1, byte 0"* ]]
}

@test "an end at a byte, on the writer's and on the reader's side" {
	fires 1 write:eof:at=5:side=a a.write:10=5 b.poll=IN,OUT,RDHUP a.write:10=EPIPE sigpipe=1 \
		b.read:10=5 b.read:10=0 b.poll=IN,OUT,RDHUP b.write:3=3 a.read:3=3
	fires 1 write:eof:at=5:side=a a.write:5=5 b.poll=IN,OUT,RDHUP a.nosignal:1=EPIPE sigpipe=0
	fires 1 write:eof:at=0:side=a a.write:5=EPIPE sigpipe=1 b.read:5=0 b.write:5=5
	fires 1 read:eof:at=5:side=b a.write:10=5 a.write:10=EPIPE sigpipe=1 b.read:10=5 b.read:10=0 \
		b.write:3=3 a.read:3=3
	fires 1 any:eof:at=5:side=a a.write:10=5 b.read:9=5 b.read:9=0
}

@test "hangup at a byte: both directions, and poll says so" {
	fires 1 write:hangup:at=5:side=a a.write:10=5 a.poll=IN,OUT,RDHUP,HUP b.write:1=EPIPE sigpipe=1 \
		a.write:1=EPIPE sigpipe=2 b.read:10=5 b.read:10=0 a.read:1=0
	fires 1 read:hangup:when=2:side=b a.write:4=4 b.write:2=2 b.read:2=2 b.read:9=2 b.read:9=0 \
		a.write:1=EPIPE a.read:9=2 a.read:9=0 b.poll=IN,OUT,RDHUP,HUP
	fires 1 write:hangup:when=1:side=b a.write:3=3 b.write:1=EPIPE sigpipe=1 b.read:9=3 b.read:9=0
}

@test "reset: what was not read is lost, ECONNRESET once, SO_ERROR and POLLERR" {
	fires 1 write:reset:at=5:side=a a.write:3=3 b.read:2=2 a.write:10=2 b.poll=IN,OUT,RDHUP,HUP,ERR \
		b.lost=0 b.read:10=ECONNRESET b.read:10=0 b.write:1=EPIPE sigpipe=1 b.poll=IN,OUT,RDHUP,HUP
	fires 1 write:reset:at=5:side=a a.write:10=5 b.error=ECONNRESET b.error=0 b.lost=0 b.read:10=0
	fires 1 read:reset:when=2:side=b a.write:9=9 b.read:2=2 b.read:2=ECONNRESET b.read:2=0 \
		a.write:1=EPIPE
	fires 1 write:reset:when=1 b.write:4=EPIPE sigpipe=1 a.read:1=ECONNRESET a.read:1=0
}

@test "error moves nothing, also EPIPE and EAGAIN by name" {
	fires 1 write:error=EPIPE:when=1 a.write:10=EPIPE sigpipe=1 a.write:10=10 b.read:20=10
	fires 1 write:error=EPIPE:when=1:side=a a.nosignal:10=EPIPE sigpipe=0 b.write:5=5 a.read:9=5
	fires 1 write:error=EAGAIN:when=2 a.write:10=10 a.write:10=EAGAIN a.write:1=1 b.read:20=11
	fires 1 read:error=ECONNRESET:when=1 a.write:4=4 b.read:4=ECONNRESET b.read:4=4
	fires 1 read:error=5:when=1 a.write:4=4 b.read:4=EIO b.available=4 b.read:4=4
	fires 1 read:error=EINTR:at=3 a.write:8=8 b.waitall:8=3 b.read:8=EINTR b.read:8=5
	fires 1 read:error=EIO:when=1 a.write:4=4 b.peek:4=EIO b.peek:4=4 b.read:9=4
}

@test "short that is not shorter does nothing, and never gives 0; empty calls are left alone" {
	fires 0 write:short=10 a.write:10=10 a.write:9=9 b.read:20=19
	fires 1 any:short=10 a.write:11=10 b.read:10=10
	fires 0 any:short a.write:1=1 a.write:1=1 b.read:1=1 b.read:1=1
	fires 1 any:error=EIO:when=2:side=a a.write:0=0 a.send:0=0 a.write:1=1 a.write:0=0 a.write:1=EIO
	fires 0 any:error=EIO a.write:0=0 a.read:0=0 a.writev:0+0=0 b.readv:0+0=0
	fires 1 write:short=4:at=3 a.write:9=3 a.write:9=4 a.write:9=9 b.read:99=16
	fires 1 read:short=4:at=3 a.write:20=20 b.read:9=3 b.read:9=4 b.read:9=9
	fires 1 read:short=4:when=1 a.write:20=20 b.waitall:9=4 b.waitall:9=9
}

@test "discard and corrupt say what is lost" {
	fires 1 write:discard:when=2 a.write:5=5 a.write:6=6 a.write:7=7 b.read:5=5 b.lost:6=0 b.read:99=7
	fires 1 write:discard:at=5 a.write:12=12 a.write:3=3 b.read:5=5 b.lost:7=0 b.read:99=3
	fires 1 write:corrupt:when=2 a.write:5=5 a.write:6=6 b.read:5=5 b.flipped:1=0 b.read:99=6
	fires 1 write:corrupt=4:at=5 a.write:9=9 a.write:9=9 b.read:5=5 b.flipped:4=0 b.read:4=4 b.read:99=9
	fires 1 read:corrupt=3:when=1 a.write:9=9 b.flipped:3=0 b.read:5=5 b.read:9=4
	fires 1 read:corrupt=3:at=2 a.write:9=9 b.flipped:0=0 b.read:2=2 b.flipped:3=0 b.readv:1+8=7
	fires 1 write:corrupt=5000:when=1 a.write:5000=5000 b.flipped:5000=0 b.read:9999=5000
}

@test "several rules apply to one call, in order" {
	WEIR_TEST_OPTIONS=(--fault write:error=EIO:when=2 --fault write:short=2)
	fires 1 write:short=5:when=1 a.write:9=2 a.write:9=EIO a.write:9=2 b.read:9=4
	told write:error=EIO:when=2 1 "$BATS_TEST_TMPDIR/err"
	told write:short=2 2 "$BATS_TEST_TMPDIR/err"
}

@test "non-blocking ends" {
	fires 1 write:short=3:when=1 -n a.write:9=3 a.write:9=9 b.read:20=12 b.read:20=EAGAIN
	fires 1 write:eof:at=5 -n a.write:9=5 a.write:9=EPIPE b.read:9=5 b.read:9=0
	fires 1 read:stall:when=1 -n a.write:9=9 b.poll=IN,OUT b.read:9=EAGAIN b.poll=OUT b.read:9=EAGAIN
	fires 1 write:stall:when=1:side=a -n a.write:9=EAGAIN a.poll= b.write:3=3 a.poll=IN a.read:3=3
	fires 1 read:stall:when=1 -n b.read:9=EAGAIN a.write:9=9 b.poll=OUT a.close=0 b.poll=IN,OUT,RDHUP,HUP \
		b.read:9=9 b.read:9=0
	fires 1 read:stall:when=1 a.write:9=9 b.recvnow:9=EAGAIN b.poll=OUT
}

@test "a direction that descriptors went through" {
	fires 1 write:short=3:when=1 a.rights:9=3 a.write:9=9 b.takerights:9=3 b.recvmsg:20=9
	fires 1 write:short=3:when=2 a.rights:9=9 a.write:9=3 a.writev:2+3=5 b.takerights:9=9 b.read:20=8
	fires 1 write:short=3:when=1 a.rights:2+7=3 b.takerights:1+1=2 b.recvmsg:9=1
	fires 1 write:error=EIO:when=1 a.rights:9=EIO a.rights:9=9 b.takerights:9=9
	fires 1 write:eof:at=5:side=a a.rights:4=4 a.write:9=1 a.write:9=EPIPE sigpipe=1 b.takerights:9=4 \
		b.read:9=1 b.read:9=0 b.write:3=3 a.read:3=3
	fires 1 write:error=EIO:at=12 a.write:4=4 a.rights:4=4 a.writev:1+8=4 a.write:9=EIO a.write:1=1 \
		b.read:4=4 b.takerights:9=4 b.read:9=5
	fires 1 'write:hangup:match=cd' a.rights:1=1 a.say:abc=3 a.say:def=1 a.say:x=EPIPE b.takerights:1=1 \
		b.read:9=4 b.read:9=0 b.write:1=EPIPE
	fires 1 write:discard:when=2 a.rights:5=5 a.write:6=6 a.write:7=7 b.takerights:5=5 b.lost:6=0 b.read:99=7
	fires 1 write:corrupt=4:when=2 a.rights:5=5 a.write:6=6 b.takerights:5=5 b.flipped:4=0 b.read:99=6
	fires 1 write:reset:at=8 a.rights:5=5 a.write:6=3 b.lost=0 b.read:9=ECONNRESET b.read:9=0
}

@test "splice and sendfile into a direction that descriptors went through" {
	local steps="b.takerights:1=1 b.read:9=9"
	natively steps a.rights:1=1 a.splicein:5=5 a.sendfile:4=4 $steps
	bounded "$WEIR" run -- "$PROGRAMS/steps" a.rights:1=1 a.splicein:5=5 a.sendfile:4=4 $steps
	fires 1 write:short=1:when=1 a.rights:3=1 a.splicein:5=5 a.sendfile:4=4 $steps
}

@test "a direction that descriptors went through, where it is read" {
	fires 1 read:short=3:when=1 a.rights:9=9 b.takerights:9=3 b.read:9=6
	fires 1 read:short=3:when=2 a.rights:9=9 a.write:9=9 b.takerights:9=9 b.readv:2+9=3 b.read:9=6
	fires 1 read:error=EIO:when=1 a.rights:9=9 b.takerights:9=EIO b.takerights:9=9
	fires 1 read:error=EIO:at=12 a.write:4=4 a.rights:4=4 a.write:9=9 b.read:9=4 b.takerights:9=4 \
		b.read:9=4 b.read:9=EIO b.read:9=5
	fires 1 'read:error=EIO:match=cd' a.rights:1=1 a.say:abcdef=6 b.takerights:1=1 b.read:9=4 b.read:9=EIO \
		b.read:9=2
	fires 1 read:corrupt=2:at=3 a.rights:2=2 a.write:4=4 b.takerights:2=2 b.read:1=1 b.flipped:2=0 b.read:9=3
	fires 1 read:stall:when=2 -n a.rights:9=9 b.takerights:9=9 b.read:9=EAGAIN a.write:3=3 b.poll=OUT
}

@test "--capacity for some directions" {
	WEIR_TEST_OPTIONS=(--capacity 64 --capacity pair=2,side=b:1000)
	fires 1 write:short=1:when=1:pair=4 4a.write:2=1 a.sendnow:999=64 b.sendnow:999=64 2a.sendnow:999=64 \
		2b.sendnow:9999=1000 3b.sendnow:999=64
	WEIR_TEST_OPTIONS=(--capacity side=a:3 --capacity comm=nobody:7)
	fires 1 write:short=1:when=1:pair=4 4a.write:2=1 a.sendnow:999=3 b.sendnow:999=999
}

@test "whoever waits is woken by the end" {
	for rule in write:eof:when=2:side=a write:hangup:when=2:side=a; do
		case_fires $rule ends_wake_a_reader 1
		case_fires $rule ends_wake_a_poll 1
		case_fires $rule ends_wake_an_epoll 1
		case_fires $rule ends_wake_a_select 1
	done
	case_fires write:reset:when=2:side=a reset_wakes_a_reader 1
	case_fires write:reset:when=2:side=a reset_is_an_error 1
	case_fires write:reset:when=2:side=a ends_wake_a_poll 1
	case_fires write:reset:when=2:side=a ends_wake_an_epoll 1
	for effect in eof hangup reset; do
		case_fires read:$effect:when=2:side=b ends_wake_a_writer 1
	done
	for effect in hangup reset; do # Linux does not call a full direction writable for SHUT_RD
		case_fires read:$effect:when=2:side=b ends_wake_a_poll_for_room 1
	done
}

@test "a stall ends by a timeout, a signal, or with the peer" {
	case_fires read:stall:when=1:side=b stalled_read_ends_in_time 1
	case_fires write:stall:when=1:side=a stalled_write_ends_in_time 1
	case_fires read:stall:when=1:side=b stall_is_interrupted 1
	case_fires read:stall:when=1:side=b stall_goes_on_after_a_restarting_handler 1
	case_fires read:stall:when=1:side=b stall_ends_with_the_peer 1
	case_fires write:stall:when=1:side=a stalled_write_ends_with_the_peer 1
	case_fires read:stall:when=1:side=b stall_ends_when_the_peer_is_killed 1
}

@test "no signal is missed by who waits in a stall" {
	for how in a_read a_poll a_select an_epoll; do
		case_fires read:stall:side=b signals_end_$how
	done
}

@test "what is held is not ready, and is told later, once" {
	case_fires read:stall:when=1:side=b stall_is_not_ready 1
	case_fires read:stall:when=1:side=b stall_is_not_ready_among_many 1
	for mode in a_level an_edge a_oneshot; do
		case_fires read:delay=200ms:when=2:side=b delay_in_${mode}_epoll 1
	done
}

# Held for less than a call takes: EAGAIN is given, and nothing is held any more.
@test "delay: a watcher of edges sees what a hold that has ended left behind" {
	for seed in {1..40}; do
		run -0 timeout 20 "$WEIR" run --quiet --capacity 4K --seed "$seed" --fault 'read:delay=1ns:p=0.2' -- \
			"$PROGRAMS/exchange" edges 30000 "$seed"
	done
}

# Nobody tells again of what a call has left that failed by a rule, but weir itself.
@test "errors and short calls: a watcher of edges sees what they left behind" {
	for seed in {1..20}; do
		run -0 timeout 60 "$WEIR" run --quiet --capacity 4K --seed "$seed" --fault 'any:error=EAGAIN:p=0.3' \
			--fault 'any:short=7:p=0.2' -- "$PROGRAMS/exchange" edges 100000 "$seed"
	done
}

@test "a delay" {
	case_fires read:delay=200ms:when=2:side=b delay_in_poll_and_select 1
	case_fires write:delay=200ms:when=2:side=a delayed_write_in_epoll 1
	case_fires read:delay=200ms:at=1:pair=1 delay_does_not_hold_up_others 1
	case_fires read:delay=200ms:at=1 delay_blocks_a_reader 1
	case_fires write:delay=1ms..3ms:p=0.1 blocking_calls_get_no_EAGAIN
}

@test "a rate is kept within a twentieth, smoothly" {
	case_fires write:rate=200K/s:side=a rate_keeps_its_pace
	case_fires read:rate=200K/s:side=b rate_is_smooth
	WEIR_TEST_OPTIONS=(--capacity 1M)
	case_fires write:rate=200K/s:side=a rate_is_smooth
}

@test "no byte is lost or doubled" {
	for name in bytes_are_conserved bytes_are_conserved_without_blocking; do
		WEIR_TEST_OPTIONS=(--capacity 1000 --fault any:delay=10us..1ms:p=0.01
			--fault any:error=EAGAIN:p=0.05 --fault any:error=EINTR:p=0.05)
		case_fires any:short=100:p=0.3 $name
		WEIR_TEST_OPTIONS=(--fault read:short:when=1+50 --fault write:short=7:p=0.2)
		case_fires any:delay=1ms:p=0.01 $name
	done
}

@test "a call that has waited is counted once" {
	case_fires read:error=EIO:when=3:side=b a_wait_is_no_second_call 1
}

@test "a short message passes its descriptors once, between processes" {
	case_fires write:short=3:pair=1 short_messages_pass_descriptors_once 2
}

@test "a process behind a seccomp filter is left alone" {
	case_fires any:delay=20ms:when=1 sandboxed_calls_are_left_alone 2
	for seed in 1 2 3; do
		run -0 bounded "$WEIR" run --chaos=$seed -- "$PROGRAMS/faulty" sandboxed_calls_are_left_alone
	done
}

# logs SEED CASE: what each side's calls gave.
logs() {
	bounded "$WEIR" run --fault any:error=EIO:p=0.3 --seed "$1" -- "$PROGRAMS/faulty" "$2" \
		2>&1 >/dev/null | grep '^log' | sort
}

@test "the same seed decides the same, in threads and processes" {
	local first
	first=$(logs 7 log_in_one_thread)
	[ "$(wc -l <<<"$first")" = 2 ]
	[[ $first == *E*.*E* ]]
	[ "$(sed -n 1s/..a..//p <<<"$first")" != "$(sed -n 2s/..b..//p <<<"$first")" ]
	for name in log_in_one_thread log_in_two_threads log_in_two_processes log_after_exec; do
		[ "$(logs 7 $name)" = "$first" ] || { echo "$name"; logs 7 $name; return 1; }
		[ "$(logs 8 $name)" != "$first" ]
	done
	natively faulty randomness_is_left_alone
	case_fires any:delay=1us..2us:p=0.3 randomness_is_left_alone
}

# tells STATUS ARG...: `weir run ARG...` ends so; what it says is in $stderr.
tells() {
	local status=$1
	shift
	run "-$status" --separate-stderr bounded "$WEIR" run "$@"
}

@test "the report: one line for each rule, the seed when something was drawn" {
	tells 0 --fault write:error=EPIPE:when=3 --fault read:eof:pair=9 --fault write:short=2:when=1..2 -- \
		"$PROGRAMS/steps" a.write:9=2 a.write:9=2 a.write:9=EPIPE sigpipe=1 b.read:99=4
	[ "${#stderr_lines[@]}" -eq 4 ]
	[[ ${stderr_lines[0]} =~ ^weir:\ fault\ write:error=EPIPE:when=3\ fired\ once:\ pair\ 1,\ side\ a,\ pid\ [0-9]+\ \(steps\),\ call\ 3,\ byte\ 4$ ]]
	[ "${stderr_lines[1]}" = "weir: fault read:eof:pair=9 never fired" ]
	[[ ${stderr_lines[2]} =~ ^weir:\ fault\ write:short=2:when=1..2\ fired\ 2\ times:\ first\ pair\ 1,\ side\ a,\ pid\ [0-9]+\ \(steps\),\ call\ 1,\ byte\ 0$ ]]
	[[ ${stderr_lines[3]} =~ ^weir:\ seed\ [0-9]+$ ]]
	tells 0 --seed 5 --fault write:short:when=1 -- "$PROGRAMS/steps" a.write:2=1
	[ "${#stderr_lines[@]}" -eq 1 ]
	tells 0 --fault write:short:when=1 -- true
	[ "$stderr" = "weir: fault write:short:when=1 never fired" ]
}

@test "--strict and --quiet" {
	tells 123 --strict --fault write:short:when=9 -- "$PROGRAMS/steps" a.write:2=2
	[ "$stderr" = "weir: fault write:short:when=9 never fired" ]
	tells 123 --strict --quiet --fault write:short:when=9 -- "$PROGRAMS/steps" a.write:2=2
	[ -z "$stderr" ]
	tells 123 --strict --fault write:short:when=9 --fault write:short:when=1 -- "$PROGRAMS/steps" a.write:2=1
	tells 0 --strict --quiet --fault write:short:when=1 -- "$PROGRAMS/steps" a.write:2=1
	[ -z "$stderr" ]
	tells 3 --strict --fault write:short -- sh -c 'exit 3'
	WEIR_STRICT=1 WEIR_QUIET=1 WEIR_FAULT=write:short tells 123 true
	[ -z "$stderr" ]
}

@test "rules come from options, a variable, files and standard input, in order" {
	printf '%s\n' '# comment' '' '  write:short=2:when=2  ' write:error=EIO:when=3 >"$BATS_TEST_TMPDIR/rules"
	tells 0 --strict --seed 1 --faults "$BATS_TEST_TMPDIR/rules" --fault write:short=1:when=1 -- \
		"$PROGRAMS/steps" a.write:9=1 a.write:9=2 a.write:9=EIO a.write:9=9
	[[ ${stderr_lines[0]} == *"write:short=1:when=1 fired once"* ]]
	[[ ${stderr_lines[2]} == *"write:error=EIO:when=3 fired once"* ]]
	run -0 --separate-stderr timeout 20 "$WEIR" run --strict --seed 1 --faults - -- "$PROGRAMS/steps" \
		a.write:9=2 <<<'write:short=2'
	WEIR_FAULT='write:short=2:when=1;write:error=EIO:when=2' tells 0 --strict --seed 1 -- \
		"$PROGRAMS/steps" a.write:9=2 a.write:9=EIO a.write:9=9
	[ "${#stderr_lines[@]}" -eq 2 ]
	# An option takes the variable's place.
	WEIR_FAULT=write:error=EIO tells 0 --strict --seed 1 --fault write:short -- "$PROGRAMS/steps" a.write:9=1
}

@test "rules work preloaded without the command" {
	local command=(env LD_PRELOAD="$LIBWEIR" WEIR_SEED=1 "WEIR_FAULT=write:short=2:when=1;write:eof:at=5")
	run -0 --separate-stderr bounded "${command[@]}" "$PROGRAMS/steps" a.write:9=2 a.write:9=3 \
		a.write:9=EPIPE b.read:9=5 b.read:9=0
	run -0 --separate-stderr bounded env LD_PRELOAD="$LIBWEIR" WEIR_CAPACITY=pair=2:5 \
		"$PROGRAMS/steps" 2a.sendnow:9=5 a.sendnow:9=9
}

@test "a bad rule: one line, status 125, and nothing is started" {
	local bad
	for bad in wirte:eof write write:short=0 write:error=ENOTHING write:eof:when=0 write:eof:at=1:when=2 \
		write:delay=5 read:discard write:eof:p=2 write:eof:side=c write:eof:bla=1 write:match=x ''; do
		tells 125 --fault "$bad" -- touch "$BATS_TEST_TMPDIR/started"
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "weir: --fault '$bad': column "*": expected "* ]]
	done
	WEIR_FAULT=nothing tells 125 touch "$BATS_TEST_TMPDIR/started"
	[[ $stderr == "weir: WEIR_FAULT 'nothing': column 1 "* ]]
	printf '%s\n' write:eof '# x' write:bad >"$BATS_TEST_TMPDIR/rules"
	tells 125 --faults "$BATS_TEST_TMPDIR/rules" touch "$BATS_TEST_TMPDIR/started"
	[[ $stderr == "weir: $BATS_TEST_TMPDIR/rules:3 'write:bad': column 7 "* ]]
	tells 125 --faults "$BATS_TEST_TMPDIR/none" touch "$BATS_TEST_TMPDIR/started"
	[ "${#stderr_lines[@]}" -eq 1 ]
	tells 125 --mark side=a touch "$BATS_TEST_TMPDIR/started"
	tells 125 --capacity pair=2,side=q:64 touch "$BATS_TEST_TMPDIR/started"
	[ ! -e "$BATS_TEST_TMPDIR/started" ]
}

@test "--mark: the other pairs are the kernel's" {
	tells 0 --strict --seed 1 --mark pair=2 --capacity 10 --fault write:short=2:when=1 -- "$PROGRAMS/steps" \
		a.sendnow:99=99 2a.sendnow:99=2 2a.sendnow:99=8 3a.sendnow:99=99
	[[ $stderr == *" fired once: pair 2, "* ]]
	tells 0 --strict --mark nth=3 --capacity 10 -- "$PROGRAMS/steps" a.sendnow:99=99 3a.sendnow:99=10
	tells 0 --mark exe=ste* --mark comm=nobody --capacity 10 -- "$PROGRAMS/steps" a.sendnow:99=10
	tells 0 --mark comm=nobody --capacity 10 -- "$PROGRAMS/steps" a.sendnow:99=99
	tells 0 --mark 'exe=*/tests/steps' --capacity 10 -- "$PROGRAMS/steps" a.sendnow:99=10
}

@test "--stats tells what fired" {
	tells 0 --quiet --seed 77 --stats "$BATS_TEST_TMPDIR/stats" --fault 'write:error=EIO:match="\\n' \
		--fault read:short=2 -- "$PROGRAMS/steps" b.write:5=5 a.read:9=2 a.read:2=2 a.read:9=1 \
		b.write:5=5 a.read:9=2
	"$PYTHON" - "$BATS_TEST_TMPDIR/stats" <<-'PROOF'
		import json, sys
		stats = json.load(open(sys.argv[1]))
		assert stats["seed"] == 77, stats
		never, fired = stats["faults"]
		assert never == {"rule": r'write:error=EIO:match="\\n', "fired": 0, "first": None}, never
		assert fired["rule"] == "read:short=2" and fired["fired"] == 3, fired
		first = fired["first"]
		assert first.pop("pid") > 1
		assert first == {"pair": 1, "side": "a", "op": "read", "comm": "steps", "call": 1, "byte": 0}, first
	PROOF
	tells 0 --stats "$BATS_TEST_TMPDIR/stats" -- true
	"$PYTHON" -c 'import json, sys; assert json.load(open(sys.argv[1]))["faults"] == []' "$BATS_TEST_TMPDIR/stats"
}

# The only thread of its process: most of these calls pass without a look at the rules' state.
# Of one thread that has both ends, whose calls go every way that there is.
@test "calls of all ways are counted exactly, until one fails" {
	for watch in 0 1 0x80000001; do
		for n in 1 2 37 2000; do
			run bounded "$WEIR" run --quiet --fault "write:error=EIO:when=$n:side=a" \
				--fault "read:error=EIO:when=$n:side=b" -- "$PYTHON" -c '
import os, random, select, socket, sys
a, b = socket.socketpair()
a.setblocking(False), b.setblocking(False)
poller = select.epoll()
if int(sys.argv[1], 0):
    poller.register(b, int(sys.argv[1], 0))
made, failed = {"write": 0, "read": 0}, {}
def make(which, *calls):
    made[which] += 1
    try:
        call, *arguments = random.choice(calls)
        call(*arguments)
    except BlockingIOError:
        pass
    except OSError as error:
        assert error.errno == 5 and which not in failed, error
        failed[which] = made[which]
while len(failed) < 2:
    data = bytes(random.choice((1, 64, 900, 5000, 70000)))
    make("write", (os.write, a.fileno(), data), (a.send, data), (os.writev, a.fileno(), [data[:1], b"", data[1:]]))
    if random.random() < 0.5:
        poller.poll(0)
    for size in random.choices((1, 64, 70000), k=random.choice((0, 1, 2, 3))):
        make("read", (os.read, b.fileno(), size), (b.recv, size), (os.readv, b.fileno(), [bytearray(size)]))
print(failed["write"], failed["read"])' "$watch"
			echo "$watch $n: $output"
			[ "$status" -eq 0 ]
			[ "$output" = "$n $n" ]
		done
	done
}

# With a second thread calls take the ways with locks, which look at the text where it lies.
@test "a text is found across reads that ask for more than there is" {
	for threads in 1 2; do
		run bounded "$WEIR" run --quiet --fault read:error=EIO:match=123 -- "$PYTHON" -c '
import os, socket, sys, threading
a, b = socket.socketpair()
done = threading.Event()
if sys.argv[1] == "2":
    threading.Thread(target=done.wait).start()
def exchange(text):
    os.write(a.fileno(), text)
    return os.read(b.fileno(), 100)
for n in range(100):
    assert exchange(b"12-%d" % n) == b"12-%d" % n
assert exchange(b"half of it: 12") == b"half of it: 12"
assert exchange(b"3, the rest") == b"3" # up to the end of the text
try:
    os.read(b.fileno(), 100)
    print("missed")
except OSError as error:
    print(error.errno, os.read(b.fileno(), 100).decode(), exchange(b"123").decode())
done.set()' "$threads"
		echo "$threads: $output"
		[ "$status" -eq 0 ]
		[ "$output" = "5 , the rest 123" ]
	done
}

@test "vectors are counted exactly, too, where nothing happens for many calls" {
	run bounded "$WEIR" run --quiet --fault write:error=EIO:when=60 --fault read:error=EIO:when=70 -- \
		python3 -c '
import os, socket
a, b = socket.socketpair()
def first_failure(call):
    for n in range(1, 200):
        try:
            call()
        except OSError:
            return n
first, second = bytearray(1), bytearray(1)
def write():
    assert os.writev(a.fileno(), [b"x", b"", b"y"]) == 2
def exchange():
    write()
    assert os.readv(b.fileno(), [first, bytearray(0), second]) == 2 and first + second == b"xy"
print(first_failure(exchange), first_failure(exchange))'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "60 11" ]
}
