#!/usr/bin/env bats
# shellcheck disable=SC2001,SC2016,SC2154 # sed is for people; the inner shell expands; bats sets $stderr
# The manual pages and the help say what is so.

load helpers

# What the parser itself says may stand at a place of a rule, a word a line, without values.
words_at() {
	run -125 bounded "$WEIR" run --fault "$1" true
	sed -e 's/.*expected //' <<<"$output" | sed -E 's/,? or /, /g' | tr ',' '\n' |
		sed -E 's/^ *//; s/=.*//' | grep .
}

# The text of the literal blocks, as people see it.
shown() {
	awk '/^\.Bd -literal/ { on = 1; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/weir-fault.7" |
		sed 's/\\e/\\/g'
}

@test "the manual pages are well-formed" {
	for page in "$ROOT"/man/*.[1-9]; do
		run -0 --separate-stderr bounded man -l --warnings -E UTF-8 "$page"
		[ -z "$stderr" ] || { echo "$page: $stderr"; return 1; }
	done
}

@test "every help fits a terminal" {
	for topic in '' run fault ctl; do
		# shellcheck disable=SC2086 # no word is no topic
		run -0 bash -c '"$1" help $2 | awk "length > 80"' - "$WEIR" "$topic"
		[ -z "$output" ] || { echo "$output"; return 1; }
	done
}

@test "each word of a rule is in the manual and in the help" {
	words=$(words_at x; words_at write:x; words_at write:short:x)
	[ "$(wc -l <<<"$words")" -gt 18 ]
	for word in $words; do
		grep -qE "(^|[^a-z])$word" "$ROOT/man/weir-fault.7" || { echo "manual: $word"; return 1; }
		"$WEIR" help fault | grep -qE "(^|[^a-z])$word" || { echo "help: $word"; return 1; }
	done
}

@test "the rules in the help are rules" {
	rules=$("$WEIR" help fault | sed -nE 's/^  --fault ([^ ]+) .*/\1/p')
	[ "$(wc -l <<<"$rules")" -ge 10 ]
	for rule in $rules; do
		bounded "$WEIR" run --quiet --fault "$rule" true
	done
}

# examples/faults/run runs what its README shows; the manual shows the same.
@test "the manual's examples are those that are run" {
	diff <(shown | sed -n '/^\$ /,$p') \
		<(awk '/^```/ { on = !on; next } on' "$ROOT/examples/faults/README.md")
	diff <(shown | sed '/^\$ /,$d') "$ROOT/examples/faults/pair.py"
	run -0 bounded "$ROOT/examples/faults/run"
}

# Each effect that the parser takes is shown, not only told.
@test "each effect has an example" {
	for effect in $(words_at write:x); do
		shown | grep -qE "^\\$ .*--fault (read|write|any):$effect" || { echo "$effect"; return 1; }
	done
}

@test "every page is installed, and removed again" {
	there=$BATS_TEST_TMPDIR/there
	run -0 bounded make -C "$ROOT" -o all install DESTDIR="$there" PREFIX=/usr
	for page in "$ROOT"/man/*.[1-9]; do
		[ -f "$there/usr/share/man/man${page##*.}/${page##*/}" ]
	done
	run -0 bounded make -C "$ROOT" uninstall DESTDIR="$there" PREFIX=/usr
	[ -z "$(find "$there" -type f)" ]
}
