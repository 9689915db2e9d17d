# src/endpoint/life.c shut-reader-room
# A shutdown of which no writer is told, so that one with room writes on.
s/^\tweir_pipe_suspect(ref, times);/\t(void)times;/
