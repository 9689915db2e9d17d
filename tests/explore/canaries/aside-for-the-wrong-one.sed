# src/pipe/pipe.c alone-handler-writes
# What a handler leaves aside is for the lock's owner, who is another one than it interrupted.
/^static uint32_t writer_of/,/^}/s/weir_pipe_writes_alone(pipe)/false/
