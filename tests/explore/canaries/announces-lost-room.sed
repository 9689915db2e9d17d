# src/endpoint/receive.c epoll-out
# A reader that had made room settles without looking again.
s/^\tif (owes(&end->in))$/\tif (true)/
