# src/endpoint/wait.c 1x1-room
# A writer that sleeps without looking for room again once it has said so.
/weir_bell_saturate(out, end->fd, WEIR_SATURATED/,/WEIR_WAIT_AGAIN/s/weir_pipe_room(out) > 0/false/
