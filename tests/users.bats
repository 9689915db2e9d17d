#!/usr/bin/env bats
# Processes that become another user, and who may touch a session's memory.

load helpers

# What only root can do fails for anybody else: it is not left out without a word.
needs_root() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "only root can become another user: run the tests as root"
		return 1
	fi
}

# A build below somebody's home folder cannot be read by others: this one can.
open_to_all() {
	mkdir "$BATS_TEST_TMPDIR/open"
	cp "$WEIR" "$LIBWEIR" "$BATS_TEST_TMPDIR/open/"
	chmod a+rx "$BATS_TEST_TMPDIR/open" "$BATS_TEST_TMPDIR/open"/*
	chmod a+x "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." "$BATS_TEST_TMPDIR/../.." \
		"$BATS_TEST_TMPDIR/../../.."
}

@test "a process that becomes another user goes on, and starts programs" {
	needs_root
	open_to_all
	WEIR=$BATS_TEST_TMPDIR/open/weir
	WEIR_TEST_OPTIONS=(--verbose)
	native_then_weir users
	[ "$(says_carried)" -ge 4 ]
}

@test "the same where others cannot read the library" {
	needs_root
	open_to_all
	chmod 700 "$BATS_TEST_TMPDIR/open"
	WEIR=$BATS_TEST_TMPDIR/open/weir
	native_then_weir users
}

@test "at 64 bytes" {
	needs_root
	open_to_all
	WEIR=$BATS_TEST_TMPDIR/open/weir
	WEIR_TEST_OPTIONS=(--capacity 64)
	native_then_weir users
}

# ---- the session's memory ----

@test "the memory is the user's alone, and in no program's hands" {
	run -0 --separate-stderr bounded "$WEIR" run -- "$PYTHON" -c '
import os, socket, stat
pair = socket.socketpair()
session = os.environ["WEIR_SESSION"]
status = os.stat(session)
print(oct(stat.S_IMODE(status.st_mode)), status.st_uid == os.getuid(), status.st_nlink)
number = session.rsplit("/", 1)[1]
info = open(f"/proc/{os.getppid()}/fdinfo/{number}").read()
flags = int([l for l in info.splitlines() if l.startswith("flags")][0].split()[1], 8)
print("close on exec:", bool(flags & os.O_CLOEXEC))
print("here:", [n for n in os.listdir("/proc/self/fd") if "weir" in str(os.path.realpath(f"/proc/self/fd/{n}"))])
maps = [l.split()[5:] for l in open("/proc/self/maps") if "weir-session" in l]
print("mapped:", set(tuple(m) for m in maps))
'
	[ "${lines[0]}" = "0o600 True 0" ]
	[ "${lines[1]}" = "close on exec: True" ]
	[ "${lines[2]}" = "here: []" ]
	[ "${lines[3]}" = "mapped: {('/memfd:weir-session', '(deleted)')}" ]
}

@test "another user cannot open it" {
	needs_root
	open_to_all
	run -0 --separate-stderr bounded "$BATS_TEST_TMPDIR/open/weir" run -- "$PYTHON" -c '
import os, socket
pair = socket.socketpair()
session = os.environ["WEIR_SESSION"]
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    os.open(session, os.O_RDWR)
    print("opened")
except PermissionError:
    print("refused")
pair[0].send(b"goes on")
print(pair[1].recv(20))
'
	[ "$output" = "refused
b'goes on'" ]
}

# Names in shared folders that could be of weir's making, but for what the suite itself makes.
what_lies() {
	bounded find /tmp /dev/shm /var/tmp /run -maxdepth 2 -path "$BATS_RUN_TMPDIR" -prune -o \
		-iname '*weir*' -print 2>"$BATS_TEST_TMPDIR/find.err" | sort
}

# The program waits, with pairs open, until it was looked for them.
hold_pairs() {
	"$WEIR" run -- "$PYTHON" -c '
import socket, subprocess, sys
pair = socket.socketpair()
child = subprocess.Popen(["busybox", "cat"], stdin=pair[0], stdout=pair[0])
pair[1].send(b"x" * 1000)
assert len(pair[1].recv(1000, socket.MSG_WAITALL)) == 1000
print("ready", flush=True)
sys.stdin.read()
child.kill()
' 3>&-
}

@test "nothing is put into shared folders" {
	what_lies >"$BATS_TEST_TMPDIR/before"
	coproc HOLDER { hold_pairs; }
	local pid=$HOLDER_PID to=${HOLDER[1]} line
	read -r -t 60 line <&"${HOLDER[0]}"
	[ "$line" = ready ]
	what_lies >"$BATS_TEST_TMPDIR/meanwhile"
	exec {to}>&-
	wait "$pid"
	what_lies >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/meanwhile"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}
