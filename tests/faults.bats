#!/usr/bin/env bats
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
		b.read:9=4 b.takerights:9=4 b.read:9=5
	fires 1 'write:hangup:match=cd' a.rights:1=1 a.say:abc=3 a.say:def=1 a.say:x=EPIPE b.takerights:1=1 \
		b.read:9=4 b.read:9=0 b.write:1=EPIPE
	fires 1 write:discard:when=2 a.rights:5=5 a.write:6=6 a.write:7=7 b.takerights:5=5 b.lost:6=0 b.read:99=7
	fires 1 write:corrupt=4:when=2 a.rights:5=5 a.write:6=6 b.takerights:5=5 b.flipped:4=0 b.read:99=6
	fires 1 write:reset:at=8 a.rights:5=5 a.write:6=3 b.lost=0 b.read:9=ECONNRESET b.read:9=0
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
