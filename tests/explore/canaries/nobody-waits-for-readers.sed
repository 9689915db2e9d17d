# src/endpoint/ready.c epoll-in-while-read
# Who begins to watch does not wait for a reader at work.
s/^\t\tawait_both(&end->in);/\t\tawait_writer(\&end->in);/
