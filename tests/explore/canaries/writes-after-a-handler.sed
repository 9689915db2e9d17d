# src/endpoint/wait.c handler-comes
# The same of a writer.
s/^\tbool ends = weir_waits_end(waits, end, WEIR_OP_WRITE, moved);$/\tbool ends = false;/
