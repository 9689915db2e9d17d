#!/usr/bin/env bats
# Descriptors and credentials through a pair.

load helpers

@test "SCM_RIGHTS and SCM_CREDENTIALS" {
	native_then_weir scm
}
