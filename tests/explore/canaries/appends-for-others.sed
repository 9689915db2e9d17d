# src/pipe/pipe.c handler-writes
# Bytes aside are appended by whoever comes first, through a descriptor of another process.
s/load32_relaxed(&pipe->aside_owner) == self/true/
