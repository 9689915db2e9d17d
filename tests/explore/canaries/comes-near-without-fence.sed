# src/pipe/lock.c alone-rivals
# Who comes near believes that nobody is at work, though the store that says so is under way.
s/os_call(SYS_membarrier, .*) != 0/false/
