# src/endpoint/waiter.c loop-ends-left
# The bell of a writer at work is taken for one that nobody needs.
s/^\tif (!(load32_relaxed(&end->in.pipe->watch) & WEIR_WATCH_INPUT))$/\tif (1)/
