#!/usr/bin/env bats
# Descriptors and credentials through a pair.

load helpers

@test "SCM_RIGHTS and SCM_CREDENTIALS" {
	native_then_weir scm
}

@test "SCM_RIGHTS and SCM_CREDENTIALS, fortified" {
	native_then_weir scm-fortified
}

# The second pair is the one that is passed: what went through it in the receiver counts.
@test "a passed end is marked where it arrives" {
	native_then_weir scm a_marked_descriptor_goes_to_a_child
	[ "$(pair_number 2 a_to_b bytes_read)" -eq 5 ]
	[ "$(pair_number 2 b_to_a bytes_written)" -eq 5 ]
	native_then_weir scm a_program_receives_through_its_standard_input
	[ "$(pair_number 2 a_to_b bytes_read)" -eq 5 ]
	[ "$(pair_number 2 b_to_a bytes_written)" -eq 26 ]
}
