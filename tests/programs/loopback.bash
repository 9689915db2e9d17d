# An sshd of the caller's own on the loopback interface, for scripts that set `folder` to a folder of
# their own: start_sshd waits until `ssh -F "$folder/ssh_config" loopback` works and leaves the daemon's
# process number in sshd_pid, which the caller ends.
# shellcheck shell=bash disable=SC2154

free_port() {
	perl -MIO::Socket::INET -e \
		'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport, "\n"'
}

write_sshd_config() {
	cat >"$folder/sshd_config" <<-END
		ListenAddress 127.0.0.1:$1
		HostKey $folder/host_key
		AuthorizedKeysFile $folder/user_key.pub
		PidFile none
		StrictModes no
		UsePAM no
		PasswordAuthentication no
		PrintMotd no
		PrintLastLog no
		Subsystem sftp internal-sftp
	END
}

write_ssh_config() {
	cat >"$folder/ssh_config" <<-END
		Host loopback
		HostName 127.0.0.1
		Port $1
		User $(id -un)
		IdentityFile $folder/user_key
		IdentitiesOnly yes
		StrictHostKeyChecking no
		UserKnownHostsFile $folder/known_hosts
		BatchMode yes
		ConnectTimeout 20
		LogLevel ERROR
	END
}

# The daemon of a super-user insists on its folder for the processes that it locks away.
make_run_folder() {
	if [ "$(id -u)" -eq 0 ]; then
		mkdir -p /run/sshd
	fi
}

wait_for_sshd() {
	local tries
	for tries in $(seq 100); do
		if ssh -F "$folder/ssh_config" loopback true 2>>"$folder/ssh.log"; then
			return
		fi
		kill -0 "$sshd_pid" || break
		sleep 0.1
	done
	echo "no sshd after $tries tries:" >&2
	tail -n 20 "$folder/sshd.log" "$folder/ssh.log" >&2
	return 1
}

start_sshd() {
	local port
	port=$(free_port)
	ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$folder/user_key"
	write_sshd_config "$port"
	write_ssh_config "$port"
	make_run_folder
	/usr/sbin/sshd -D -f "$folder/sshd_config" -E "$folder/sshd.log" &
	sshd_pid=$!
	wait_for_sshd
}
