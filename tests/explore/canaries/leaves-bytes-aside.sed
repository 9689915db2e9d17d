# src/pipe/pipe.c handler-writes
# What a handler leaves between the last look and the unlock stays there.
/A handler between/,/return;/s/load32_relaxed(&pipe->aside_used) == 0/true/
