# src/pipe/lock.c alone-rivals
# Who has said that it is at work does not look whether it is still alone.
s/__builtin_expect(load32_relaxed(&pipe->alone) == own && !stale, 1)/!stale/
