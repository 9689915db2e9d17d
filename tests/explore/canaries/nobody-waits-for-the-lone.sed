# src/pipe/lock.c alone-rivals
# Who comes near does not wait for who is at work without the lock.
s/while ((pid = load32_acquire(alone)) != 0) {/while ((pid = 0) != 0) {/
