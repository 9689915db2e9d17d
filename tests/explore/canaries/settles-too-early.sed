# src/pipe/bell.c epoll-out
# A reader that ends a saturation before it has emptied the queue's surplus.
/^void weir_bell_settle/,/^}/s/bool keep = weir_pipe_used(ref) > 0;/bool keep = true;/
