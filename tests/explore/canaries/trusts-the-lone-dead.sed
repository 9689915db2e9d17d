# src/pipe/lock.c alone-kill
# Who has died at work without the lock is taken for one that had finished.
s/^\t\t\trecover(ref->pipe, who);//
