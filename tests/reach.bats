#!/usr/bin/env bats
# Programs that preloading cannot reach are recognised before they start.

bats_require_minimum_version 1.5.0

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	WEIR=${WEIR:-$root/build/weir}
	unset WEIR_SESSION LD_PRELOAD
	cd "$BATS_TEST_TMPDIR" || return
	printf '#include <stdio.h>\nint main(void) { return puts("started") < 0; }\n' >program.c
}

# refuses PROGRAM REASON: status 125, one line that says why and what to do.
refuses() {
	run -125 --separate-stderr timeout 20 "$WEIR" run "$1"
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "weir: $1"*"$2"*"--allow-unreachable"* ]]
}

starts() {
	run -0 --separate-stderr timeout 20 "$WEIR" run "$@"
	[[ $output == *started* ]]
	[ -z "$stderr" ]
}

# patch FILE OFFSET BYTES: overwrites bytes of FILE.
patch() {
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "an ordinary program starts" {
	cc -o program program.c
	starts ./program
}

@test "a static program" {
	cc -static -o program program.c
	refuses ./program "is statically linked"
	starts --allow-unreachable ./program
	WEIR_ALLOW_UNREACHABLE=1 starts ./program
}

@test "a static position-independent program" {
	cc -static-pie -o program program.c
	refuses ./program "is statically linked"
}

@test "busybox, found in PATH" {
	refuses busybox "is statically linked"
	run -0 timeout 20 "$WEIR" run --allow-unreachable busybox echo started
	[ "$output" = started ]
}

@test "a script counts as its interpreter" {
	local busybox
	busybox=$(command -v busybox)
	printf '#!%s sh\necho started\n' "$busybox" >script
	printf '#! %s\n' "$PWD/script" >outer
	chmod +x script outer
	refuses ./script "its interpreter $busybox is statically linked"
	refuses ./outer "its interpreter $busybox is statically linked"
	starts --allow-unreachable ./script
	printf '#!/bin/sh\necho started\n' >script
	starts ./script
	printf 'echo started\n' >script
	starts ./script
}

@test "scripts that lead nowhere fail as natively" {
	printf '#!%s\n' "$PWD/loop" >loop
	printf '#!/no/such/interpreter\n' >lost
	printf '#!\n' >empty
	chmod +x loop lost empty
	run -126 timeout 20 "$WEIR" run ./loop
	run -127 timeout 20 "$WEIR" run ./lost
	timeout 20 "$WEIR" run ./empty
}

@test "Go without libc" {
	printf 'package main\nfunc main() { println("started") }\n' >go.go
	HOME=$PWD GOFLAGS=-mod=mod CGO_ENABLED=0 timeout 120 go build -o program go.go
	refuses ./program "is a Go program"
}

@test "another architecture" {
	cc -o program program.c
	patch program 18 '\x16\x00'             # e_machine: s390
	refuses ./program "another architecture"
	cc -o program program.c
	patch program 4 '\x01'                  # e_ident[EI_CLASS]: 32 bits
	refuses ./program "another architecture"
	cc -o program program.c
	patch program 5 '\x02'                  # e_ident[EI_DATA]: big-endian
	refuses ./program "another architecture"
}

@test "another C library" {
	musl-gcc -o program program.c
	refuses ./program "another C library"
	starts --allow-unreachable ./program
}

@test "set-uid and set-gid to somebody else" {
	if [ "$(id -u)" -ne 0 ]; then
		refuses "$(command -v su)" "gains privileges"
		return
	fi
	cc -o program program.c
	chmod 4755 program
	starts ./program                        # one's own: gains nothing
	chown 1 program
	chmod 4755 program
	refuses ./program "gains privileges"
	chown 0:1 program
	chmod 2755 program
	refuses ./program "gains privileges"
	chmod 2745 program                      # without g+x that is no set-gid
	starts ./program
	chmod 755 program
	starts ./program
}

@test "privileges that the kernel will not give do not count" {
	cp "$(command -v su)" program
	[ "$(id -u)" -ne 0 ] || chown 1 program
	chmod 4755 program
	run -0 timeout 20 setpriv --no-new-privs "$WEIR" run ./program --version
}

@test "file capabilities" {
	local user=()
	cc -o program program.c
	if [ "$(id -u)" -eq 0 ]; then
		setcap cap_net_raw+ep program
		starts ./program                # root has them anyway
		mkdir open
		cp "$WEIR" "${LIBWEIR:-$root/build/libweir.so}" open/
		cp -p program open/program
		setcap cap_net_raw+ep open/program
		chmod -R a+rX open
		chmod a+x . .. ../..
		user=(setpriv --reuid 65534 --clear-groups)
		WEIR=$PWD/open/weir
		cd open
	else
		ln -s "$(getcap -r /usr/bin 2>/dev/null | sed -n 's/ .*=\?ep$//p' | head -1)" ./program -f
	fi
	run -125 --separate-stderr timeout 20 "${user[@]}" "$WEIR" run ./program
	[[ $stderr == *"gains privileges"* ]]
}

@test "the loader itself, as a program" {
	cc -o program program.c
	local loader
	loader=$(readelf -p .interp program | grep -o '/.*')
	starts "$loader" ./program
}

# as_natively FILE: weir leaves the verdict on a damaged file to the kernel.
as_natively() {
	local native=0 under=0
	timeout 20 env "$1" >/dev/null 2>&1 || native=$?
	timeout 20 "$WEIR" run --allow-unreachable "$1" >/dev/null 2>&1 || under=$?
	[ "$under" -eq "$native" ]
	timeout 20 "$WEIR" run "$1" >/dev/null 2>&1 || under=$?
	[ "$under" -eq "$native" ] || [ "$under" -eq 125 ]
}

@test "damaged ELF files end in the kernel's own verdict" {
	cc -o whole program.c
	for offset in 24 32 40 54 56 64 72 80 88 96 136 160; do
		for byte in '\xff' '\x00' '\x7f'; do
			cp whole program
			patch program "$offset" "$byte$byte$byte$byte"
			as_natively ./program
		done
	done
	for size in 0 3 16 63 64 100 1000; do
		head -c "$size" whole >program
		as_natively ./program
	done
} 2>/dev/null                                   # the shell's words on programs that crash
