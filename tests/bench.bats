#!/usr/bin/env bats
# The benchmark itself: what it measures is what it says, and what it writes can be read.

load helpers

RUN=$ROOT/bench/run
SOCKETS=$BUILD/bench/sockets

# measured [OPTION...]: one workload, as short as can be; leaves results.json and chart.svg.
measured() {
	bounded "$PYTHON" "$RUN" --quick --json "$BATS_TEST_TMPDIR/results.json" --svg "$BATS_TEST_TMPDIR/chart.svg" \
		--program "$SOCKETS" --library "$LIBWEIR" "$@"
}

@test "one workload: every contender is measured or said to be absent" {
	run -0 measured --only 'write+read 1 B, one thread'
	echo "$output" >"$BATS_TEST_TMPDIR/output"
	"$PYTHON" - "$BATS_TEST_TMPDIR" <<'PROOF'
import json, sys
from xml.etree import ElementTree

folder = sys.argv[1]
output = open(f"{folder}/output", encoding="utf-8").read()
row, = json.load(open(f"{folder}/results.json"))["rows"]
chart = ElementTree.parse(f"{folder}/chart.svg").getroot()
dots = [dot.text for dot in chart.iter("{http://www.w3.org/2000/svg}title")]
absent = [line for line in output.splitlines() if line.startswith("bench: left out: ")]
for name in ("kernel", "pipe", "weir", "weir+rule", "tokio, 1", "tokio, n", "ring", "mutex", "memcpy"):
    if any(name in line for line in absent):
        assert name not in row["sides"], name
        continue
    assert len(row["sides"][name]["rounds"]) >= 5, name
    assert row["sides"][name]["median"] > 0, name
    assert name == "kernel" or any(dot.startswith(f"{name}: ") for dot in dots), (name, dots)
# The programs that are built without further packages are there.
assert not any("kernel" in line or "weir" in line or "ring" in line for line in absent), absent
PROOF
}

@test "a contender that cannot do a workload is a dash, and the reason is told" {
	run -0 measured --only 'stream 64 B, threads, 1 CPU'
	"$PYTHON" - "$BATS_TEST_TMPDIR/results.json" <<'PROOF'
import json, sys

row, = json.load(open(sys.argv[1]))["rows"]
assert row["not_measured"]["ring"] == "spins, so it needs two CPUs", row["not_measured"]
assert "ring" not in row["sides"]
assert row["kernel_over_weir"]["median"] > 0
PROOF
	grep -E '^stream 64 B.* - ' <<<"$output"
}

@test "a run that weir did not carry is no measurement" {
	# The library is preloaded, but told to leave every pair to the kernel.
	WEIR_MARK=nth=1000000000 run -0 measured --only 'write+read 1 B, one thread'
	printf '#!/bin/sh\nexport WEIR_MARK=nth=1000000000\nexec "%s" "$@"\n' "$SOCKETS" >"$BATS_TEST_TMPDIR/unmarked"
	chmod +x "$BATS_TEST_TMPDIR/unmarked"
	run -1 measured --only 'write+read 1 B, one thread' --program "$BATS_TEST_TMPDIR/unmarked"
	grep -E "the program used .*, weir carried .*'pairs': 0" <<<"$output"
}

@test "a byte that changes on its way is found" {
	run -1 --separate-stderr env LD_PRELOAD="$LIBWEIR" WEIR_QUIET=1 WEIR_FAULT='write:corrupt:at=6400' \
		timeout 60 "$SOCKETS" --socketpair write-read 1000 64
	# shellcheck disable=SC2154 # bats sets it
	[[ $stderr == *'the bytes that arrived'* ]]
	[ -z "$output" ]
}

@test "injected faults show in what the program reports" {
	run -0 env LD_PRELOAD="$LIBWEIR" WEIR_QUIET=1 WEIR_FAULT='write:error=EINTR:when=1+2' \
		timeout 60 "$SOCKETS" --socketpair write-read 1000 64
	[[ $output == *'"interrupted":1000}' ]]
}

@test "both sides of every workload agree on the bytes, natively and under weir" {
	local words
	for words in 'ping-pong 50 64 processes 1 edge' 'stream 500 4096 processes 1 level' 'stream 5 65536 threads 1 poll' \
		'loop 50 edge 10' 'sleeper 5 processes 1 block' 'create 20' 'idle 20 used' 'unmarked 64 pipe' 'start-up 2'; do
		# shellcheck disable=SC2086 # several words
		run -0 timeout 60 "$SOCKETS" --socketpair $words
		# shellcheck disable=SC2086
		run -0 timeout 60 "$WEIR" run --capacity 64 -- "$SOCKETS" --socketpair $words
	done
}

@test "a target is met by the median of its rounds, or said not to be measured" {
	"$PYTHON" - "$ROOT/bench" <<'PROOF'
import sys

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from driver import targets
from driver.sampling import Row
from driver.workloads import write_read

def judged(kernel, weir):
    times = {"kernel": kernel, "weir": weir}
    row = Row(write_read(65536), {name: [{"each_ns": ns} for ns in all_ns] for name, all_ns in times.items()}, {})
    mine = [t for t in targets.every_target() if t.row == "write+read, one thread, 64 KiB"]
    return [targets.judge(target, {row.workload.title: row}) for target in mine]

met, absent = judged([700, 700, 70, 700, 700], [100, 100, 100, 1000, 100])
assert (met["value"], met["met"]) == (7, True), met
assert (absent["value"], absent["met"]) == (None, None), absent     # nobody measured memcpy
missed, _ = judged([500] * 5, [100] * 5)
assert (missed["value"], missed["spread_percent"], missed["met"]) == (5, 0, False), missed
PROOF
}
