# src/endpoint/waiter.c loop-out-and-in
# What came after an event of room is taken for told.
s/^\tif (!(event & WEIR_INPUT) && weir_pipe_used(&end->in) > 0)$/\tif (0)/
