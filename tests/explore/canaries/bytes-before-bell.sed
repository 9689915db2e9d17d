# src/pipe/pipe.c epoll-in
# A writer that publishes before it rings, though somebody watches.
s/bool watched = .*;/bool watched = false;/
