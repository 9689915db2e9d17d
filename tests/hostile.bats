#!/usr/bin/env bats
# Hostile surroundings: what weir needs is missing, refused, limited or elsewhere. In each it
# works, or the pairs stay with the kernel and one line says why; never a crash, a hang or
# corrupted bytes.
#
# tests/programs/surroundings.c does the same natively and under weir; `marked`, `unmarked` and
# `refused` name the outcome, to the line.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a process of its own

load helpers

setup() {
	SAYS="weir: socketpairs are the kernel's:"
	BEFORE=()                               # stands before `weir run`
	SURROUNDINGS=$PROGRAMS/surroundings
	DENY=$PROGRAMS/deny
	NO_ROOM="no room for its memory: fewer --max-pairs need less"
	cd "$BATS_TEST_TMPDIR" || return
}

# What this machine does not let tests make (namespaces and cgroups in a container) is said, with
# its reason, beside the result, and counted at the end.
cannot() {
	echo "# not looked at on this machine: $BATS_TEST_DESCRIPTION: $*" | tee -a "$BATS_FILE_TMPDIR/left-out" >&3
}

teardown_file() {
	local count=0
	[ ! -e "$BATS_FILE_TMPDIR/left-out" ] || count=$(wc -l <"$BATS_FILE_TMPDIR/left-out")
	echo "# $count of ${#BATS_TEST_NAMES[@]} surroundings could not be made on this machine" >&3
}

needs_root() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "only root can do this: run the tests as root"
		return 1
	fi
}

# only_standard COMMAND...: with the descriptors 0, 1 and 2 alone, so that numbers are known.
only_standard() {
	bounded "$@" 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
}

# under COMMAND...: leaves out, err, stats and STATUS.
under() {
	rm -f stats
	STATUS=0
	only_standard "${BEFORE[@]}" "$WEIR" run "${WEIR_TEST_OPTIONS[@]}" --stats stats -- "$@" \
		>out 2>err || STATUS=$?
}

# alone COMMAND...: the library without the command.
alone() {
	rm -f stats
	STATUS=0
	only_standard env LD_PRELOAD="$LIBWEIR" WEIR_STATS="$PWD/stats" "${BEFORE[@]}" "$@" \
		>out 2>err || STATUS=$?
}

# as_natively COMMAND...: the same output and status as that had.
as_natively() {
	local status=0
	only_standard "$@" >native 2>native.err || status=$?
	if [ "$STATUS" -ne "$status" ] || ! diff native out || [ ! -s native ]; then
		echo "status $status natively, $STATUS under weir of: $*"
		cat err
		return 1
	fi
}

# said LINE...: these are the lines on standard error, and no others.
said() {
	diff <([ $# -eq 0 ] || printf '%s\n' "$@") err
}

# carried COUNT: so many pairs were.
carried() {
	local count
	count=$("$PYTHON" -c 'import json, sys; print(json.load(open("stats"))["pairs"])')
	[ "$count" -eq "$1" ] || { echo "$count pairs, not $1"; return 1; }
}

# marked COUNT COMMAND...: as natively, silent, and that many pairs were carried.
marked() {
	local count=$1
	shift
	under "$@"
	as_natively "$@" && said && carried "$count"
}

# unmarked WHY COMMAND...: as natively, no pair was carried, and one line says why.
unmarked() {
	local why=$1
	shift
	under "$@"
	as_natively "$@" && said "$SAYS $why" && carried 0
}

# refused LINE COMMAND...: it does not start; status 125 and one line.
refused() {
	local line=$1
	shift
	under "$@"
	[ "$STATUS" -eq 125 ] && [ ! -s out ] && said "weir: $line"
}

# alone_unmarked WHY COMMAND...: the same as unmarked, of the library alone.
alone_unmarked() {
	local why=$1
	shift
	alone "$@"
	as_natively "$@" && said "$SAYS $why"
}

# ---- the tests themselves can fail ----

@test "canary: each outcome is told from the others" {
	marked 2 "$SURROUNDINGS" exchange exec
	run ! unmarked "$NO_ROOM" "$SURROUNDINGS" exchange
	run ! refused "anything" "$SURROUNDINGS" exchange
	run ! marked 3 "$SURROUNDINGS" exchange exec
	WEIR_TEST_OPTIONS=(--quiet --fault write:corrupt:when=7)
	under "$SURROUNDINGS" exchange
	[ "$STATUS" -eq 1 ]
	grep -qx 'exchange FAILED: the bytes (0)' out
	run ! marked 1 "$SURROUNDINGS" exchange
}

@test "canary: the filters refuse and kill" {
	run -1 bounded "$DENY" socketpair=EPERM -- "$SURROUNDINGS" exchange
	[ "$output" = "exchange FAILED: socketpair (EPERM)" ]
	run -0 bounded "$DENY" "socketpair@0&0xff=10=EPERM" -- "$SURROUNDINGS" exchange
	run -159 bounded "$DENY" socketpair=kill -- "$SURROUNDINGS" exchange
	run -159 bounded "$DENY" only execve -- "$SURROUNDINGS" exchange
}

# ---- calls that fail or are missing ----

# What is shared is mapped with MAP_SHARED; the program's own mappings are not.
MMAP='mmap@3&1=1=ENOMEM'

@test "no memfd_create" {
	BEFORE=("$DENY" memfd_create=ENOSYS --)
	refused "cannot make the session: Function not implemented" "$SURROUNDINGS" exchange
	BEFORE=("$DENY" memfd_create=EMFILE --)
	refused "cannot make the session: Too many open files" "$SURROUNDINGS" exchange
	alone_unmarked "Too many open files" "$SURROUNDINGS" exchange exec exchange
}

@test "no mapping" {
	BEFORE=("$DENY" "$MMAP" --)
	refused "cannot make the session: $NO_ROOM" "$SURROUNDINGS" exchange
	alone_unmarked "$NO_ROOM" "$SURROUNDINGS" exchange child exec
}

@test "no getrandom: a seed all the same" {
	BEFORE=("$DENY" getrandom=ENOSYS --)
	marked 2 "$SURROUNDINGS" exchange exec
	WEIR_TEST_OPTIONS=(--fault read:short=1:p=0.5)
	under "$SURROUNDINGS" exchange
	as_natively "$SURROUNDINGS" exchange
	grep -qE '^weir: seed [0-9]+$' err
}

@test "no SO_COOKIE" {
	BEFORE=("$DENY" 'getsockopt@2&0xffff=57=ENOPROTOOPT' --)
	unmarked "the kernel gives sockets no SO_COOKIE" "$SURROUNDINGS" exchange child exec spawn
	alone_unmarked "the kernel gives sockets no SO_COOKIE" "$SURROUNDINGS" exchange exec
}

@test "no madvise, no prctl, no close_range: nothing is missed" {
	BEFORE=("$DENY" madvise=EINVAL --)
	marked 3 "$SURROUNDINGS" exchange child exec
}

@test "WEIR_SESSION names something else" {
	for other in "$BATS_TEST_FILENAME" /dev/null; do
		BEFORE=(env WEIR_SESSION="$other")
		alone_unmarked "WEIR_SESSION names no session of this version" "$SURROUNDINGS" exchange child exec
	done
	BEFORE=(env WEIR_SESSION=/proc/1/fd/none)
	alone_unmarked "No such file or directory" "$SURROUNDINGS" exchange child exec
}

# ---- limits ----

@test "RLIMIT_NOFILE" {
	BEFORE=(prlimit --nofile=4)
	refused "cannot make the session: Too many open files" "$SURROUNDINGS" exchange
	BEFORE=(prlimit --nofile=6)
	marked 2 "$SURROUNDINGS" exchange names
	BEFORE=()
	marked 1 prlimit --nofile=5 "$SURROUNDINGS" exchange
	marked 2 prlimit --nofile=6 "$SURROUNDINGS" exchange names
}

@test "RLIMIT_NOFILE when a pair is made" {
	marked 1 "$SURROUNDINGS" open limit files 5 kept
	under "$SURROUNDINGS" open limit files 5 exchange
	as_natively "$SURROUNDINGS" open limit files 5 exchange
	grep -qx 'exchange FAILED: socketpair (EMFILE)' out
	said
	marked 2 "$SURROUNDINGS" limit files 4000 high limit files 64 exchange
}

@test "RLIMIT_NOFILE, the library alone" {
	BEFORE=(prlimit --nofile=5)
	alone_unmarked "Too many open files" "$SURROUNDINGS" exchange
	BEFORE=(prlimit --nofile=16)
	alone "$SURROUNDINGS" exchange names
	as_natively "$SURROUNDINGS" exchange names
	said
	carried 2
}

# A session takes at most half of what a limited address space has.
@test "RLIMIT_AS" {
	BEFORE=(prlimit --as=2000000000)
	marked 3 "$SURROUNDINGS" exchange child exec
	BEFORE=(prlimit --as=20000000)
	refused "cannot make the session: $NO_ROOM" "$SURROUNDINGS" exchange
	BEFORE=()
	marked 3 prlimit --as=200000000 "$SURROUNDINGS" exchange exec child
	# A static program's limit counts all.
	WEIR_TEST_OPTIONS=(--allow-unreachable)
	# shellcheck disable=SC2016 # expands there
	local limited=(busybox sh -c 'ulimit -v 2000000; exec "$0" "$@"' "$SURROUNDINGS")
	unmarked "$NO_ROOM" "${limited[@]}" exchange exec child
	WEIR_TEST_OPTIONS+=(--max-pairs 50)
	marked 3 "${limited[@]}" exchange exec child
}

# What a pair holds for a program that cannot map the session any more is carried.
@test "RLIMIT_AS that comes while the program runs" {
	marked 5 "$SURROUNDINGS" open exchange limit as 200000000 exchange child exec kept
	# shellcheck disable=SC2016 # expands there
	marked 6 "$SURROUNDINGS" limits limit as 2000000000 limits allocate 1500000000 miss 2100000000 \
		exchange child exec spawn by bash -c 'ulimit -v; ulimit -v 1000000; ulimit -v; exec "$0" serve 0' \
		"$SURROUNDINGS" \; by "$SURROUNDINGS" serve 0 \; miss 2100000000
}

@test "RLIMIT_FSIZE" {
	BEFORE=(prlimit --fsize=1000000)
	refused "cannot make the session: RLIMIT_FSIZE is smaller than its memory" "$SURROUNDINGS" exchange
	alone_unmarked "RLIMIT_FSIZE is smaller than its memory" "$SURROUNDINGS" exchange exec
	BEFORE=(prlimit --fsize=2000000000)
	marked 2 "$SURROUNDINGS" exchange exec
	BEFORE=()
	marked 3 "$SURROUNDINGS" exchange limit file-size 100 exchange exec
}

# Nobody can carry for the program, which would take bells for bytes: it does not start.
@test "no process for who would carry" {
	needs_root
	under "$SURROUNDINGS" crowded
	[ "$STATUS" -eq 1 ]
	grep -qx 'exec: EAGAIN' out
	said "weir: pairs cannot be handed on: Resource temporarily unavailable"
}

# ---- memory cgroups ----

# make_cgroup BYTES: a memory cgroup of that size, its folder in CGROUP; else why there is none.
make_cgroup() {
	local base
	if [ -w /sys/fs/cgroup/cgroup.procs ] && grep -qw memory /sys/fs/cgroup/cgroup.subtree_control; then
		CGROUP=/sys/fs/cgroup/weir-$$-$BATS_TEST_NUMBER
		mkdir "$CGROUP" 2>why && echo "$1" >"$CGROUP/memory.max" 2>why
	elif base=/sys/fs/cgroup/memory && [ -w $base/cgroup.procs ]; then
		CGROUP=$base/weir-$$-$BATS_TEST_NUMBER
		mkdir "$CGROUP" 2>why && echo "$1" >"$CGROUP/memory.limit_in_bytes" 2>why
	else
		echo "there is no memory cgroup that may be written" >why
		return 1
	fi
}

teardown() {
	[ -z "$CGROUP" ] || rmdir "$CGROUP"
}

@test "a memory cgroup" {
	if ! make_cgroup 64M; then
		cannot "$(cat why)"
		return
	fi
	# shellcheck disable=SC2016 # expands there
	BEFORE=(bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$CGROUP")
	marked 4 "$SURROUNDINGS" exchange child exec spawn
	WEIR_TEST_OPTIONS=(--capacity 4M)
	marked 4 "$SURROUNDINGS" exchange child exec spawn
}

# A ring that outgrows the group ends the program as any memory would; weir tells of it.
@test "a memory cgroup that is too small for the capacity" {
	if ! make_cgroup 32M; then
		cannot "$(cat why)"
		return
	fi
	# shellcheck disable=SC2016
	BEFORE=(bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$CGROUP")
	WEIR_TEST_OPTIONS=(--capacity 256M)
	under "$PYTHON" -c 'import socket; a, b = socket.socketpair(); a.sendall(bytes(200 << 20))'
	[ "$STATUS" -eq 137 ]
}

# ---- seccomp filters that kill ----

# What surroundings calls natively, and its loader.
ONLY=(only access alarm arch_prctl brk close execve exit_group fstat futex getrandom mmap mprotect
	munmap newfstatat openat poll pread64 prlimit64 read rseq rt_sigaction set_robust_list
	set_tid_address socketpair write)
FILTERED="a seccomp filter was installed, and what it allows is not known"

@test "a program behind a filter that kills unknown calls" {
	unmarked "$FILTERED" "$DENY" "${ONLY[@]}" -- "$SURROUNDINGS" exchange
	WEIR_TEST_OPTIONS=(--no-follow)
	unmarked "$FILTERED" "$DENY" "${ONLY[@]}" -- "$SURROUNDINGS" exchange
}

@test "a pair that goes along behind such a filter" {
	marked 3 "$SURROUNDINGS" open by "$DENY" "${ONLY[@]}" -- "$SURROUNDINGS" serve 0 \; exchange kept
	marked 1 "$SURROUNDINGS" by "$DENY" "${ONLY[@]}" -- "$PROGRAMS/child-static" echo \;
}

# As libseccomp and systemd ask.
@test "the question whether the kernel knows filters installs none" {
	marked 1 "$PYTHON" -c '
import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
print(libc.prctl(22, 2, None, 0, 0), ctypes.get_errno())        # PR_SET_SECCOMP
print(libc.syscall(317, 1, 0, None), ctypes.get_errno())        # seccomp
a, b = socket.socketpair()
a.send(b"x")
print(b.recv(1))'
}

@test "a filter that refuses, for weir and the program" {
	BEFORE=("$DENY" getrandom=ENOSYS madvise=EINVAL --)
	marked 4 "$SURROUNDINGS" exchange child exec spawn
}

# ---- another root ----

# a_root: a folder with the program and its C library, without /proc.
a_root() {
	local loader libc
	loader=$(readelf -p .interp "$SURROUNDINGS" | grep -o '/.*')
	libc=$(bounded ldd "$SURROUNDINGS" | sed -nE 's/.*libc\.so\.6 => ([^ ]+).*/\1/p')
	mkdir -p "root$(dirname "$loader")" "root$(dirname "$libc")" "root$(dirname "$SURROUNDINGS")" root/proc
	cp "$loader" "root$loader"
	cp "$libc" "root$libc"
	cp "$SURROUNDINGS" "root$SURROUNDINGS"
}

# The loader's own words where it does not find the library.
LOADER_SAYS="from LD_PRELOAD cannot be preloaded"

@test "chroot without /proc" {
	needs_root
	a_root
	marked 3 "$SURROUNDINGS" open root "$PWD/root" kept exchange child
	under "$SURROUNDINGS" open root "$PWD/root" exec spawn limit files 4096 high kept
	as_natively "$SURROUNDINGS" open root "$PWD/root" exec spawn limit files 4096 high kept
	carried 4
	[ "$(grep -vc "$LOADER_SAYS" err)" -eq 0 ]
	[ "$(grep -c "$LOADER_SAYS" err)" -eq 3 ]
}

@test "a program that starts in a chroot without /proc" {
	needs_root
	a_root
	under chroot "$PWD/root" "$SURROUNDINGS" exchange
	as_natively chroot "$PWD/root" "$SURROUNDINGS" exchange
	carried 0
	[ "$(wc -l <err)" -eq 1 ]
	grep -q "$LOADER_SAYS" err
	mkdir -p "root$(dirname "$LIBWEIR")"
	cp "$LIBWEIR" "root$LIBWEIR"
	unmarked "No such file or directory" chroot "$PWD/root" "$SURROUNDINGS" exchange
}

@test "chroot with /proc, without the library" {
	needs_root
	a_root
	if ! unshare --mount true 2>why; then
		cannot "$(cat why)"
		return
	fi
	# shellcheck disable=SC2016
	BEFORE=(unshare --mount bash -c 'mount --bind /proc "$0/proc" && exec "$@"' "$PWD/root")
	under "$SURROUNDINGS" open root "$PWD/root" exec spawn kept
	as_natively "$SURROUNDINGS" open root "$PWD/root" exec spawn kept
	carried 3
}

@test "the library is removed while the program runs" {
	mkdir copy
	cp "$WEIR" "$LIBWEIR" copy/
	WEIR=$PWD/copy/weir
	under "$SURROUNDINGS" exchange remove copy/libweir.so exchange child exec spawn
	[ "$STATUS" -eq 0 ]
	carried 5
	[ "$(tail -1 out)" = "spawn ok" ]
}

# ---- namespaces ----

# can_unshare OPTION...: says what cannot be looked at.
can_unshare() {
	unshare "$@" true 2>why || { cannot "$(cat why)"; return 1; }
}

@test "a PID namespace" {
	can_unshare --pid --fork --mount-proc || return 0
	marked 6 "$SURROUNDINGS" open exchange inner kept exchange child exec spawn
	unmarked "No such file or directory" unshare --pid --fork --mount-proc \
		"$SURROUNDINGS" open exchange inner kept exchange child exec spawn
	# With the first process of a namespace the kernel kills all others in it, so that one stays.
	marked 2 "$SURROUNDINGS" open by unshare --pid --fork --mount-proc sh -c "\"\$0\" serve 0; sleep 2" "$SURROUNDINGS" \; kept
	BEFORE=(unshare --pid --fork --mount-proc)
	marked 5 "$SURROUNDINGS" open exchange child exec spawn kept
}

@test "two processes of one number write to one end" {
	can_unshare --pid --fork --mount-proc || return 0
	marked 1 "$SURROUNDINGS" namesakes
	WEIR_TEST_OPTIONS=(--capacity 64)
	marked 1 "$SURROUNDINGS" namesakes
}

@test "who waits for a process that is not seen is in no deadlock" {
	can_unshare --pid --fork --mount-proc || return 0
	WEIR_TEST_OPTIONS=(--fail-on-deadlock)
	marked 1 "$SURROUNDINGS" third
}

# In a namespace of its own /proc hides from other users who does not belong to them.
@test "the same where /proc hides other users' processes" {
	needs_root
	can_unshare --pid --fork --mount-proc || return 0
	BEFORE=(unshare --pid --fork --mount-proc bash -c
		'mount -o remount,hidepid=2 /proc && exec "$@"' hide)
	WEIR_TEST_OPTIONS=(--fail-on-deadlock)
	marked 1 "$SURROUNDINGS" other-user
}

@test "no place is taken from who is not seen" {
	can_unshare --pid --fork --mount-proc || return 0
	WEIR_TEST_OPTIONS=(--max-pairs 4)
	under "$SURROUNDINGS" squeeze
	as_natively "$SURROUNDINGS" squeeze
	said "weir: all 4 pairs of the session are in use (--max-pairs): further ones are the kernel's"
}

@test "a network namespace" {
	can_unshare --net || return 0
	marked 2 "$SURROUNDINGS" open by unshare --net "$SURROUNDINGS" serve 0 \; kept
	marked 5 unshare --net "$SURROUNDINGS" open exchange child exec spawn kept
}

# ---- names and languages ----

@test "a path and a name of odd characters" {
	local folder=$'odd \n\'"\xc3\xa9\xff;$x' name=$'prog\n\t"\xff\\u %s'
	mkdir "$folder"
	cp "$SURROUNDINGS" "$folder/$name"
	marked 4 "$folder/$name" exchange child exec spawn
	"$PYTHON" - stats <<'LOOK'
import json, sys

pairs = json.load(open(sys.argv[1], encoding="ascii"))["list"]
assert all(p["comm"] == 'prog\n\t"\xff\\u %s' for p in pairs), pairs
LOOK
	WEIR_TEST_OPTIONS=(--verbose)
	under "$folder/$name" exchange
	[ "$(wc -l <err)" -eq 2 ]
}

# A decimal comma, Turkish i, and an encoding that nobody knows.
@test "languages" {
	mkdir locales
	localedef -i de_DE -f UTF-8 locales/de_DE.UTF-8
	localedef -i tr_TR -f ISO-8859-9 locales/tr_TR
	export LOCPATH=$PWD/locales
	local rule='read:short=1:p=0.5' program='
import locale, socket, sys
locale.setlocale(locale.LC_ALL, "")
a, b = socket.socketpair()
got = []
for i in range(64):
    a.send(b"ab")
    got.append(len(b.recv(2)))
    if got[-1] == 1:
        b.recv(1)
print(got)'
	for language in C.UTF-8 de_DE.UTF-8 tr_TR no_SUCH.encoding; do
		bounded env LC_ALL="$language" "$WEIR" run --quiet --seed 7 --fault "$rule" -- "$PYTHON" -c "
import locale
locale_error = locale.Error
try:
    exec('''$program''')
except locale_error:
    locale.setlocale = lambda *x: None
    exec('''$program''')" >"$language"
		cmp C.UTF-8 "$language"
	done
	grep -q '1, 2\|2, 1' C.UTF-8
	LC_ALL=de_DE.UTF-8 bounded "$PYTHON" -c '
import locale
locale.setlocale(locale.LC_ALL, "")
assert locale.localeconv()["decimal_point"] == ","'
}

# ---- stacks and handlers ----

stack_names() {
	sed -nE 's/^(HOOK|OPTIONAL)\([^,]*, *([A-Za-z0-9_]+) *,.*/\2/p' "$ROOT/src/hooks/names.def"
}

@test "every hook on a stack of 16 KiB" {
	export TMPDIR=$PWD
	[ "$(stack_names | wc -l)" -gt 110 ]
	diff <(stack_names | sort) <(bounded "$PROGRAMS/stacks" --list | sort)
	native_then_weir stacks
	[ "$(grep -c ' ok$' "$BATS_TEST_TMPDIR/weir")" -eq "$(stack_names | wc -l)" ]
	under_weir stacks-fortified
	WEIR_TEST_OPTIONS=(--capacity 64)
	under_weir stacks
}

@test "canary: a hook that needs more is noticed" {
	echo '#include <unistd.h>
#include <sys/syscall.h>
ssize_t read(int fd, void *to, size_t n)
{
	volatile char greedy[20000];
	for (unsigned int i = 0; i < sizeof(greedy); i++)
		greedy[i] = 1;
	return syscall(SYS_read, fd, to, n);
}' >greedy.c
	cc -shared -fPIC -O1 -o greedy.so greedy.c
	run -139 bounded env LD_PRELOAD="$PWD/greedy.so" TMPDIR="$PWD" "$PROGRAMS/stacks"
	[ "$output" = "read " ]
}

@test "long lists of words and variables on such a stack" {
	for way in exec spawn; do
		marked 1 "$PROGRAMS/lists" $way 1500
		marked 1 "$PROGRAMS/lists" $way 1500 "$PROGRAMS/child-static"
	done
}

# Left out: go_on and write_waited. A child that a handler forks in the middle of a write has
# the write's lock in its memory and not in its hands (README, "Limits").
@test "handlers that fork in the middle of a write" {
	natively forks
	mapfile -t cases < <(cases_without forks go_on write_waited)
	[ "${#cases[@]}" -ge 3 ]
	native_then_weir forks "${cases[@]}"
}

# ---- loading ----

# makes LIBRARY: tests/programs/libraries/caller.c
caller() {
	cc -std=gnu11 -O1 -Wall -Wextra -shared -fPIC -o libcaller.so "$BATS_TEST_DIRNAME/programs/libraries/caller.c"
}

@test "LD_BIND_NOW" {
	BEFORE=(env LD_BIND_NOW=1)
	marked 4 "$SURROUNDINGS" exchange child exec spawn
}

@test "a library that is opened with RTLD_DEEPBIND" {
	caller
	marked 3 "$PROGRAMS/loading" plain "$PWD/libcaller.so"
	marked 3 "$PROGRAMS/loading" deep "$PWD/libcaller.so"
}

# By its bare name, for which the loader looks at who called.
@test "a library beside the program" {
	caller
	# shellcheck disable=SC2016 # the loader's
	cc -o loading -Wl,-rpath,'$ORIGIN' "$BATS_TEST_DIRNAME/programs/loading.c"
	mkdir elsewhere
	cd elsewhere
	marked 3 ../loading deep libcaller.so
}

@test "a library in a namespace of its own" {
	caller
	under "$PROGRAMS/loading" space "$PWD/libcaller.so"
	as_natively "$PROGRAMS/loading" space "$PWD/libcaller.so"
	said "$SAYS a library in a namespace of its own (dlmopen) is out of reach"
	carried 1
}

# with_allocator NAME: before ours, and behind.
with_allocator() {
	local library
	library=$(ldconfig -p | sed -nE "s/.*$1.* => (.*)/\1/p" | head -1)
	[ -e "$library" ]
	for order in "$library:$LIBWEIR" "$LIBWEIR:$library"; do
		marked 4 env LD_PRELOAD="$order" "$SURROUNDINGS" exchange child exec spawn
		under env LD_PRELOAD="$order" "$PYTHON" -c '
import socket, threading
print("'"$1"'" in open("/proc/self/maps").read())
a, b = socket.socketpair()
t = threading.Thread(target=lambda: a.sendall(bytes(3000000)) or a.close())
t.start()
print(sum(iter(lambda: len(b.recv(70000)), 0)))'
		diff <(printf 'True\n3000000\n') out
		said
		carried 1
	done
	BEFORE=(env LD_PRELOAD="$library")
	marked 4 "$SURROUNDINGS" exchange child exec spawn
}

@test "jemalloc" { with_allocator libjemalloc.so.2; }

@test "tcmalloc" { with_allocator libtcmalloc_minimal.so.4; }

# ---- valgrind, and sanitizers of the program's ----

# memcheck COUNT COMMAND...: marked, and without an error. Its own memory leaves no room for as
# many pairs as there are without it, and its search for leaks reads the memory of all.
memcheck() {
	WEIR_TEST_OPTIONS=(--max-pairs 16)
	marked "$1" valgrind --quiet --error-exitcode=99 --trace-children=yes "${@:2}"
}

@test "valgrind: pairs, fork and exec" { memcheck 3 "$SURROUNDINGS" exchange child spawn; }

# cases PROGRAM CASE...: those, by memcheck; how many pairs each makes is another matter.
cases() {
	WEIR_TEST_OPTIONS=(--max-pairs 16)
	under valgrind --quiet --error-exitcode=99 --trace-children=yes "$PROGRAMS/$1" "${@:2}"
	as_natively "$PROGRAMS/$1" "${@:2}" && said && run ! carried 0
}

@test "valgrind: threads" { cases threads one_writer_several_readers cancel_in_read; }

@test "valgrind: handlers and death" {
	cases signals self_pipe_wakes_a_blocking_read a_waiting_write_is_interrupted a_restarted_write_goes_on
	cases forking a_killed_reader_releases_a_writer two_processes_share_an_end
}

@test "valgrind: passing descriptors" { cases scm a_marked_descriptor_goes_to_a_child; }

@test "valgrind: stdio" { cases stdio threads_share_a_stream; }

@test "valgrind: by itself it has too little room, and says so" {
	unmarked "$NO_ROOM" valgrind --quiet --error-exitcode=99 "$SURROUNDINGS" exchange
}

@test "canary: memcheck finds an error in a program under weir" {
	echo '#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void)
{
	int sv[2];
	char *bytes = malloc(8);
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sv) || write(sv[0], bytes, 8) != 8 ||
	       read(sv[1], bytes, 8) != 8 || bytes[8] == 1;
}' >wrong.c
	cc -g -O0 -o wrong wrong.c
	WEIR_TEST_OPTIONS=(--max-pairs 16)
	under valgrind --quiet --error-exitcode=99 ./wrong
	[ "$STATUS" -eq 99 ]
	carried 1
}

# ASan and TSan: sanitizers.bats.
@test "a program made with UBSan" {
	cc -std=gnu11 -g -O1 -fsanitize=undefined -fno-sanitize-recover=undefined -o sane \
		"$BATS_TEST_DIRNAME/programs/surroundings.c"
	marked 4 ./sane exchange child exec spawn
}

# The command and the hooks of exec keep the library away from it (reach.bats, carry.bats); by
# hand it does not start, as musl's loader tells.
@test "musl, preloaded by hand" {
	musl-gcc -O1 -o program -x c - <<<'#include <stdio.h>
int main(void) { return puts("started") < 0; }'
	run -127 --separate-stderr bounded env LD_PRELOAD="$LIBWEIR" ./program
	[ -z "$output" ]
	[[ $stderr == *"Error relocating $LIBWEIR: "*": symbol not found"* ]]
	WEIR_TEST_OPTIONS=(--allow-unreachable)
	under ./program
	as_natively ./program
	said
}
