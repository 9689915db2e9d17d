# src/endpoint/waiter.c loop-in-left
# Who waits for edges sleeps although bytes are left, and has nobody ring for more.
/weir_pipe_watch(&end->in, WEIR_WATCH_INPUT | WEIR_WATCH_EDGES);/d
