# src/endpoint/waiter.c loop-in-edges
# Who waits for edges sleeps while a bell is in the queue that nobody needs: the next write rings none.
s/^\t\tweir_bell_settle(&end->in, end->fd);$/\t\t;/
