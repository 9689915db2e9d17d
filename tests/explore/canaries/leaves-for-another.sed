# src/pipe/lock.c alone-two-near
# The owner of a lock keeps it, because another one has just said that it is at work.
/^static inline void leave/,/^}/s/weir_pipe_is_own(alone)/load32_relaxed(alone) != 0/
