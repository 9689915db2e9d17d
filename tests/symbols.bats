#!/usr/bin/env bats
# The names that libweir.so exports are those of its table, and nothing that common programs
# import and that can touch a marked descriptor is missing without a word.

load helpers

# The hooked names, from the one table of them.
hooked() {
	sed -nE 's/^(HOOK|OPTIONAL)\([^,]*, *([A-Za-z0-9_]+) *,.*/\2/p' "$ROOT/src/hooks/names.def" | sort -u
}

exported() {
	bounded nm -D --defined-only "$LIBWEIR" | awk '{ print $NF }' | sort -u
}

imported() {
	sed -nE 's/^ *[0-9]+ ([A-Za-z0-9_]+)$/\1/p' "$BATS_TEST_DIRNAME/imports.txt" | sort -u
}

unhooked() {
	sed -nE 's/^([A-Za-z0-9_]+): .+/\1/p' "$BATS_TEST_DIRNAME/unhooked.txt" | sort
}

# What include/weir.h promises to programs that know of weir.
public() {
	cat "$ROOT"/include/*.h 2>/dev/null | grep -oE '\bweir_[a-z0-9_]+ ?\(' | tr -d ' (' | sort -u
}

@test "the exported names are the hooked names and the public ones" {
	[ "$(hooked | wc -l)" -gt 90 ]
	diff <(hooked) <(comm -23 <(exported) <(public))
}

@test "every name that programs import is hooked or has its reason" {
	[ "$(imported | wc -l)" -gt 100 ]
	missing=$(comm -23 <(imported) <(sort -u <(hooked) <(unhooked)))
	echo "neither hooked nor in unhooked.txt: $missing"
	[ -z "$missing" ]
}

@test "the list of reasons is true" {
	both=$(comm -12 <(hooked) <(unhooked))
	echo "hooked and in unhooked.txt: $both"
	[ -z "$both" ]
	strange=$(comm -13 <(imported) <(unhooked))
	echo "in unhooked.txt but imported by nobody: $strange"
	[ -z "$strange" ]
	[ -z "$(unhooked | uniq -d)" ]
	! grep -vE '^(#.*|[A-Za-z0-9_]+: .+)$' "$BATS_TEST_DIRNAME/unhooked.txt"
}

# A hook whose name libc does not have would hide a misspelt one.
@test "every hooked name exists in this C library" {
	libc=$(bounded ldd "$WEIR" | sed -nE 's/.*libc\.so\.6 => ([^ ]+).*/\1/p')
	strange=$(comm -23 <(hooked) <(bounded nm -D --defined-only "$libc" | awk '{ print $NF }' | sed 's/@.*//' | sort -u))
	echo "not in libc: $strange"
	[ -z "$strange" ]
}
