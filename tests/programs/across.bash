#!/usr/bin/env bash
# Programs that talk to other programs over socketpairs: across.bash NAME runs the check of that name
# (a function below). It prints the same text whenever everything arrived as it should; the runner
# compares that natively and under weir.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/programs/loopback.bash
source "$here/loopback.bash"
folder=$(mktemp -d)
sshd_pid=
nginx_pid=

clean_up() {
	if [ -n "$nginx_pid" ]; then
		kill -QUIT "$nginx_pid" || true
		wait "$nginx_pid" || true
	fi
	if [ -n "$sshd_pid" ]; then
		kill "$sshd_pid" || true
		wait "$sshd_pid" || true
	fi
	rm -rf "$folder"
}
trap clean_up EXIT

# numbers COUNT prints that many different lines, never in order.
numbers() {
	awk -v count="$1" 'BEGIN { for (i = 0; i < count; i++) printf "%012d\n", (i * 7919) % count }'
}

# ---- node ----

node_children() {
	node "$here/node_child.js"
}

# ---- socat (whose EXEC is a socketpair unless told otherwise) ----

socat_cat() {
	numbers 3000 | socat -t 20 - EXEC:cat | sha256sum
}

socat_sort() {
	numbers 3000 | socat -t 20 - EXEC:sort | sha256sum
}

# ---- perl ----

perl_socketpair() {
	perl "$here/perl_socketpair.pl"
}

perl_open3() {
	perl "$here/perl_open3.pl"
}

# ---- bash ----

# Bash makes its coprocesses' pipes itself; here the shell that has them talks over a socketpair.
bash_coprocess() {
	numbers 2000 | socat -t 20 - EXEC:"bash $here/coprocess.bash" | sha256sum
}

# ---- ssh ----

ssh_loopback() {
	start_sshd
	head -c 50000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>>"$folder/openssl.log" >"$folder/sent"
	sha256sum <"$folder/sent"
	ssh -F "$folder/ssh_config" loopback "cat >$folder/arrived" <"$folder/sent"
	sha256sum <"$folder/arrived"
	ssh -F "$folder/ssh_config" loopback "cat $folder/arrived" | sha256sum
	ssh -F "$folder/ssh_config" loopback 'cat; echo on standard error >&2; exit 7' <<<'and a status' 2>&1 || echo "status $?"
}

sftp_loopback() {
	start_sshd
	numbers 200000 >"$folder/sent"
	sftp -q -F "$folder/ssh_config" -b - loopback >"$folder/sftp.log" <<<"put $folder/sent $folder/arrived"
	sha256sum <"$folder/arrived"
}

# ---- git and rsync ----

make_repository() {
	git init --quiet --initial-branch=main "$1"
	git -C "$1" config user.name nobody
	git -C "$1" config user.email nobody@localhost
	numbers 50000 >"$1/lines"
	git -C "$1" add lines
	git -C "$1" commit --quiet --message lines
}

git_over_ssh() {
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
	export GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' GIT_COMMITTER_DATE='2001-01-01T00:00:00Z'
	start_sshd
	make_repository "$folder/origin"
	export GIT_SSH_COMMAND="ssh -F $folder/ssh_config"
	git clone --quiet "ssh://loopback$folder/origin" "$folder/clone"
	sha256sum <"$folder/clone/lines"
	git -C "$folder/clone" push --quiet origin main:refs/heads/back
	git -C "$folder/origin" rev-parse back
	git -C "$folder/clone" fsck --full --strict 2>&1
}

# rsync's remote shell without a remote: it drops the host name and runs the rest.
write_local_shell() {
	printf '#!/bin/sh\nshift\nexec "$@"\n' >"$folder/local-shell"
	chmod +x "$folder/local-shell"
}

rsync_local() {
	write_local_shell
	mkdir "$folder/source"
	numbers 100000 >"$folder/source/a"
	numbers 30000 >"$folder/source/b"
	rsync -a -e "$folder/local-shell" "$folder/source/" "nowhere:$folder/there/"
	numbers 30001 >"$folder/source/b"
	rsync -a -e "$folder/local-shell" "$folder/source/" "nowhere:$folder/there/"
	rsync -a -e "$folder/local-shell" "nowhere:$folder/there/" "$folder/back/"
	(cd "$folder/back" && sha256sum a b)
}

# ---- nginx (whose master hands its workers each other's channels as descriptors) ----

write_nginx_config() {
	cat >"$folder/nginx.conf" <<-END
		daemon off;
		worker_processes 2;
		pid $folder/nginx.pid;
		error_log $folder/error.log notice;
		events { worker_connections 64; }
		http {
			access_log off;
			client_body_temp_path $folder/body;
			proxy_temp_path $folder/proxy;
			fastcgi_temp_path $folder/fastcgi;
			uwsgi_temp_path $folder/uwsgi;
			scgi_temp_path $folder/scgi;
			server { listen 127.0.0.1:$1; location / { root $folder/pages; } }
		}
	END
	if [ "$(id -u)" -eq 0 ]; then
		echo 'user nobody nogroup;' >>"$folder/nginx.conf"
	fi
}

# try COMMAND... waits until it succeeds, for as long as nginx is there.
try() {
	local tries
	for tries in $(seq 300); do
		if "$@" 2>>"$folder/try.log"; then
			return
		fi
		kill -0 "$nginx_pid" || break
		sleep 0.1
	done
	echo "not after $tries tries: $*" >&2
	tail -n 20 "$folder/error.log" "$folder/nginx.log" >&2
	return 1
}

workers() {
	pgrep -P "$nginx_pid" -x nginx | sort
}

# Two workers, none of which is in the list.
two_new_workers() {
	[ "$(workers | wc -l)" -eq 2 ] && [ -z "$(comm -12 <(workers) "$1")" ]
}

fetch() {
	perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0]) or exit 1;
		print $s "GET /lines HTTP/1.0\r\n\r\n";
		local $/;
		my ($head, $body) = split /\r\n\r\n/, <$s>, 2;
		print $head =~ m{^HTTP/1.1 (200 OK)}, "\n", $body;
	' "$1"
}

# Each reload starts two workers, tells them of each other and ends the two before.
reload_nginx() {
	workers >"$folder/workers"
	kill -HUP "$nginx_pid"
	try two_new_workers "$folder/workers"
	fetch "$1" | sha256sum
}

nginx_channels() {
	local port
	port=$(free_port)
	mkdir "$folder/pages"
	numbers 50000 >"$folder/pages/lines"
	chmod -R a+rX "$folder"
	write_nginx_config "$port"
	nginx -p "$folder" -e "$folder/error.log" -c "$folder/nginx.conf" >"$folder/nginx.log" 2>&1 &
	nginx_pid=$!
	try fetch "$port" >"$folder/first"
	try two_new_workers /dev/null
	sha256sum <"$folder/first"
	for _ in 1 2 3; do
		reload_nginx "$port"
	done
	kill -USR1 "$nginx_pid"
	fetch "$port" | sha256sum
	kill -QUIT "$nginx_pid"
	wait "$nginx_pid" && echo 'ended in order'
	nginx_pid=
	grep -cE '\[(alert|crit|emerg)\]' "$folder/error.log" || true
}

# ---- CPython's own way of passing descriptors ----

python_reduction() {
	/usr/bin/python3 "$here/reduction.py"
}

name=${1:?usage: across.bash NAME}
if [ "$(type -t "$name")" != function ]; then
	echo "across.bash: no check is called $name" >&2
	exit 2
fi
"$name"
