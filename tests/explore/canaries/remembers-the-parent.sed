# src/pipe/lock.c lone-child
# A child keeps what its parent remembers of the pipe.
/^void weir_pipe_share/,/^}/s/^\tweir_pipe_forget(ref);$//
