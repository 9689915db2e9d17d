# src/endpoint/life.c shut-reader-room
# A shutdown of which no writer is told, so that one with room writes on.
s/^\t\tstore32_ordered(&ref->pipe->suspect, times);/\t\t(void)times;/
