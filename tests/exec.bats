#!/usr/bin/env bats
# Pairs that go along into another program, however it is started. tests/programs/duplex.c
# starts it with one end as 0 and 1, gives it the input and prints its output.

load helpers

setup() {
	INPUT=$BATS_TEST_TMPDIR/input
	seq 1 4000 | "$PYTHON" -c 'import sys; sys.stdout.write("".join(sorted(sys.stdin, key=lambda l: l[::-1])))' >"$INPUT"
	WEIR_TEST_OPTIONS=(--verbose)
}

# ---- every way of starting a program ----

WAYS=(execv execve execvp execvpe execl execlp execle fexecve fexecve-cloexec execveat
	execveat-cloexec execveat-folder execveat-folder-cloexec execveat-path posix_spawn
	posix_spawnp vfork system popen popen-w syscall syscall-at)

# in_every_way SUFFIX COMMAND...: at full size both ways, by each WAY.
in_every_way() {
	local suffix=$1 way
	shift
	for way in "${WAYS[@]}"; do
		exchanges "$way$suffix" "$@" || { echo "by $way$suffix"; return 1; }
		assert_passed all all || { echo "by $way$suffix"; return 1; }
	done
}

@test "every way of starting a program" { in_every_way '' sort; }

@test "every way, with bytes in flight" { in_every_way + sort; }

@test "every way, with an empty environment" { in_every_way @ sort; }

@test "every way, with descriptor 2" {
	in_every_way '=2' sh -c 'echo complaint >&2; sort'
}

@test "every way, at 64 bytes" {
	WEIR_TEST_OPTIONS+=(--capacity 64)
	in_every_way + sort
	[ "$(pair_number 1 a_to_b capacity)" -eq 64 ]
	[ "$(pair_number 1 b_to_a capacity)" -eq 64 ]
}

@test "an exec that follows an exec" {
	exchanges execve env A=1 env B=2 nice -n 1 sh -c 'exec sort'
	assert_passed all all
	exchanges posix_spawn+ sh -c 'head -n 10 >/dev/null; sh -c "exec env -i /usr/bin/sort -r"'
	assert_passed any all
}

@test "the same pair, its capacity and counters, after the start" {
	WEIR_TEST_OPTIONS+=(--capacity 5000)
	exchanges execve+ sort -r
	assert_passed all all
	[ "$(pairs_carried)" -eq 1 ]
	[ "$(pair_number 1 comm)" = duplex ]
	[ "$(pair_number 1 a_to_b capacity)" -eq 5000 ]
	[ "$(pair_number 1 a_to_b max_buffered)" -eq 5000 ]
}

# ---- the programs ----

# talks_with COMMAND...: it reads all of the input, and every byte passes through weir.
talks_with() {
	exchanges execve "$@" || { echo "with $*"; return 1; }
	assert_passed all all || { echo "with $*"; return 1; }
}

# listens_to COMMAND...: it need not read, but what it says passes through weir.
listens_to() {
	exchanges execve "$@" || { echo "with $*"; return 1; }
	assert_passed any all || { echo "with $*"; return 1; }
}

all_commands() {
	talks_with sort
	talks_with grep 7
	talks_with sed s/1/one/g
	talks_with awk '{ n += $1 } END { print n; print NR }'
	talks_with mawk '{ print $1 * 2 }'
	talks_with bash -c 'while read -r line; do [ "${line%00}" = "$line" ] || echo "$line"; done; echo end'
	talks_with dash -c 'while read -r line; do n=$((n + line)); done; echo $n'
	talks_with cat
	talks_with cat -n
	talks_with wc
	talks_with cut -c 2-
	talks_with tr 0-9 a-j
	talks_with tee /dev/null
	talks_with base64
	talks_with od -A d -t x1
	talks_with md5sum
	talks_with sha256sum
	talks_with tail -n 700
	talks_with uniq -c
	talks_with tac
	talks_with dd bs=999 status=none
	talks_with gzip -n -c
	talks_with xz -c
	talks_with openssl base64
	talks_with git hash-object --stdin
	talks_with perl -ne 'print "$.: $_" if /5/'
	talks_with "$PYTHON" -c 'import sys; [print(len(l), l, end="") for l in sys.stdin]'
	talks_with socat -u - -
	talks_with tclsh "$BATS_TEST_DIRNAME/programs/upper.tcl"
	talks_with ruby -e 'puts STDIN.read.upcase.reverse; STDOUT.flush'
	talks_with php -r 'while (($l = fgets(STDIN)) !== false) echo strrev($l);'
	talks_with busybox grep 7
	listens_to head -n 5
	listens_to seq 1 3000
	listens_to bash -c 'for i in {1..500}; do echo "$i"; done'
	listens_to psql --help
	listens_to git --help
}

@test "commands" { all_commands; }

@test "commands, at 64 bytes" {
	head -n 300 "$INPUT" >"$INPUT.few"
	mv "$INPUT.few" "$INPUT"
	WEIR_TEST_OPTIONS+=(--capacity 64)
	all_commands
}

@test "node" {
	talks_with node -e 'process.stdin.on("data", d => process.stdout.write(String(d).toUpperCase()))'
	talks_with node -e 'process.stdout.write(require("fs").readFileSync(0, "utf8").replace(/1/g, "one"))'
}

@test "java" {
	cp "$BATS_TEST_DIRNAME/programs/Upper.java" "$BATS_TEST_TMPDIR"
	talks_with java -Xshare:auto "$BATS_TEST_TMPDIR/Upper.java"
}

@test "ssh-keygen" {
	bounded ssh-keygen -q -t ed25519 -N '' -C '' -f "$BATS_TEST_TMPDIR/key"
	INPUT=$BATS_TEST_TMPDIR/key.pub
	talks_with ssh-keygen -l -f -
}

@test "C++ cin and cout, with stdio and without" {
	talks_with "$PROGRAMS/iostreams" synchronised
	talks_with "$PROGRAMS/iostreams" alone
}

# ---- stdio in the child ----

@test "the standard streams are as on any socket" {
	listens_to "$PROGRAMS/standard"
	listens_to "$PROGRAMS/standard-fortified"
}

@test "output is flushed at exit, and not before" {
	talks_with sh -c 'cat; exec "$0" buffered' "$PROGRAMS/standard"
}

# What a program reads ahead is lost to the next one, so its size shows.
@test "as much is read ahead as natively" {
	exchanges execve+ sh -c 'sed 5q; cat'
	exchanges execve+ sh -c "\"$PYTHON\" -c 'import sys; print(sys.stdin.readline())'; cat"
	assert_passed all all
}

# ---- the environment ----

@test "env -i" {
	talks_with env -i sort
	talks_with bash -c 'env -i /usr/bin/env -i /usr/bin/sort'
	exchanges posix_spawn@ env -i /bin/sh -c 'env -i /bin/sh -c "exec /usr/bin/sort"'
	assert_passed all all
}

# in_child OPTION...: whether libweir.so is in a program started with `env -i`.
in_child() {
	bounded "$WEIR" run "$@" -- env -i /bin/sh -c 'grep -q libweir.so /proc/$$/maps && echo yes || echo no'
}

@test "--no-follow leaves a program alone that has no variables of weir's" {
	[ "$(in_child)" = yes ]
	[ "$(in_child --no-follow)" = no ]
	WEIR_TEST_OPTIONS+=(--no-follow)
	exchanges execve sort
	assert_passed all all
	[ "$(says_carried)" -eq 0 ]
	in_every_way @ sort
	exchanges execve+ env -i sort
	assert_passed all all
	[ "$(says_carried)" -eq 1 ]
}

@test "what a program does to its environment changes nothing" {
	WEIR_TEST_OPTIONS+=(--capacity 3000)
	native_then_weir environment
	[ "$(pair_number 1 a_to_b capacity)" -eq 3000 ]
	[ "$(pairs_carried)" -ge 3 ]
	[ "$(says_carried)" -eq 0 ]
	WEIR_TEST_OPTIONS+=(--no-follow)
	native_then_weir environment
	[ "$(says_carried)" -ge 5 ]
}

# ---- vfork ----

@test "a child of vfork leaves its parent's table alone" {
	native_then_weir vforking
}
