# src/pipe/lock.c alone-handler
# A handler waits for others, who wait for the call that it has interrupted.
/^static inline bool enter_alone/,/^}/s/weir_pipe_is_own(alone)/false/
