#!/usr/bin/env bats
# How the two binaries are linked: libc only, hardened, no version node.

load helpers

needed() {
	bounded readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

hardened() {
	local flags stack
	flags=$(bounded readelf -dW "$1")
	grep -qE '\(FLAGS(_1)?\).*(BIND_NOW|NOW)' <<<"$flags"
	! grep -q '(TEXTREL)' <<<"$flags"
	bounded readelf -lW "$1" | grep -q GNU_RELRO
	stack=$(bounded readelf -lW "$1" | grep GNU_STACK)
	[[ $stack == *"RW "* && $stack != *"RWE"* ]]
}

@test "libweir.so needs libc only" {
	[ "$(needed "$LIBWEIR")" = libc.so.6 ]
}

@test "weir needs libc only" {
	[ "$(needed "$WEIR")" = libc.so.6 ]
}

@test "no executable stack, relro, all symbols bound at the start" {
	hardened "$LIBWEIR"
	hardened "$WEIR"
}

@test "no run path into the build folder" {
	! bounded readelf -dW "$LIBWEIR" | grep -E 'RPATH|RUNPATH'
	! bounded readelf -dW "$WEIR" | grep -E 'RPATH|RUNPATH'
}

# A named version node would make the dynamic linker pass the hooks by, silently.
@test "no version definitions" {
	! bounded readelf -VW "$LIBWEIR" | grep -i 'version definition'
}
