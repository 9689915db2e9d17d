#!/usr/bin/env bats
# End of file, EPIPE, ECONNRESET and shutdown.

load helpers

@test "the end of a pair" {
	native_then_weir closing
}
