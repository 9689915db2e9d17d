# src/pipe/bell.c 2x1
# A writer that believes in a bell as soon as anybody ever rang.
s/store32_relaxed(&pipe->bells, keep ? leave_one(fd) : receive_all(pipe, fd))/(void)(keep ? leave_one(fd) : receive_all(pipe, fd))/
