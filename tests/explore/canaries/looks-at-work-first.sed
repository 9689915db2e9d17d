# src/pipe/lock.c alone-rivals
# Who is at work is looked at before it is known that the word is up to date.
s/is_anothers(pipe) || load32_acquire(alone_of(ref, who)) != 0, 0/load32_acquire(alone_of(ref, who)) != 0 || is_anothers(pipe), 0/
