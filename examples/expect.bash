# Helpers of the examples' run scripts: they run a command, show what it says and check how it ends.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
weir=${WEIR:-$root/build/weir}
# shellcheck disable=SC2034 # for the scripts that source this
programs=${EXAMPLES:-$root/build/examples}
# shellcheck disable=SC2034
limit_s=5

# expect STATUS COMMAND... shows the command and fails unless it ends with STATUS.
expect() {
	local wanted=$1 status=0
	shift
	echo "\$ ${*//"$root/"/}"
	"$@" 2>&1 || status=$?
	echo "  (exit status $status)"
	if [ "$status" -ne "$wanted" ]; then
		echo "expected exit status $wanted" >&2
		exit 1
	fi
}

# expect_under_weir STATUS CAPACITY COMMAND... is the same, under weir with that capacity.
expect_under_weir() {
	local wanted=$1 capacity=$2
	shift 2
	expect "$wanted" "$weir" run --capacity "$capacity" -- "$@"
}
