# src/pipe/lone.h lone-rivals
# The same of other processes.
s/load64_relaxed(&pipe->alone.halves) == l->self/true/
