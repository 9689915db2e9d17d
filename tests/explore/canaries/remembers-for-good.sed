# src/pipe/lock.c lone
# What others do, or the general way, does not make the process forget.
s/^\tweir_pipe_forget(ref);$//
