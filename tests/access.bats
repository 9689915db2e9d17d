#!/usr/bin/env bats
# Who may do what: another user can neither read a session, nor change it, nor join it; a
# program that gained privileges ignores weir; and weir makes no files. users.bats has what a
# process of the session meets that becomes another user.

# shellcheck disable=SC2030,SC2031,SC2094,SC2153,SC2154 # each test is a process of its own

load helpers

setup() {
	NOBODY=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	cd "$BATS_TEST_TMPDIR" || return
}

needs_root() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "only root can become another user: run the tests as root"
		return 1
	fi
}

# A build below somebody's home folder cannot be used by others: this one can.
open_to_all() {
	mkdir open
	cp "$WEIR" "$LIBWEIR" "$PROGRAMS/surroundings" open/
	chmod -R a+rX open
	chmod a+x . .. ../.. ../../..
	WEIR=$PWD/open/weir
	LIBWEIR=$PWD/open/libweir.so
}

# hold: a session whose program waits, with bytes in a pair; its pid, and that of the command.
hold() {
	coproc HOLDER { exec "$WEIR" run -- "$PYTHON" -c '
import os, socket, sys
pair = socket.socketpair()
pair[0].send(b"secret" * 100)
print(os.getpid(), os.getppid(), os.environ["WEIR_SESSION"], flush=True)
sys.stdin.readline()
assert pair[1].recv(10000) == b"secret" * 100
pair[1].send(b"answer")
assert pair[0].recv(10) == b"answer"
print("undisturbed", flush=True)' 3>&- 2>holder.err; }
	COMMAND=$HOLDER_PID
	exec {TO}>&"${HOLDER[1]}" {FROM}<&"${HOLDER[0]}"   # the shell closes its own when it ends
	read -r -t 60 PROGRAM PARENT SESSION <&"$FROM"
	[ "$PARENT" -eq "$COMMAND" ]
}

# let_go: the program finds its pair as it left it.
let_go() {
	local line
	echo >&"$TO"
	read -r -t 60 line <&"$FROM"
	[ "$line" = undisturbed ]
	exec {TO}>&- {FROM}<&-
	wait "$COMMAND"
	[ ! -s holder.err ]
}

# ---- another user ----

# Each subcommand of weir ctl that looks or changes.
CONTROLS=("pairs" "fault list" "fault add read:eof" "fault clear" "capacity 1 64" "stall 1" "release 1"
	"hangup 1" "reset 1" "eof 1")

@test "another user sees no session with weir ctl, and controls none" {
	needs_root
	open_to_all
	hold
	run -0 --separate-stderr bounded "$WEIR" ctl list
	[[ $output == *"$COMMAND"* ]]
	run --separate-stderr bounded "${NOBODY[@]}" "$WEIR" ctl list
	[[ $output != *"$COMMAND"* ]]
	for words in "${CONTROLS[@]}"; do
		for pid in "$COMMAND" "$PROGRAM"; do
			# shellcheck disable=SC2086 # words
			run -125 --separate-stderr bounded "${NOBODY[@]}" "$WEIR" ctl --session "$pid" $words
			[ -z "$output" ]
			[ "$stderr" = "weir: no session of yours is that of process $pid; \`weir ctl list\` shows them" ] ||
				{ echo "$stderr"; return 1; }
		done
	done
	let_go
}

# The same words do something for the owner: none is merely misspelt.
@test "twin: the owner does" {
	for words in "${CONTROLS[@]}"; do
		coproc HOLDER { exec "$WEIR" run --quiet -- "$PYTHON" -c '
import socket, sys
pair = socket.socketpair()
print("ready", flush=True)
sys.stdin.readline()' 3>&-; }
		local pid=$HOLDER_PID to=${HOLDER[1]} line
		read -r -t 60 line <&"${HOLDER[0]}"
		# shellcheck disable=SC2086
		run -0 bounded "$WEIR" ctl --session "$pid" $words
		echo >&"$to"
		wait "$pid"
	done
}

# Every way to a process's memory and descriptors that Linux has.
REACHING='
import ctypes, os, sys

program, command, session = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
libc = ctypes.CDLL(None, use_errno=True)
number = int(session.rsplit("/", 1)[1])


def calls(number, *arguments):
    result = libc.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "call")
    return result


def map_file(pid):
    folder = f"/proc/{pid}/map_files"
    for name in os.listdir(folder):
        if "weir-session" in os.readlink(f"{folder}/{name}"):
            os.open(f"{folder}/{name}", os.O_RDWR)


def take_descriptor(pid):
    return calls(438, os.pidfd_open(pid), number, 0)      # pidfd_getfd


def read_memory(pid):
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    buffer = ctypes.create_string_buffer(8)
    here = Vector(ctypes.cast(buffer, ctypes.c_void_p), 8)
    there = Vector(int(sys.argv[4]), 8)
    return calls(310, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)  # process_vm_readv


ways = {
    "session": lambda: os.open(session, os.O_RDWR),
    "session, to read": lambda: os.open(session, os.O_RDONLY),
    "session, as a path": lambda: os.open(session, 0o10000000),
    "descriptors": lambda: os.listdir(f"/proc/{command}/fd"),
    "environment": lambda: open(f"/proc/{program}/environ", "rb").read(),
    "maps": lambda: open(f"/proc/{program}/maps").read(),
    "mapped files": lambda: map_file(program),
    "memory": lambda: os.open(f"/proc/{program}/mem", os.O_RDWR),
    "memory, by call": lambda: read_memory(program),
    "descriptor, by call": lambda: take_descriptor(command),
    "ptrace": lambda: calls(101, 0x4206, program, 0, 0),
    "signal": lambda: os.kill(program, 0),
}
for name, way in ways.items():
    try:
        way()
        print(name, "open")
    except PermissionError:
        print(name, "refused")
'

@test "another user reaches no memory and no descriptor of a session" {
	needs_root
	open_to_all
	hold
	local at
	at=$((0x$(sed -nE 's/^([0-9a-f]+)-.*weir-session.*/\1/p' "/proc/$PROGRAM/maps" | head -1)))
	run -0 bounded "${NOBODY[@]}" "$PYTHON" -c "$REACHING" "$PROGRAM" "$COMMAND" "$SESSION" "$at"
	[ "${#lines[@]}" -eq 12 ]
	[ "$(grep -c ' refused$' <<<"$output")" -eq 12 ]
	# The same ways are open to the owner: none is refused for another reason. (But that mapped
	# files need CAP_CHECKPOINT_RESTORE as well, which root in a container may lack.)
	run -0 bounded "$PYTHON" -c "$REACHING" "$PROGRAM" "$COMMAND" "$SESSION" "$at"
	[ "$(grep -cE ' open$|^mapped files refused$' <<<"$output")" -eq 12 ]
	let_go
}

@test "another user's program does not join" {
	needs_root
	open_to_all
	hold
	bounded "${NOBODY[@]}" env LD_PRELOAD="$LIBWEIR" WEIR_SESSION="$SESSION" \
		open/surroundings exchange child exec >out 2>err
	diff <(printf '%s ok\n' exchange child exec) out
	diff <(echo "weir: socketpairs are the kernel's: Permission denied") err
	bounded "$WEIR" ctl --session "$COMMAND" pairs >pairs
	[ "$(grep -c '^pair ' pairs)" -eq 1 ]
	let_go
}

# Files that only look like sessions, in the hands of others and in one's own.
@test "files of others that look like sessions are not opened, and damaged ones are named" {
	needs_root
	open_to_all
	local program='
import os, sys
fd = os.memfd_create("weir-session")
os.write(fd, bytes.fromhex(sys.argv[1]) + bytes(4096))
print(os.getpid(), flush=True)
sys.stdin.readline()'
	for magic in 00 7730574549303130; do
		coproc FORGER { exec "${NOBODY[@]}" "$PYTHON" -c "$program" "$magic" 3>&-; }
		local pid to=${FORGER[1]} forger=$FORGER_PID
		read -r -t 60 pid <&"${FORGER[0]}"
		run --separate-stderr bounded "$WEIR" ctl list
		[[ $output != *"$pid"* ]]
		run -125 --separate-stderr bounded "$WEIR" ctl --session "$pid" pairs
		[[ $stderr == "weir: no session of yours"* ]]
		run -125 --separate-stderr bounded "${NOBODY[@]}" "$WEIR" ctl --session "$pid" pairs
		[ "$stderr" = "weir: session $pid: of another version of weir" ]
		echo >&"$to"
		wait "$forger"
	done
}

# ---- programs that gained privileges ----

# set_uid PROGRAM: becomes user 1's, and runs as him.
set_uid() {
	chown 1 "$1"
	chmod 4755 "$1"
}

@test "a set-uid program ignores weir" {
	needs_root
	open_to_all
	cp open/surroundings suid
	set_uid suid
	rm -f stats
	bounded env LD_PRELOAD="$LIBWEIR" WEIR_STATS="$PWD/stats" ./suid exchange >out 2>err
	diff <(echo "exchange ok") out
	[ ! -e stats ]
	run -0 --separate-stderr bounded "$WEIR" run --allow-unreachable --stats stats ./suid exchange
	[ "$output" = "exchange ok" ]
	[ -z "$stderr" ]
	[ "$(grep -c '"pairs":0,' stats)" -eq 1 ]
}

# Into which the library comes by another way than LD_PRELOAD.
@test "a set-uid program that needs the library ignores what its starter says" {
	needs_root
	open_to_all
	chmod a+rwx .
	cc -std=gnu11 -O1 -o needing "$BATS_TEST_DIRNAME/programs/surroundings.c" \
		-Wl,--no-as-needed -Wl,-rpath,"$PWD/open" -L"$PWD/open" -l:libweir.so
	bounded env WEIR_STATS="$PWD/stats" ./needing exchange >out
	grep -q '"pairs":1,' stats                  # so it does otherwise
	rm stats
	set_uid needing
	bounded env WEIR_STATS="$PWD/stats" WEIR_CAPACITY=wrong WEIR_FAULT=wrong WEIR_VERBOSE=1 \
		./needing exchange >out 2>err
	diff <(echo "exchange ok") out
	[ ! -s err ]
	[ ! -e stats ]
	hold
	bounded env WEIR_SESSION="$SESSION" ./needing exchange child >out 2>err
	[ ! -s err ]
	bounded "$WEIR" ctl --session "$COMMAND" pairs >pairs
	[ "$(grep -c '^pair ' pairs)" -eq 1 ]
	let_go
}

# ---- files ----

# made FILE: what a trace says was made or opened to be made, but for the program's own.
made() {
	grep -E '(O_CREAT|O_TMPFILE|mkdir|mknod|symlink|link\(|linkat|rename|bind\(|shm_open|mq_open|shmget|semget|msgget|creat\()' "$1" |
		grep -vE ' = -1 |readlink|unlink' || true
}

@test "a run makes no file, folder, link, name or System V object" {
	bounded strace -f -qq -o trace -e trace=file,desc,ipc,bind \
		"$WEIR" run --quiet --fault read:short=1:p=0.1 -- "$PROGRAMS/surroundings" \
		exchange child exec spawn by "$PROGRAMS/child-static" echo \;
	[ "$(grep -c memfd_create trace)" -eq 1 ]
	made trace
	[ -z "$(made trace)" ]
	# The same looks find what a program makes.
	bounded strace -f -qq -o trace -e trace=file,desc,ipc,bind "$WEIR" run --stats stats true
	[ "$(made trace | wc -l)" -eq 1 ]
	[[ "$(made trace)" == *'"stats", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC'* ]]
}

# A library with an odd path needs a link, which nobody else must be able to change.
@test "the link for a library with an odd path is never put into a shared folder" {
	mkdir "odd path" shared private
	cp "$WEIR" "$LIBWEIR" "odd path/"
	run_odd() {
		run -0 bounded env -u XDG_CACHE_HOME HOME="$1" XDG_RUNTIME_DIR="$2" "odd path/weir" run --stats stats -- \
			"$PROGRAMS/surroundings" exchange
		grep -q '"pairs":1,' stats
	}
	run_odd "$PWD/private" "$PWD/shared"        # its own, mode 0755
	[ -L "$(echo shared/weir/libweir-*.so)" ]
	[ "$(stat -c %a shared/weir)" = 700 ]
	rm -r shared/weir
	mkdir -m 777 shared/weir                    # somebody prepared it
	chmod 777 shared/weir
	run_odd "$PWD/private" "$PWD/shared"
	[ -z "$(ls shared/weir)" ]
	[ -L "$(echo private/.cache/weir/libweir-*.so)" ]
	rm -r private/.cache shared/weir
	ln -s "$PWD/elsewhere" shared/weir          # or leads astray
	mkdir elsewhere
	run_odd "$PWD/private" "$PWD/shared"
	[ -z "$(ls elsewhere)" ]
	rm -r private/.cache
	if [ "$(id -u)" -eq 0 ]; then
		rm shared/weir
		mkdir shared/weir                   # or is another user's
		chown 65534 shared/weir
		run_odd "$PWD/private" "$PWD/shared"
		[ -z "$(ls shared/weir)" ]
		rm -r private/.cache
	fi
	rm -rf shared/weir
	run_odd /nonexistent /nonexistent           # without any, the open library itself
	[ -z "$(find shared private -mindepth 1)" ]
}
