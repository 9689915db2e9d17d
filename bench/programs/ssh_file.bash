#!/usr/bin/env bash
# Moves a file to an sshd on the loopback interface and back; prints the time of a byte as JSON.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/programs/loopback.bash
source "$here/../../tests/programs/loopback.bash"
folder=$(mktemp -d)
sshd_pid=
bytes=30000000

clean_up() {
	if [ -n "$sshd_pid" ]; then
		kill "$sshd_pid" || true
		wait "$sshd_pid" || true
	fi
	rm -rf "$folder"
}
trap clean_up EXIT

start_sshd
head -c "$bytes" /dev/urandom >"$folder/sent"
begin=${EPOCHREALTIME/./}
ssh -F "$folder/ssh_config" loopback "cat >$folder/there" <"$folder/sent"
ssh -F "$folder/ssh_config" loopback "cat $folder/there" >"$folder/back"
end=${EPOCHREALTIME/./}
cmp "$folder/sent" "$folder/back"
echo "{\"operations\":1,\"each_ns\":$(((end - begin) * 1000))}"
