# What the suites share: where things are, bounded runs, and the proof that the hooks ran.
#
#	load helpers
#	native_then_weir PROGRAM [CASE...]
#
# PROGRAM is one of tests/programs, built by `make test-programs`. WEIR_TEST_OPTIONS, an
# array, holds further options of `weir run`.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
BUILD=${WEIR_TEST_BUILD:-$ROOT/build}
WEIR=$BUILD/weir
# shellcheck disable=SC2034 # used by the suites
LIBWEIR=$BUILD/libweir.so
PROGRAMS=$BUILD/tests
PYTHON=/usr/bin/python3
SECONDS_MAX=${WEIR_TEST_SECONDS_MAX:-150}
WEIR_TEST_OPTIONS=()

# Settings of whoever runs the tests must not change what they find.
unset LD_PRELOAD WEIR_SESSION WEIR_CAPACITY WEIR_WRITABLE_AT WEIR_MAX_PAIRS WEIR_STATS \
	WEIR_VERBOSE WEIR_NO_FOLLOW WEIR_ALLOW_UNREACHABLE

# bounded COMMAND...: no terminal, no descriptor of bats, and an end in any case.
bounded() {
	timeout --kill-after=5 "$SECONDS_MAX" "$@" </dev/null 3>&-
}

# logged FILE COMMAND...: standard output goes to the file; it is shown when the command
# fails, without the lines of cases that passed.
logged() {
	local log=$1 status=0
	shift
	bounded "$@" >"$log" 2>"$log.err" || status=$?
	if [ "$status" -ne 0 ]; then
		echo "status $status of: $*"
		grep -v '^ok ' "$log" || true
		cat "$log.err"
	fi
	return "$status"
}

# natively PROGRAM [ARG...]
natively() {
	local program=$1
	shift
	logged "$BATS_TEST_TMPDIR/native" "$PROGRAMS/$program" "$@"
}

# under_weir PROGRAM [ARG...]: leaves the statistics for assert_hooked.
under_weir() {
	local program=$1
	shift
	rm -f "$BATS_TEST_TMPDIR/stats"
	logged "$BATS_TEST_TMPDIR/weir" "$WEIR" run "${WEIR_TEST_OPTIONS[@]}" \
		--stats "$BATS_TEST_TMPDIR/stats" -- "$PROGRAMS/$program" "$@"
}

# The last run's pairs were carried by weir: a test that bypassed the hooks proves nothing.
assert_hooked() {
	"$PYTHON" - "$BATS_TEST_TMPDIR/stats" <<'PROOF' || { cat "$BATS_TEST_TMPDIR/weir.err"; return 1; }
import json, sys

stats = json.load(open(sys.argv[1]))
total = {"bytes_written": 0, "bytes_read": 0, "writes": 0, "reads": 0}
for pair in stats["list"]:
    for direction in (pair["a_to_b"], pair["b_to_a"]):
        for key in total:
            total[key] += direction[key]
        assert direction["bytes_read"] <= direction["bytes_written"], pair
assert stats["pairs"] >= 1, "no pair was marked"
for key, value in total.items():
    assert value > 0, f"{key} is 0: the hooks did not run"
for reason in ("slots", "descriptor"):
    assert stats["left_to_kernel"]["reasons"][reason] == 0, stats["left_to_kernel"]
PROOF
}

# native_then_weir PROGRAM [ARG...]: passes natively, passes under weir, and prints the
# same both times, through the hooks.
native_then_weir() {
	natively "$@"
	under_weir "$@"
	assert_hooked
	diff "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/weir"
}

# native_then_weir_but PROGRAM CASE...: leaves out cases that differences.txt names.
native_then_weir_but() {
	local program=$1 name cases
	shift
	natively "$program"
	for name; do
		grep -q "^$program $name " "$BATS_TEST_DIRNAME/differences.txt" ||
			{ echo "differences.txt does not name $program $name"; return 1; }
	done
	mapfile -t cases < <(cases_without "$program" "$@")
	native_then_weir "$program" "${cases[@]}"
}

# cases_without PROGRAM CASE...: the program's cases but those, one a line. A name that is
# no case is an error, so that the lists stay true.
cases_without() {
	local program=$1 all left
	shift
	all=$(bounded "$PROGRAMS/$program" --list)
	left=$all
	for name; do
		grep -qx "$name" <<<"$all" || { echo "$program has no case $name" >&2; return 1; }
		left=$(grep -vx "$name" <<<"$left")
	done
	echo "$left"
}

# exchanges WAY COMMAND...: the command gets $INPUT through a pair and its output comes back
# through it (tests/programs/duplex.c), natively and then under weir, with equal results. Leaves
# the statistics for assert_passed, and the messages for says_carried.
exchanges() {
	local native=0 weir=0
	rm -f "$BATS_TEST_TMPDIR/stats"
	with_input "$BATS_TEST_TMPDIR/native" "$PROGRAMS/duplex" "$@" || native=$?
	with_input "$BATS_TEST_TMPDIR/weir" "$WEIR" run "${WEIR_TEST_OPTIONS[@]}" \
		--stats "$BATS_TEST_TMPDIR/stats" -- "$PROGRAMS/duplex" "$@" || weir=$?
	if [ "$native" -ge 124 ] || [ "$weir" -ne "$native" ]; then
		echo "status $native natively, $weir under weir, of: $*"
		cat "$BATS_TEST_TMPDIR/weir.err"
		return 1
	fi
	cmp "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/weir"
}

# with_input FILE COMMAND...: $INPUT comes in, the output goes to the file.
with_input() {
	local output=$1
	shift
	timeout --kill-after=5 "$SECONDS_MAX" "$@" <"$INPUT" >"$output" 2>"$output.err" 3>&-
}

# assert_passed all|any all|any: every byte of the input went into the pair and was received
# from it by way of weir, and every byte of the output came through it. `any`: that many or fewer.
assert_passed() {
	"$PYTHON" - "$BATS_TEST_TMPDIR/stats" "$(wc -c <"$INPUT")" "$1" \
		"$(wc -c <"$BATS_TEST_TMPDIR/native")" "$2" <<'PROOF'
import json, sys

pair = json.load(open(sys.argv[1]))["list"][0]
for name, size, which in (("a_to_b", *sys.argv[2:4]), ("b_to_a", *sys.argv[4:6])):
    way, size = pair[name], int(size)
    assert way["bytes_read"] <= way["bytes_written"] <= size, (name, size, pair)
    assert which == "any" or way["bytes_read"] == size, (name, size, pair)
PROOF
}

# pair_number N KEY...: a value of that pair in the statistics.
pair_number() {
	"$PYTHON" - "$BATS_TEST_TMPDIR/stats" "$@" <<'LOOK'
import json, sys

number = int(sys.argv[2])
value = next(p for p in json.load(open(sys.argv[1]))["list"] if p["number"] == number)
for key in sys.argv[3:]:
    value = value[key]
print(value)
LOOK
}

# How many pairs the last run carried.
pairs_carried() {
	"$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["pairs"])' "$BATS_TEST_TMPDIR/stats"
}

# How many times the last run said that a program's descriptors are carried for it.
says_carried() {
	grep -c '^weir: .*: a process of weir hands its pairs on$' "$BATS_TEST_TMPDIR/weir.err" || true
}
