#!/usr/bin/env bats
# `weir run` stands in for the program that it runs: status, signals, terminal,
# descriptors, environment.

bats_require_minimum_version 1.5.0

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	WEIR=${WEIR:-$root/build/weir}
	LIBWEIR=${LIBWEIR:-$root/build/libweir.so}
	export WEIR
	unset WEIR_CAPACITY WEIR_SESSION WEIR_LIBRARY LD_PRELOAD ASAN_OPTIONS
	cd "$BATS_TEST_TMPDIR" || return
}

terminal() { timeout 60 python3 "$BATS_TEST_DIRNAME/terminal.py" "$WEIR" "$1"; }

# Where the command with its library is put: NAME/weir and NAME/libweir.so.
put_in() {
	mkdir -p "$1"
	cp "$WEIR" "$LIBWEIR" "$1/"
}

# driver: the Python program on standard input, with WEIR in its environment.
driver() { timeout 60 python3 - "$@"; }

@test "the exit status passes through" {
	for status in 0 1 3 125 126 127 255; do
		run "-$status" timeout 20 "$WEIR" run sh -c "exit $status"
	done
}

@test "death by a signal is weir's own death by it, without a core file" {
	driver <<-'END'
		import os, resource, subprocess
		resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)) if os.getuid() == 0 else None
		for number in (1, 2, 3, 6, 9, 11, 13, 15, 34):
		    p = subprocess.run([os.environ["WEIR"], "run", "sh", "-c", f"ulimit -c 0; kill -{number} $$"])
		    assert p.returncode == -number, (number, p.returncode)
		assert not [f for f in os.listdir() if f.startswith("core")], os.listdir()
	END
	run -143 bash -c '"$WEIR" run sh -c "kill -TERM \$\$"; exit $?'
}

@test "what cannot be executed or found" {
	run -127 --separate-stderr timeout 20 "$WEIR" run no-such-program
	[ "$stderr" = "weir: no-such-program: not found in PATH" ]
	run -127 --separate-stderr timeout 20 "$WEIR" run ./no-such-program
	[ "$stderr" = "weir: ./no-such-program: No such file or directory" ]
	run -127 timeout 20 "$WEIR" run ''
	echo x >plain
	run -126 --separate-stderr timeout 20 "$WEIR" run ./plain
	[ "$stderr" = "weir: ./plain: Permission denied" ]
	run -126 --separate-stderr timeout 20 "$WEIR" run .
	[ "${#stderr_lines[@]}" -eq 1 ]
	mkdir -p one two
	echo 'echo one' >one/tool
	printf '#!/bin/sh\necho two $#\n' >two/tool
	PATH=$PWD/one:$PATH run -126 timeout 20 "$WEIR" run tool
	chmod +x two/tool
	PATH=$PWD/one:$PWD/two:$PATH run -0 timeout 20 "$WEIR" run tool a b
	[ "$output" = "two 2" ]
}

@test "signals sent to weir reach the program, once each" {
	driver <<-'END'
		import os, signal, subprocess, time
		program = r'''
		import signal, sys, time
		numbers = [int(n) for n in sys.argv[1:]]
		signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
		print("ready", flush=True)
		got = []
		while len(got) < len(numbers):
		    info = signal.sigtimedwait(numbers, 10)
		    got.append(info.si_signo)
		assert signal.sigtimedwait(numbers, 0.3) is None
		print(*sorted(got), flush=True)
		'''
		program = program.replace("\n\t\t", "\n")
		numbers = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 34, 64]
		p = subprocess.Popen([os.environ["WEIR"], "run", "python3", "-c", program, *map(str, numbers)],
		                     stdout=subprocess.PIPE, text=True)
		assert p.stdout.readline() == "ready\n"
		for n in numbers:
		    p.send_signal(n)
		out = p.communicate(timeout=30)[0]
		assert out.split() == [str(n) for n in numbers], out
		assert p.returncode == 0
		p = subprocess.Popen([os.environ["WEIR"], "run", "sh", "-c", "echo; exec sleep 30"], stdout=subprocess.PIPE)
		p.stdout.readline()
		p.terminate()
		assert p.wait() == -signal.SIGTERM
	END
}

@test "an alarm set before weir started ends the program" {
	driver <<-'END'
		import os, signal, subprocess, time
		start = time.time()
		p = subprocess.run([os.environ["WEIR"], "run", "sleep", "20"], preexec_fn=lambda: signal.alarm(1))
		assert p.returncode == -signal.SIGALRM and time.time() - start < 10, p
	END
}

@test "the program gets the mask and the dispositions weir was started with" {
	driver <<-'END'
		import os, signal, subprocess
		def odd():
		    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
		    signal.signal(signal.SIGHUP, signal.SIG_IGN)
		    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
		    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
		look = ["grep", "^Sig[BIC]", "/proc/self/status"]
		def seen(command, before):
		    return subprocess.run(command, preexec_fn=before, stdout=subprocess.PIPE, check=True).stdout
		for before in (odd, None):
		    assert seen(look, before) == seen([os.environ["WEIR"], "run", *look], before)
		p = subprocess.run([os.environ["WEIR"], "run", "sh", "-c", "exit 7"], preexec_fn=odd)
		assert p.returncode == 7, p
	END
}

@test "a program that stops itself stops weir; continuing weir continues it" {
	driver <<-'END'
		import os, signal, subprocess
		for name in ("TSTP", "STOP", "TTIN"):
		    p = subprocess.Popen([os.environ["WEIR"], "run", "sh", "-c", f"kill -{name} $$; exit 9"])
		    pid, status = os.waitpid(p.pid, os.WUNTRACED)
		    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == getattr(signal, "SIG" + name), status
		    os.kill(p.pid, signal.SIGCONT)
		    pid, status = os.waitpid(p.pid, 0)
		    assert os.waitstatus_to_exitcode(status) == 9, status
	END
}

@test "terminal: ^C reaches the program once" { terminal interrupt; }
@test "terminal: ^C kills the program, and weir with it" { terminal die; }
@test "terminal: ^Z stops both, fg continues both" { terminal stop; }
@test "terminal: a background job that reads stops" { terminal background; }
@test "terminal: an interactive shell as the program, and suspend" { terminal shell; }
@test "terminal: a resize is told once" { terminal resize; }

@test "the program goes on when weir is killed" {
	driver <<-'END'
		import os, signal, subprocess
		p = subprocess.Popen([os.environ["WEIR"], "run", "sh", "-c", "echo ready; read x; echo went on $x"],
		                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
		assert p.stdout.readline() == b"ready\n"
		p.kill()
		p.wait()
		p.stdin.write(b"and on\n")
		p.stdin.close()
		assert p.stdout.readline() == b"went on and on\n"
	END
}

@test "weir ends with the program, not with its children" {
	SECONDS=0
	run -0 timeout 20 "$WEIR" run sh -c 'sleep 15 >/dev/null 2>&1 3>&- & echo $!'
	[ "$SECONDS" -lt 10 ]
	kill "$output"                          # it goes on, and is no zombie
}

@test "the program has the descriptors weir was started with, and no more" {
	driver <<-'END'
		import os, subprocess
		look = ["python3", "-c", "import os; print(sorted(f for f in os.listdir('/proc/self/fd')))"]
		def seen(command, **more):
		    return subprocess.run(command, stdout=subprocess.PIPE, check=True, **more).stdout
		weir = [os.environ["WEIR"], "run"]
		r, w = os.pipe()
		os.dup2(r, 77, inheritable=True)
		for more in ({}, {"pass_fds": (r, 77)}):
		    assert seen(look, **more) == seen(weir + look, **more)
	END
}

@test "weir holds no end of the program's pipes" {
	driver <<-'END'
		import os, select, subprocess
		p = subprocess.Popen([os.environ["WEIR"], "run", "sh", "-c", "exec <&- >&- 5>&-; sleep 20"],
		                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=lambda: os.dup2(1, 5),
		                     close_fds=False)
		assert select.select([p.stdout], [], [], 10)[0] and p.stdout.read() == b""
		assert p.poll() is None
		try:
		    for _ in range(100): os.write(p.stdin.fileno(), b"x"); select.select([], [], [], 0.1)
		    raise SystemExit("nobody noticed that the reader has gone")
		except BrokenPipeError:
		    pass
		p.terminate(); p.wait()
	END
}

@test "closed standard streams stay closed, and nothing of weir's takes a message" {
	run -0 timeout 20 bash -c '"$WEIR" run --verbose sh -c "[ ! -e /proc/self/fd/0 ] && [ ! -e /proc/self/fd/2 ]" <&- 2>&-'
	run -3 timeout 20 bash -c '"$WEIR" run --verbose --stats s sh -c "exit 3" <&- >&- 2>&-'
	python3 -m json.tool s
	run -125 timeout 20 bash -c '"$WEIR" run --stats - true >&-'
}

@test "LD_PRELOAD: libweir first, what was there stays, sanitizers before" {
	local library sanitizer
	put_in here
	library=$PWD/here/libweir.so
	sanitizer=$(cc -print-file-name=libasan.so)
	other=$(ldconfig -p | sed -n 's/.* => \(.*libz\.so\.1\)$/\1/p' | head -1)
	[ -n "$other" ]
	run -0 timeout 20 here/weir run printenv LD_PRELOAD
	[ "$output" = "$library" ]
	LD_PRELOAD=$other run -0 timeout 20 here/weir run printenv LD_PRELOAD
	[ "$output" = "$library:$other" ]
	LD_PRELOAD="$other $sanitizer" ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 \
		run -0 timeout 20 here/weir run printenv LD_PRELOAD
	[ "$output" = "$sanitizer:$library:$other" ]
	LD_PRELOAD=$other:$library run -0 timeout 20 here/weir run printenv LD_PRELOAD
	[ "$output" = "$library:$other" ]
}

@test "AddressSanitizer is asked to come second where it is there, only there" {
	local sanitizer
	sanitizer=$(cc -print-file-name=libasan.so)
	printf '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { char *o = getenv("ASAN_OPTIONS"); return puts(o ? o : "unset") < 0; }\n' >asan.c
	cc -fsanitize=address -o asan asan.c
	cc -o plain asan.c
	run -0 timeout 20 "$WEIR" run ./asan
	[ "$output" = verify_asan_link_order=0 ]
	ASAN_OPTIONS=detect_leaks=0 run -0 timeout 20 "$WEIR" run ./asan
	[ "$output" = detect_leaks=0:verify_asan_link_order=0 ]
	LD_PRELOAD=$sanitizer ASAN_OPTIONS=detect_leaks=0 run -0 timeout 20 "$WEIR" run ./plain
	[ "$output" = detect_leaks=0:verify_asan_link_order=0 ]
	run -0 timeout 20 "$WEIR" run ./plain
	[ "$output" = unset ]
}

# loaded COMMAND...: libweir.so is mapped in a program that COMMAND runs, and in one
# that such a program starts.
loaded() {
	run -0 --separate-stderr timeout 20 "$@" run bash -c 'cat /proc/self/maps; true'
	[ -z "$stderr" ]
	[[ $output == *libweir.so* ]]
}

@test "a path with blanks, colons and dollar signs" {
	export XDG_RUNTIME_DIR=$PWD/runtime
	mkdir -m 700 runtime
	for name in 'a b' a:b 'a $LIB b'; do
		put_in "$name"
		loaded "$name/weir"
		loaded "$name/weir"
	done
	[ "$(find runtime/weir -type l | wc -l)" -eq 3 ]
}

@test "such a path where no private folder can be had" {
	put_in 'a b'
	unset XDG_RUNTIME_DIR XDG_CACHE_HOME
	HOME=/proc loaded 'a b/weir'
	mkdir -p shared/weir
	chmod 777 shared/weir
	XDG_RUNTIME_DIR=$PWD/shared HOME=/proc run -0 timeout 20 'a b/weir' run printenv LD_PRELOAD
	[[ $output == /proc/*/fd/* ]]
}

@test "a library with an odd path outlives weir" {
	put_in 'a b'
	XDG_RUNTIME_DIR= XDG_CACHE_HOME=$PWD HOME=/proc run -0 timeout 20 'a b/weir' run \
		sh -c '(sleep 1; cat /proc/self/maps >maps) >/dev/null 2>errors &'
	for _ in {1..50}; do [ -s maps ] && break; sleep 0.2; done
	grep libweir.so maps
	! grep preload errors
}

@test "the installed layout, and a link to the command" {
	mkdir -p prefix/bin prefix/lib/weir elsewhere
	cp "$WEIR" prefix/bin/
	cp "$LIBWEIR" prefix/lib/weir/
	ln -s ../prefix/bin/weir elsewhere/weir
	loaded prefix/bin/weir
	loaded elsewhere/weir
	PATH=$PWD/prefix/bin:$PATH loaded weir
}

@test "WEIR_LIBRARY, and a library that is not there" {
	mkdir alone
	cp "$WEIR" alone/
	run -125 --separate-stderr timeout 20 alone/weir run true
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"libweir.so"* ]]
	WEIR_LIBRARY=$LIBWEIR loaded alone/weir
	WEIR_LIBRARY=/nowhere run -125 timeout 20 alone/weir run true
	[ "$output" = "weir: WEIR_LIBRARY: /nowhere: No such file or directory" ]
}

@test "a run within a run is refused" {
	run -125 timeout 20 "$WEIR" run "$WEIR" run true
	[[ $output == *"already runs under weir"* ]]
	WEIR_SESSION=/proc/1/fd/999999 run -0 timeout 20 "$WEIR" run true
}

@test "--stats to a file and to standard output is one JSON object" {
	run -5 --separate-stderr timeout 20 "$WEIR" run --stats out.json sh -c 'exit 5'
	[ -z "$output$stderr" ]
	python3 -c '
import json, sys
o = json.load(open("out.json"))
assert set(o) == {"pairs", "left_to_kernel", "list", "not_listed", "seed", "faults"}, o
assert set(o["left_to_kernel"]["reasons"]) == {"type", "slots", "descriptor", "unmarked"}, o
assert o["pairs"] == 0 and o["list"] == [] and o["not_listed"] == 0, o
'
	run -0 --separate-stderr timeout 20 "$WEIR" run --stats - true
	python3 -m json.tool <<<"$output"
}

@test "a pair is its creator's, by the name that the thread has then" {
	run -0 --separate-stderr timeout 20 "$WEIR" run --stats out.json python3 -c '
import ctypes, socket, threading
libc = ctypes.CDLL(None)
libc.pthread_self.restype = ctypes.c_ulong
own = libc.pthread_self()
def name(text):
    assert libc.pthread_setname_np(ctypes.c_ulong(own), text) == 0
def pair():
    socket.socketpair()
pair()
pair()
assert libc.prctl(15, b"second", 0, 0, 0) == 0
pair()
name(b"third")
pair()
other = threading.Thread(target=name, args=[b"fourth"])
other.start(); other.join()
pair()
'
	run -0 python3 -c '
import json
print(*[p["comm"] for p in json.load(open("out.json"))["list"]])'
	[ "$output" = "python3 python3 second third fourth" ]
}

@test "--stats tells what a pair carried" {
	run -0 --separate-stderr timeout 20 "$WEIR" run --capacity 64 --stats out.json python3 -c '
import socket
a, b = socket.socketpair()
a.send(b"hello"); b.recv(3); b.send(b"xy")
socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
'
	python3 -c '
import json
o = json.load(open("out.json"))
assert o["pairs"] == 1 and o["left_to_kernel"]["reasons"]["type"] == 1, o
p = o["list"][0]
assert p["number"] == 1 and p["comm"] == "python3", p
a, b = p["a_to_b"], p["b_to_a"]
assert a["capacity"] == b["capacity"] == 64, p
assert (a["bytes_written"], a["bytes_read"], a["writes"], a["reads"], a["max_buffered"]) == (5, 3, 1, 1, 5), p
assert (b["bytes_written"], b["bytes_read"]) == (2, 0), p
'
}

@test "--stats that cannot be had" {
	run -125 --separate-stderr timeout 20 "$WEIR" run --stats /no/such/folder/file touch started
	[ "${#stderr_lines[@]}" -eq 1 ]
	[ ! -e started ]
	run -125 timeout 20 "$WEIR" run --stats /dev/full true
	[[ $output == *"cannot write the statistics"* ]]
	run -4 timeout 20 "$WEIR" run --stats /dev/full sh -c 'exit 4'
}

@test "--verbose says two lines" {
	run -3 --separate-stderr timeout 20 "$WEIR" run --verbose sh -c 'exit 3'
	[ "${#stderr_lines[@]}" -eq 2 ]
	[[ ${stderr_lines[0]} == "weir: session /proc/"*"libweir.so" ]]
	[[ ${stderr_lines[1]} == "weir: 0 pairs carried, 0 left to the kernel; sh ended with status 3" ]]
	run -143 --separate-stderr timeout 20 bash -c '"$WEIR" run --verbose sh -c "kill \$\$"; exit $?'
	[[ $stderr == *"sh died by signal 15"* ]]
}
