# src/endpoint/wait.c handler-comes
# A reader that goes to sleep without asking whether a handler has run meanwhile.
s/^\tbool ends = weir_waits_end(waits, end, WEIR_OP_READ, moved);$/\tbool ends = false;/
