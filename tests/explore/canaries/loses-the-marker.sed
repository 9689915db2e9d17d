# src/pipe/bell.c kill-hand-over
# Who handed over died in the act: the next writer believes that it was done.
s/? hand_over_again(pipe, fd)/? 0/
